// SPDX-License-Identifier: GPL-2.0-or-later
// The words of a REASON and their text form. The table and the enum are tied together, so that a word cannot be added
// to one of them alone.
#include "usher/reason.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const words[] = {
    [USHER_FAILED] = "failed",   [USHER_REFUSED] = "refused",         [USHER_UNREACHABLE] = "unreachable",
    [USHER_TIMEOUT] = "timeout", [USHER_DENIED] = "denied",           [USHER_RESOLVE] = "resolve",
    [USHER_LIMIT] = "limit",     [USHER_UNSUPPORTED] = "unsupported",
};

static_assert(sizeof words / sizeof words[0] == USHER_WORDS, "every word has a text");

enum usher_word usher_reason_parse(const char *reason, const char **text)
{
    size_t len = strcspn(reason, ":");
    for (int word = 0; word < USHER_WORDS; word++) {
        if (strlen(words[word]) != len || memcmp(words[word], reason, len) != 0)
            continue;
        const char *behind = reason + len;
        behind += *behind == ':';
        behind += *behind == ' ';
        *text = behind;
        return (enum usher_word)word;
    }
    *text = reason; // free text of a peer that does not know our words: all of it is worth reading
    return USHER_FAILED;
}

const char *usher_reason_write(char *room, size_t size, enum usher_word word, const char *text)
{
    snprintf(room, size, "%s: %s", words[word], text);
    return room;
}
