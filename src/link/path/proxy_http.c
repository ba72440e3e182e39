// SPDX-License-Identifier: GPL-2.0-or-later
// The head of an answer is taken in by as few bytes at a time as its end may still have: one after a line's end, else two.
// Credentials are given only when asked for, and the better way of those that are offered.
#include "link/path/proxy_http.h"

#include "base/cursor.h"
#include "base/host_name.h"
#include "base/text.h"
#include "link/path/challenge.h"

#include <stdlib.h>
#include <string.h>

enum stage { HEAD, BODY };

static void put(struct writer *w, const char *text)
{
    writer_bytes(w, text, strlen(text));
}

static void ask(struct proxy_talk *talk)
{
    char gate[HOST_PORT_TEXT_SIZE];
    struct writer w = writer_over(talk->out, sizeof talk->out);
    host_port_text(gate, sizeof gate, talk->host, talk->port);
    put(&w, "CONNECT ");
    put(&w, gate);
    put(&w, " HTTP/1.1\r\nHost: ");
    put(&w, gate);
    put(&w, "\r\n");
    put(&w, talk->answer);
    put(&w, "\r\n");
    talk->stage = HEAD;
    talk->in_len = 0;
    talk->want = 2;
    talk->out_len = (size_t)(w.at - talk->out);
    if (w.failed)
        proxy_fail(talk, PROXY_FAILED, "sent a challenge that is too long");
}

// The answer to a challenge must be asked for again, here or on a connection of its own.
static void ask_again(struct proxy_talk *talk, const char *head, bool http_1_1)
{
    char *length = head_field(head, "Content-Length"), *end = NULL;
    size_t skip = length ? strtoul(length, &end, 10) : 0;
    bool keeps = length && end != length && !*end && skip <= PROXY_BODY_MAX && head_keeps(head, http_1_1);
    free(length);
    if (!keeps) {
        talk->verdict = PROXY_ANEW;
        talk->want = 0;
        return;
    }
    talk->stage = BODY;
    talk->in_len = 0;
    talk->skip = skip;
    talk->want = skip < sizeof talk->in ? skip : sizeof talk->in;
    if (skip == 0)
        ask(talk);
}

static void take_challenge(struct proxy_talk *talk, const char *head, bool http_1_1)
{
    struct challenge challenge;
    char offered[CHALLENGE_OFFERED_SIZE];
    challenge_choose(&challenge, head, offered);
    if (!talk->proxy->user)
        proxy_fail(talk, PROXY_REFUSED, "asks for a password: Proxy needs a user, and ProxyPasswordFile");
    else if (*talk->answer && challenge.stale)
        proxy_fail(talk, PROXY_FAILED, "wants the password once more: its challenge ran out meanwhile");
    else if (*talk->answer)
        proxy_fail(talk, PROXY_REFUSED, "refused the user and the password");
    else if (challenge.way == CHALLENGE_NONE)
        proxy_fail(talk, PROXY_REFUSED,
                   "offers no way to log in that is known here (Digest with SHA-256, or Basic), but %s", offered);
    else if (!challenge_answer(&challenge, talk))
        proxy_fail(talk, PROXY_FAILED, "sent a challenge that is too long");
    else
        ask_again(talk, head, http_1_1);
}

static void take_head(struct proxy_talk *talk)
{
    char shown[128], *head = (char *)talk->in;
    talk->in[talk->in_len] = '\0';
    bool has_status = strlen(head) == talk->in_len && strspn(head + 9, "0123456789") == 3 && head[8] == ' ' &&
                      strchr(" \r\n", head[12]);
    int status = has_status ? atoi(head + 9) : 0;
    bool http_1_1 = head[7] != '0';
    if (status == 407) {
        take_challenge(talk, head, http_1_1);
    } else if (status / 100 == 2) {
        talk->verdict = PROXY_LEADS;
    } else if (status / 100 == 1) { // word that it is busy with it
        talk->in_len = 0;
        talk->want = 2;
    } else {
        head[strcspn(head, "\r\n")] = '\0';
        if (has_status)
            proxy_fail(talk, PROXY_FAILED, "answered \"%s\"", text_escape(shown, sizeof shown, head + 9));
        else
            proxy_fail(talk, PROXY_FAILED, "sent what is no answer of HTTP: \"%s\"",
                       text_escape(shown, sizeof shown, head));
    }
}

static bool ends(const struct proxy_talk *talk, const char *with)
{
    size_t len = strlen(with);
    return talk->in_len >= len && !memcmp(talk->in + talk->in_len - len, with, len);
}

static bool is_http(const struct proxy_talk *talk)
{
    static const char version[] = "HTTP/1.";
    size_t len = talk->in_len < sizeof version - 1 ? talk->in_len : sizeof version - 1;
    return !memcmp(talk->in, version, len);
}

static void not_http(struct proxy_talk *talk)
{
    char shown[PROXY_SHOWN_SIZE];
    if (talk->in_len > 5 && !memcmp(talk->in, "HTTP/", 5))
        proxy_fail(talk, PROXY_FAILED, "speaks another version of HTTP: \"%s\"", proxy_shown(talk, shown));
    else
        proxy_fail(talk, PROXY_FAILED, "does not speak HTTP: it said \"%s\"", proxy_shown(talk, shown));
}

void proxy_http_begin(struct proxy_talk *talk)
{
    talk->verdict = PROXY_TALKS;
    ask(talk);
}

void proxy_http_take(struct proxy_talk *talk)
{
    if (talk->stage == BODY) {
        talk->skip -= talk->in_len;
        talk->in_len = 0;
        talk->want = talk->skip < sizeof talk->in ? talk->skip : sizeof talk->in;
        if (talk->skip == 0)
            ask(talk);
    } else if (!is_http(talk)) {
        not_http(talk);
    } else if (ends(talk, "\n\n") || ends(talk, "\n\r\n")) {
        take_head(talk);
    } else if (talk->in_len + 2 >= sizeof talk->in) { // with room for the NUL
        proxy_fail(talk, PROXY_FAILED, "sent a head of more than %zu bytes", sizeof talk->in);
    } else if (talk->want == 0) {
        talk->want = ends(talk, "\n") || ends(talk, "\n\r") ? 1 : 2;
    }
}
