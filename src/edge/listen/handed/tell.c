// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/handed/internal.h"

#include "base/text.h"
#include "edge/relay/reason.h"

#include <fcntl.h>

const struct endpoint *handed_inside(const struct relay_flow *flow)
{
    return &((const struct handed_flow *)flow)->inside;
}

const char *handed_host(const struct relay_flow *flow)
{
    const char *host = ((const struct handed_flow *)flow)->host;
    return *host ? host : NULL;
}

void handed_tell(struct handed_flow *flow, int fd, int error, const char *why)
{
    handed_told *told = flow->told;
    flow->told = NULL;
    if (told)
        told(flow->owner, fd, error, why);
}

void handed_tell_refused(struct handed_flow *flow, enum usher_word word, const char *text)
{
    char reason[USHER_REASON_MAX + 1], escaped[2 * USHER_REASON_MAX];
    text_escape(escaped, sizeof escaped, usher_reason_write(reason, sizeof reason, word, text));
    handed_tell(flow, -1, reason_errno(word, text), escaped);
}

void handed_tell_opened(struct handed_flow *flow, int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    handed_tell(flow, fd, 0, "");
}
