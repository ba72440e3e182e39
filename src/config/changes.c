// SPDX-License-Identifier: GPL-2.0-or-later
// Either text is read with a table of the one key, whose values are gathered; what else stands there is of no interest.
#include "config/changes.h"

#include "base/memory.h"
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

struct gathered {
    char *text;
    size_t len;
};

static void append(struct gathered *gathered, const char *text)
{
    size_t len = strlen(text) + 1; // with the NUL: nothing can run into what follows
    gathered->text = memory_resize(gathered->text, gathered->len + len);
    memcpy(gathered->text + gathered->len, text, len);
    gathered->len += len;
}

static bool gather(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    (void)fault;
    append(field, entry->argument);
    append(field, entry->value);
    return true;
}

static void read_key(struct gathered *out, const struct blob *text, const char *section, const char *name)
{
    const struct config_section sections[] = {{.name = section, .named = !strcmp(section, "Access")}};
    const struct config_key keys[] = {{section, name, gather, 0, .repeats = true}};
    struct config config = {
        .path = "", .sections = sections, .section_count = 1, .keys = keys, .key_count = 1, .into = out};
    config_read(&config, text);
    config_fini(&config);
}

bool config_key_changed(const struct blob *before, const struct blob *now, const char *section, const char *key)
{
    struct gathered a = {0}, b = {0};
    read_key(&a, before, section, key);
    read_key(&b, now, section, key);
    bool changed = a.len != b.len || (a.len && memcmp(a.text, b.text, a.len) != 0);
    free(a.text);
    free(b.text);
    return changed;
}

void changes_tell(const struct change_texts *texts, const struct change_delay *table, size_t count, FILE *report)
{
    for (size_t i = 0; i < count; i++)
        if (config_key_changed(texts->before, texts->now, table[i].section, table[i].key) &&
            (!texts->began || config_key_changed(texts->began, texts->now, table[i].section, table[i].key)))
            fprintf(report, "%s takes effect %s\n", table[i].key, table[i].when);
}
