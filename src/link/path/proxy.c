// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/path/proxy.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void proxy_fail(struct proxy_talk *talk, enum proxy_verdict verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(talk->why.text, sizeof talk->why.text, format, args);
    va_end(args);
    talk->verdict = verdict;
    talk->want = 0;
}

const char *proxy_shown(const struct proxy_talk *talk, char room[PROXY_SHOWN_SIZE])
{
    char line[PROXY_SHOWN_SIZE];
    size_t len = talk->in_len < sizeof line - 1 ? talk->in_len : sizeof line - 1;
    memcpy(line, talk->in, len);
    line[len] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    return text_escape(room, PROXY_SHOWN_SIZE, line);
}
