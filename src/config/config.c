// SPDX-License-Identifier: GPL-2.0-or-later
// The dialect is inih's: "key = value", [section], comments with ; or # at the start of a line and with ; behind
// white space. The reader below looks at each line before inih does, because inih alone would cut long lines and long
// section names without a word and would tell the line of the first mistake only. Leading white space means nothing,
// so there are no continuation lines: list keys may be given again instead.

#include "config/config.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/block.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_SIZE = 80 }; // bytes of a file's own text that a message shows

static void report(struct config *config, unsigned line, const char *kind, const char *format, va_list args)
{
    if (!config->report)
        return;
    if (line)
        fprintf(config->report, "%s:%u: %s", config->path, line, kind);
    else
        fprintf(config->report, "%s: %s", config->path, kind);
    vfprintf(config->report, format, args);
    fputc('\n', config->report);
}

void config_mistake_at(struct config *config, unsigned line, const char *format, ...)
{
    va_list args;
    config->mistakes++;
    va_start(args, format);
    report(config, line, "", format, args);
    va_end(args);
}

static size_t find_section(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i < config->section_count && strcasecmp(config->sections[i].name, name))
        i++;
    return i;
}

static size_t find_key(const struct config *config, const char *section, const char *name)
{
    size_t i = 0;
    while (i < config->key_count &&
           (strcasecmp(config->keys[i].name, name) || strcasecmp(config->keys[i].section, section)))
        i++;
    return i;
}

// Where the key was given, or else its section; 0 when neither was.
static unsigned line_of(const struct config *config, const char *section, const char *key)
{
    size_t s = find_section(config, section);
    size_t k = key ? find_key(config, section, key) : config->key_count;
    if (k < config->key_count && config->lines[k])
        return config->lines[k];
    return s < config->section_count ? config->section_lines[s] : 0;
}

void config_mistake(struct config *config, const char *section, const char *key, const char *format, ...)
{
    va_list args;
    config->mistakes++;
    va_start(args, format);
    report(config, line_of(config, section, key), "", format, args);
    va_end(args);
}

bool config_has(const struct config *config, const char *section, const char *key)
{
    size_t k = find_key(config, section, key);
    return k < config->key_count && config->lines[k];
}

void config_notice(struct config *config, const char *section, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(config, line_of(config, section, key), "warning: ", format, args);
    va_end(args);
}

void config_notice_at(struct config *config, unsigned line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(config, line, "warning: ", format, args);
    va_end(args);
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return text;
}

// False, with a report, when the section cannot be read on.
static bool judge_section(struct config *config, size_t index, const char *name, const char *argument)
{
    char shown[SHOWN_SIZE];
    if (index == config->section_count) {
        config_mistake_at(config, config->line, "unknown section [%s]", text_escape(shown, sizeof shown, name));
        return false;
    }
    const struct config_section *section = &config->sections[index];
    text_escape(shown, sizeof shown, argument);
    if (section->named && !*argument)
        config_mistake_at(config, config->line, "[%s NAME] needs a name", section->name);
    else if (!section->named && *argument)
        config_mistake_at(config, config->line, "[%s] takes no name, but has \"%s\"", section->name, shown);
    else if (strlen(argument) >= sizeof config->argument || strpbrk(argument, " \t"))
        config_mistake_at(config, config->line, "\"%s\" is not a name", shown);
    else
        return true;
    return false;
}

// "[Gate]", "[Access branch]"; `line` begins with the bracket.
static void start_section(struct config *config, char *line)
{
    config->section = NULL;
    config->skipping = true;
    char *end = strchr(line, ']');
    if (!end) {
        config_mistake_at(config, config->line, "the section's name is not closed by ]");
        return;
    }
    char *rest = trim(end + 1);
    if (*rest && *rest != ';' && *rest != '#') {
        config_mistake_at(config, config->line, "nothing may stand behind a section's name");
        return;
    }
    *end = '\0';
    char *name = trim(line + 1);
    char *argument = name + strcspn(name, " \t");
    if (*argument)
        *argument++ = '\0';
    argument = trim(argument);
    size_t i = find_section(config, name);
    if (!judge_section(config, i, name, argument))
        return;
    config->skipping = false;
    config->section = &config->sections[i];
    config->section_lines[i] = config->line;
    snprintf(config->argument, sizeof config->argument, "%s", argument);
    if (config->section->started)
        config->section->started(config->into, argument);
}

static void skip_to_end_of_line(FILE *in)
{
    int c;
    do
        c = getc(in);
    while (c != EOF && c != '\n');
}

// What opened it becomes "Name = <Name>", in its own line.
static void start_block(struct config *config, const char *name, char *room, int size)
{
    if (block_take(&config->block, config->in, name, &config->in_block)) {
        snprintf(room, (size_t)size, "%s = <%s>\n", name, name);
        return;
    }
    config_mistake_at(config, config->line, "<%s> is not closed by </%s>", name, name);
    *room = '\0';
}

static void end_block(struct config *config)
{
    config->line += config->in_block;
    config->in_block = 0;
    blob_wipe(&config->block);
}

// inih's fgets: one line of the file; what is no "key = value" is dealt with here and reaches inih as an empty line.
static char *next_line(char *room, int size, void *user)
{
    struct config *config = user;
    char block[BLOCK_NAME_SIZE];
    end_block(config);
    if (!fgets(room, size, config->in))
        return NULL;
    config->line++;
    if (!strchr(room, '\n') && !feof(config->in)) {
        skip_to_end_of_line(config->in);
        config_mistake_at(config, config->line, "longer than %d bytes; give the key again for the rest", size - 2);
        return strcpy(room, "\n");
    }
    if (config->line == 1 && !strncmp(room, "\xef\xbb\xbf", 3)) // a byte order mark, as some editors leave
        memmove(room, room + 3, strlen(room + 3) + 1);
    char *line = trim(room);
    if (block_opens(line, block)) {
        start_block(config, block, room, size);
        return room;
    }
    if (*line == '[') {
        start_section(config, line);
        *line = '\0';
    } else if (*line && *line != ';' && *line != '#' && !strpbrk(line, "=:")) {
        config_mistake_at(config, config->line, "neither a [section] nor \"key = value\"");
        *line = '\0';
    }
    memmove(room, line, strlen(line) + 1);
    return room;
}

static void parse_value(struct config *config, const struct config_key *key, const char *value, unsigned line)
{
    const struct blob *block = config->block.bytes ? &config->block : NULL;
    struct config_entry entry = {.argument = config->argument, .value = value, .block = block, .line = line};
    struct fault fault = {""};
    if (key->parse((char *)config->into + key->offset, &entry, key, &fault))
        return;
    char shown[SHOWN_SIZE];
    if (key->repeats) // a whole line: its parser names the part that is wrong
        config_mistake_at(config, line, "%s: %s", key->name, fault.text);
    else
        config_mistake_at(config, line, "%s: \"%s\" %s", key->name, text_escape(shown, sizeof shown, value),
                          fault.text);
}

static void parse_list(struct config *config, const struct config_key *key, const char *value, unsigned line)
{
    char *copy = memory_text(value);
    char *left = copy;
    for (char *item; (item = strsep(&left, ","));) {
        item = trim(item);
        if (*item)
            parse_value(config, key, item, line);
        else if (left || item == copy)
            config_mistake_at(config, line, "%s: an item of the list is empty", key->name);
    }
    free(copy);
}

// inih's handler. `section` is not used: inih cuts it at 50 bytes, ours it does not.
static int take(void *user, const char *section, const char *name, const char *value)
{
    struct config *config = user;
    char shown[SHOWN_SIZE];
    (void)section;
    if (config->skipping)
        return 1;
    if (!config->section) {
        config_mistake_at(config, config->line, "\"%s\" stands before the first [section]",
                          text_escape(shown, sizeof shown, name));
        return 1;
    }
    size_t i = find_key(config, config->section->name, name);
    if (i == config->key_count) {
        config_mistake_at(config, config->line, "unknown key \"%s\" in [%s]", text_escape(shown, sizeof shown, name),
                          config->section->name);
        return 1;
    }
    const struct config_key *key = &config->keys[i];
    if (config->lines[i] && !key->list && !key->repeats) {
        config_mistake_at(config, config->line, "%s was given before, in line %u", key->name, config->lines[i]);
        return 1;
    }
    config->lines[i] = config->line;
    if (config->block.bytes && !key->block)
        config_mistake_at(config, config->line, "%s is given in a line, and not as a block", key->name);
    else if (!*value)
        config_mistake_at(config, config->line, "%s has no value", key->name);
    else if (key->list)
        parse_list(config, key, value, config->line);
    else
        parse_value(config, key, value, config->line);
    return 1;
}

static void finish(struct config *config)
{
    config->argument[0] = '\0';
    for (size_t i = 0; i < config->key_count; i++) {
        const struct config_key *key = &config->keys[i];
        if (config->lines[i])
            continue;
        if (key->required)
            config_mistake(config, key->section, NULL, "%s is missing in [%s]", key->name, key->section);
        else if (key->fallback && key->list)
            parse_list(config, key, key->fallback, 0);
        else if (key->fallback)
            parse_value(config, key, key->fallback, 0);
    }
}

bool config_file(const struct config *config, struct blob *out, const struct file_wish *wish, struct fault *fault)
{
    if (config->files)
        return file_set_take(config->files, wish->path, out, fault);
    return wish->is_secret ? blob_read_private(out, wish->path, wish->max, fault)
                           : blob_read(out, wish->path, wish->max, fault);
}

static bool load_read(struct config *config, struct blob *out)
{
    struct fault fault;
    if (file_set_take(config->files, config->path, out, &fault))
        return true;
    config_mistake_at(config, 0, "%s", fault.text);
    return false;
}

bool config_load(struct config *config, struct blob *out)
{
    size_t size = 0;
    *out = (struct blob){0};
    if (config->files)
        return load_read(config, out);
    FILE *in = fopen(config->path, "re");
    if (!in) {
        config_mistake_at(config, 0, "%s", strerror(errno));
        return false;
    }
    do {
        size = size ? 2 * size : 64 * 1024;
        out->bytes = memory_resize(out->bytes, size + 1);
        out->len += fread(out->bytes + out->len, 1, size - out->len, in);
    } while (out->len == size && size < CONFIG_FILE_MAX);
    out->bytes[out->len] = '\0';
    int error = ferror(in) ? errno : out->len == CONFIG_FILE_MAX ? EFBIG : 0; // EISDIR, say
    fclose(in);
    if (error)
        config_mistake_at(config, 0, "%s", strerror(error));
    return !error;
}

bool config_read(struct config *config, const struct blob *text)
{
    config->lines = memory_new((config->key_count + 1) * sizeof *config->lines);
    config->section_lines = memory_new((config->section_count + 1) * sizeof *config->section_lines);
    config->in = text->len ? fmemopen(text->bytes, text->len, "r") : fopen("/dev/null", "re");
    if (!config->in) {
        config_mistake_at(config, 0, "%s", strerror(errno));
        return false;
    }
    int line = ini_parse_stream(next_line, config, take, config);
    end_block(config);
    fclose(config->in);
    if (line && !config->mistakes) // what only inih finds wrong, such as a NUL byte before the "="
        config_mistake_at(config, line > 0 ? (unsigned)line : 0, "not understood");
    finish(config);
    return !config->mistakes;
}

void config_fini(struct config *config)
{
    free(config->lines);
    free(config->section_lines);
    config->lines = config->section_lines = NULL;
}
