// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing is kept but the text: a look reads it from its beginning to its end.
#include "os/resolver/hosts.h"

#include "base/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char BLANKS[] = " \t\r\v\f", ENDS[] = " \t\r\v\f#\n";

char *hosts_read(int fd)
{
    char *text = memory_new(HOSTS_SIZE_MAX + 1);
    size_t used = 0;
    ssize_t got;
    // At offsets of our own: the descriptor may be another process's too.
    while (used <= HOSTS_SIZE_MAX &&
           ((got = pread(fd, text + used, HOSTS_SIZE_MAX + 1 - used, (off_t)used)) > 0 || (got < 0 && errno == EINTR)))
        used += got > 0 ? (size_t)got : 0;
    if (got < 0 || used > HOSTS_SIZE_MAX) {
        free(text);
        return NULL;
    }
    text = memory_resize(text, used + 1);
    text[used] = '\0';
    return text;
}

// Takes the next word of the line, whose length it returns; 0 at its end.
static size_t next_word(const char **at, const char **word)
{
    *word = *at + strspn(*at, BLANKS);
    size_t len = strcspn(*word, ENDS);
    *at = *word + len;
    return len;
}

static bool take_address(const char *word, size_t len, struct address *out)
{
    char text[64];
    if (len >= sizeof text)
        return false;
    memcpy(text, word, len);
    text[len] = '\0';
    return address_parse(out, text);
}

static bool is_named(const char *at, const char *name, size_t name_len)
{
    const char *word;
    size_t len;
    while ((len = next_word(&at, &word)))
        if (len == name_len && !strncasecmp(word, name, len))
            return true;
    return false;
}

size_t hosts_find(const char *text, const char *name, struct address *out, size_t max)
{
    size_t count = 0, name_len = strlen(name);
    if (name_len && name[name_len - 1] == '.')
        name_len--;
    for (const char *line = text; *line && count < max; line += *line == '\n') {
        const char *at = line, *word;
        size_t len = next_word(&at, &word);
        if (len && is_named(at, name, name_len) && take_address(word, len, &out[count]))
            count++;
        line += strcspn(line, "\n");
    }
    return count;
}
