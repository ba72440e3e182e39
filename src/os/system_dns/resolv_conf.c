// SPDX-License-Identifier: GPL-2.0-or-later
// Read the way the C library reads it: a keyword counts at the start of its line only, the last search or domain wins,
// options add up.
#include "os/system_dns/resolv_conf.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACE " \t\r"

#define MARK    "# Written by usher-tun "
#define HAS_OLD ": usher-tun down %s puts back %s"
#define NO_OLD  ": usher-tun down %s removes it"

// The value behind `keyword` in [line, end); NULL when the line is another.
static const char *value_of(const char *line, const char *end, const char *keyword)
{
    size_t len = strlen(keyword);
    if ((size_t)(end - line) <= len || memcmp(line, keyword, len) || !strchr(SPACE, line[len]))
        return NULL;
    return line + len;
}

// The next word in [*at, end), or false.
static bool next_word(const char **at, const char *end, const char **word, size_t *len)
{
    while (*at < end && strchr(SPACE, **at))
        ++*at;
    *word = *at;
    while (*at < end && !strchr(SPACE, **at))
        ++*at;
    *len = (size_t)(*at - *word);
    return *len;
}

static void append(char **text, const char *more, size_t len)
{
    size_t used = strlen(*text);
    *text = memory_resize(*text, used + len + 1);
    memcpy(*text + used, more, len);
    (*text)[used + len] = '\0';
}

static void add_server(struct resolv_conf *conf, const char *at, const char *end)
{
    const char *word;
    size_t len;
    char text[ADDRESS_TEXT_SIZE] = "";
    struct address addr;
    if (!next_word(&at, end, &word, &len))
        return;
    if (len < sizeof text)
        memcpy(text, word, len);
    if (!address_parse(&addr, text))
        conf->unusable++;
    else if (conf->servers.count < RESOLV_CONF_SERVERS_MAX)
        conf->servers.items[conf->servers.count++] = addr;
}

static void set_search(struct resolv_conf *conf, const char *at, const char *end, bool first_only)
{
    const char *word;
    size_t len;
    *conf->search = '\0';
    while (next_word(&at, end, &word, &len)) {
        if (*conf->search)
            append(&conf->search, " ", 1);
        append(&conf->search, word, len);
        if (first_only)
            return;
    }
}

static void read_line(struct resolv_conf *conf, const char *line, const char *end)
{
    const char *value;
    if ((value = value_of(line, end, "nameserver"))) {
        add_server(conf, value, end);
    } else if ((value = value_of(line, end, "search"))) {
        set_search(conf, value, end, false);
    } else if ((value = value_of(line, end, "domain"))) {
        set_search(conf, value, end, true);
    } else if (value_of(line, end, "options") || value_of(line, end, "sortlist")) {
        append(&conf->others, line, (size_t)(end - line));
        append(&conf->others, "\n", 1);
    }
}

void resolv_conf_parse(struct resolv_conf *out, const char *text)
{
    *out = (struct resolv_conf){.search = memory_text(""), .others = memory_text("")};
    while (*text) {
        const char *end = strchrnul(text, '\n');
        read_line(out, text, end);
        text = *end ? end + 1 : end;
    }
}

void resolv_conf_fini(struct resolv_conf *conf)
{
    free(conf->search);
    free(conf->others);
}

char *resolv_conf_text(const struct resolv_conf_own *own, const struct resolv_conf *old)
{
    char *text = NULL, addr[ADDRESS_TEXT_SIZE];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort(); // as memory_new does
    fprintf(out, MARK "%s", own->name);
    if (own->backup)
        fprintf(out, HAS_OLD "\n", own->name, own->backup);
    else
        fprintf(out, NO_OLD "\n", own->name);
    for (size_t i = 0; i < own->server_count; i++)
        fprintf(out, "nameserver %s\n", address_text(&own->servers[i], addr));
    if (*own->search || *old->search)
        fprintf(out, "search %s%s%s\n", own->search, *own->search && *old->search ? " " : "", old->search);
    fputs(old->others, out);
    fclose(out);
    return text;
}

bool resolv_conf_owner(struct resolv_conf_owner *out, const char *text)
{
    char line[sizeof MARK + sizeof HAS_OLD + 2 * RESOLV_CONF_NAME_SIZE + RESOLV_CONF_PATH_SIZE];
    char again[RESOLV_CONF_NAME_SIZE];
    int end = 0;
    size_t len = strcspn(text, "\n");
    if (!text[len] || len >= sizeof line)
        return false; // not written to the end of its first line
    memcpy(line, text, len);
    line[len] = '\0';
    if (sscanf(line, MARK "%63[^: ]: usher-tun down %63s %n", out->name, again, &end) != 2 || !end)
        return false;
    out->had_old = !strncmp(line + end, "puts back ", strlen("puts back "));
    return !strcmp(out->name, again) && (out->had_old || !strcmp(line + end, "removes it"));
}

void resolv_conf_servers_text(const struct resolv_conf_servers *servers, char room[RESOLV_CONF_SERVERS_TEXT_SIZE])
{
    char *end = room, text[ADDRESS_TEXT_SIZE];
    *room = '\0';
    for (size_t i = 0; i < servers->count; i++) // the comma takes the place of a NUL
        end += sprintf(end, "%s%s", i ? "," : "", address_text(&servers->items[i], text));
}
