// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/inside/channel.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

bool inside_say(int channel, enum inside_word word, int number, const char *text)
{
    struct inside_message message = {.word = word, .number = number};
    snprintf(message.text, sizeof message.text, "%s", text);
    return send(channel, &message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message;
}

bool inside_hear(int channel, struct inside_message *out)
{
    ssize_t got;
    // An end that goes without having read all gives an error, once, and before what it has said last.
    do
        got = recv(channel, out, sizeof *out, 0);
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    out->text[sizeof out->text - 1] = '\0';
    return got == (ssize_t)sizeof *out;
}
