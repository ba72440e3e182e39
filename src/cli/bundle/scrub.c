// SPDX-License-Identifier: GPL-2.0-or-later
// What is copied of a configuration is what is known to be harmless, line by line: whatever else a file may hold, a key in
// a line of its own, a password in a comment, has no way into the bundle.
#include "cli/bundle/scrub.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char LEFT_OUT[] = "(left out)";

enum { SECRET_LEAST = 4, SUSPECT_LEAST = 16, TOKEN_SIZE = 64 };

void scrub_fini(struct scrub *scrub)
{
    for (size_t i = 0; i < scrub->secret_count; i++) {
        explicit_bzero(scrub->secrets[i], strlen(scrub->secrets[i]));
        free(scrub->secrets[i]);
    }
    free(scrub->secrets);
    free(scrub->seen);
    *scrub = (struct scrub){0};
}

void scrub_secret(struct scrub *scrub, const char *secret)
{
    if (strlen(secret) < SECRET_LEAST)
        return;
    scrub->secrets = memory_resize(scrub->secrets, (scrub->secret_count + 1) * sizeof *scrub->secrets);
    scrub->secrets[scrub->secret_count++] = memory_text(secret);
}

// Any text

static size_t secret_at(const struct scrub *scrub, const char *at)
{
    for (size_t i = 0; i < scrub->secret_count; i++)
        if (!strncmp(at, scrub->secrets[i], strlen(scrub->secrets[i])))
            return strlen(scrub->secrets[i]);
    return 0;
}

// A key in PEM, to its end, or to that of the text.
static size_t key_at(const char *at)
{
    if (strncmp(at, "-----BEGIN ", 11))
        return 0;
    size_t line = strcspn(at, "\r\n\\");
    const char *word = strstr(at, "PRIVATE KEY-----");
    if (!word || word > at + line)
        return 0;
    const char *end = strstr(at, "-----END ");
    const char *behind = end ? strstr(end, "PRIVATE KEY-----") : NULL;
    return behind ? (size_t)(behind - at) + strlen("PRIVATE KEY-----") : strlen(at);
}

static bool is_of_address(char c)
{
    return isxdigit((unsigned char)c) || c == ':' || c == '.';
}

// What everybody has tells nothing.
static bool is_common(const struct address *addr)
{
    static const struct address none4 = {.version = 4}, none6 = {.version = 6};
    static const struct address own6 = {.version = 6, .bytes = {[15] = 1}};
    return address_equal(addr, &none4) || address_equal(addr, &none6) || address_equal(addr, &own6) ||
           (addr->version == 4 && addr->bytes[0] == 127);
}

static size_t number_of(struct scrub *scrub, const struct address *addr)
{
    for (size_t i = 0; i < scrub->seen_count; i++)
        if (address_equal(&scrub->seen[i], addr))
            return i + 1;
    scrub->seen = memory_resize(scrub->seen, (scrub->seen_count + 1) * sizeof *scrub->seen);
    scrub->seen[scrub->seen_count++] = *addr;
    return scrub->seen_count;
}

static bool is_hardware(const char *token, size_t len)
{
    if (len != 17)
        return false;
    for (size_t i = 0; i < len; i++)
        if (i % 3 == 2 ? token[i] != ':' : !isxdigit((unsigned char)token[i]))
            return false;
    return true;
}

// An address at the start of `at`, which begins a word; its length, 0: none. A port behind an IPv4 address, and a dot or
// colon of the sentence, are not of it.
static size_t address_at(const char *at, struct address *out)
{
    char token[TOKEN_SIZE];
    size_t len = 0;
    while (len + 1 < sizeof token && is_of_address(at[len])) {
        token[len] = at[len];
        len++;
    }
    if (isalnum((unsigned char)at[len]) || at[len] == '_')
        return 0; // a word that only begins so
    for (; len > 0; len--) {
        token[len] = '\0';
        if (address_parse(out, token))
            return len;
        if (!strchr(".:", at[len - 1]) &&
            !(strchr(token, '.') && strchr(token, ':') && isdigit((unsigned char)at[len - 1])))
            return 0;
    }
    return 0;
}

static size_t write_address(struct scrub *scrub, FILE *out, const char *at)
{
    struct address addr;
    size_t len = strspn(at, "0123456789abcdefABCDEF:");
    if (is_hardware(at, len)) {
        fputs("(hardware address)", out);
        return len;
    }
    len = address_at(at, &addr);
    if (!len || is_common(&addr))
        return 0;
    fprintf(out, "address-%zu", number_of(scrub, &addr));
    return len;
}

char *scrub_text(struct scrub *scrub, const char *text)
{
    char *room = NULL;
    size_t size, len;
    FILE *out = open_memstream(&room, &size);
    for (const char *at = text; *at; at += len) {
        bool begins = at == text || !(isalnum((unsigned char)at[-1]) || strchr(".:_", at[-1]));
        if ((len = secret_at(scrub, at)) || (len = key_at(at))) {
            fputs(LEFT_OUT, out);
        } else if (!scrub->anonymous || !begins || !is_of_address(*at) || !(len = write_address(scrub, out, at))) {
            putc(*at, out);
            len = 1;
        }
    }
    fclose(out);
    return room;
}

// A configuration

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (size_t len = strlen(text); len > 0 && isspace((unsigned char)text[len - 1]); len--)
        text[len - 1] = '\0';
    return text;
}

static bool is_known(const struct config *config, const char *key)
{
    for (size_t i = 0; i < config->key_count; i++)
        if (!strcasecmp(config->keys[i].name, key))
            return true;
    return false;
}

// A password may stand on the command line of a program.
static bool is_secret(const char *key)
{
    static const char *const keys[] = {"KeyCommand", "ProxyCommand", "SocksUser"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!strcasecmp(keys[i], key))
            return true;
    return false;
}

// "socks5://user:password@proxy:1080": who comes, and by which password.
static void write_url(struct scrub *scrub, FILE *out, char *value)
{
    char *user = strstr(value, "://"), *at = strrchr(value, '@');
    if (!at) {
        fputs(value, out);
        return;
    }
    *at = '\0';
    user = user && user < at ? user + 3 : value;
    char *password = strchr(user, ':');
    scrub_secret(scrub, user);
    if (password)
        scrub_secret(scrub, password + 1);
    fprintf(out, "%.*s%s@%s", (int)(user - value), value, LEFT_OUT, at + 1);
}

static void write_setting(struct scrub *scrub, FILE *out, const char *key, char *value)
{
    char *comment = strstr(value, " ;");
    fprintf(out, "%s = ", key);
    if (comment && !is_secret(key))
        *comment = '\0';
    value = trim(value);
    if (is_secret(key)) {
        scrub_secret(scrub, value);
        fputs(LEFT_OUT, out);
    } else if (!strcasecmp(key, "Proxy")) {
        write_url(scrub, out, value);
    } else {
        fputs(value, out);
    }
    putc('\n', out);
}

// The name of a section of ours, "[Access branch]"; whatever stands behind it is no part of it.
static bool is_section(const struct config *config, char *line)
{
    size_t end = strcspn(line, "]"), name = strcspn(line + 1, " \t]");
    line[line[end] ? end + 1 : end] = '\0';
    for (size_t i = 0; *line == '[' && i < config->section_count; i++)
        if (strlen(config->sections[i].name) == name && !strncasecmp(config->sections[i].name, line + 1, name))
            return true;
    return false;
}

// What is left out may be anything, a key in lines of its own say, and may have been quoted elsewhere.
static void leave_out(struct scrub *scrub, FILE *out, const char *line, const char *why)
{
    if (strlen(line) >= SUSPECT_LEAST)
        scrub_secret(scrub, line);
    fprintf(out, "; a line %s is left out\n", why);
}

static void write_line(struct scrub *scrub, FILE *out, const struct config *config, char *line)
{
    line = trim(line);
    char *value = strpbrk(line, "=:");
    if (*line == '[' && is_section(config, line)) {
        fprintf(out, "%s\n", line);
    } else if (!*line || *line == ';' || *line == '#') {
        putc('\n', out); // so that line numbers stay true
    } else if (*line != '[' && value) {
        *value = '\0';
        char *key = trim(line);
        if (is_known(config, key))
            write_setting(scrub, out, key, value + 1);
        else
            leave_out(scrub, out, key, "with an unknown key");
    } else {
        leave_out(scrub, out, line, "that is no setting");
    }
}

char *scrub_configuration(struct scrub *scrub, const struct config *config, const char *text)
{
    char *copy = memory_text(text), *rest = copy, *room = NULL;
    size_t size;
    FILE *out = open_memstream(&room, &size);
    for (char *line; (line = strsep(&rest, "\n"));)
        if (rest || *line)
            write_line(scrub, out, config, line);
    fclose(out);
    explicit_bzero(copy, strlen(text));
    free(copy);
    return room;
}
