// SPDX-License-Identifier: GPL-2.0-or-later
// Configuration files as a table of keys. Parsing has no side effects: it fills a plain struct that the program judges
// further and only then acts on. Every mistake of a file is reported with its line, not only the first.
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/fault.h"
#include "os/watch/file_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CONFIG_FILE_MAX = 16 * 1024 * 1024 }; // bytes of a file: far above any honest one

struct config_key;

// One "key = value", or one item of it when the key is a list.
struct config_entry {
    const char *argument; // what stands behind the section's name: "branch" of [Access branch]; "" for none
    const char *value;
    const struct blob
        *block; // of more lines, if the key takes one (config/block.h): then the value is no more than "<CA>"
    unsigned line;
};

// Parses `entry` into `field`; on failure leaves the cause in `fault`, to be read behind the value ("is not a duration")
// or, for keys that repeat, as a sentence of its own.
typedef bool config_parse(void *field, const struct config_entry *entry, const struct config_key *key,
                          struct fault *fault);

struct config_key {
    const char *section;
    const char *name;
    config_parse *parse;
    size_t offset;        // of the field in the program's struct
    const char *fallback; // parsed when the file does not have the key; NULL: the field stays as it was
    uint64_t min, max;    // bounds of numbers, in the field's unit; max 0: no bound
    bool list;            // comma separated, and may be given again: `parse` is called for every item
    bool repeats;         // may be given again, each line a whole value
    bool required;
    bool block; // may be one: `parse` sees what is in it
};

// A row of the table for a number, size or duration with a default and bounds.
#define CONFIG_BOUNDED(SECTION, NAME, PARSE, OFFSET, FALLBACK, MIN, MAX)                                               \
    {                                                                                                                  \
        .section = SECTION, .name = NAME, .parse = PARSE, .offset = OFFSET, .fallback = FALLBACK, .min = MIN,          \
        .max = MAX                                                                                                     \
    }

// Sections that take a name ([Access NAME]) and those that stand alone; `started` hears of the first kind.
struct config_section {
    const char *name;
    bool named;
    void (*started)(void *into, const char *argument);
};

struct config {
    const char *path; // as shown in messages
    const struct config_section *sections;
    size_t section_count;
    const struct config_key *keys;
    size_t key_count;
    void *into;
    FILE *report; // NULL: nobody is told
    unsigned mistakes;
    const struct file_set *files; // that somebody else has read, the configuration's own among them; NULL: none

    FILE *in;
    unsigned line;
    unsigned *lines; // per key, where it was given last; 0: not at all
    unsigned *section_lines;
    const struct config_section *section; // the one being read; NULL: none, or one we do not know
    bool skipping;                        // inside a section that was complained about already
    char argument[256];
    struct blob block; // that was just read; empty: none
    unsigned in_block; // lines of it, which have been read already
};

// Takes in the whole file at config->path; a mistake when that fails. The blob is the caller's in any case.
bool config_load(struct config *config, struct blob *out);
// A file that the configuration names, from `files` where there are any.
bool config_file(const struct config *config, struct blob *out, const struct file_wish *wish, struct fault *fault);
// Reads `text` to its end, reports every mistake, fills in defaults and asks for what is required. True when there was
// no mistake.
bool config_read(struct config *config, const struct blob *text);
// Reports a mistake that was found later, at the line of the key (or section, with a NULL key) that causes it.
void config_mistake(struct config *config, const char *section, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void config_mistake_at(struct config *config, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Whether the file has the key, with whatever value.
bool config_has(const struct config *config, const char *section, const char *key);
// Something worth a word that is no mistake.
void config_notice(struct config *config, const char *section, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void config_notice_at(struct config *config, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Frees what reading has taken, not what it has put into the program's struct.
void config_fini(struct config *config);

#endif
