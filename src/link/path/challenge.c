// SPDX-License-Identifier: GPL-2.0-or-later
// A field may hold several challenges, and commas part both them and their parameters: a word with an equals sign behind
// it is a parameter, any other a scheme (RFC 9110 section 11.6.1). What is no word is passed over.
#include "link/path/challenge.h"

#include "base/cursor.h"
#include "base/host_name.h"
#include "base/text.h"
#include "link/tls/sha256.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 512, // bytes of a realm or a nonce: those in use stay below a hundred
    HEX_SIZE = 2 * SHA256_SIZE + 1,
};

static const char FIELD[] = "Proxy-Authenticate";

// Fields of the head

// The value of the field `name` at or behind `at`, up to the end of its line; NULL: there is none.
static const char *find_field(const char *at, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    while ((at = strchr(at, '\n'))) {
        at++;
        if (strncasecmp(at, name, name_len) || at[name_len] != ':')
            continue;
        at += name_len + 1;
        at += strspn(at, " \t");
        *len = strcspn(at, "\r\n");
        while (*len > 0 && strchr(" \t", at[*len - 1]))
            --*len;
        return at;
    }
    return NULL;
}

char *head_field(const char *head, const char *name)
{
    size_t len;
    const char *at = find_field(head, name, &len);
    return at ? strndup(at, len) : NULL;
}

static bool has_word(const char *head, const char *name, const char *word)
{
    char *field = head_field(head, name);
    bool has = field && strcasestr(field, word);
    free(field);
    return has;
}

bool head_keeps(const char *head, bool http_1_1)
{
    if (has_word(head, "Transfer-Encoding", "") || has_word(head, "Connection", "close") ||
        has_word(head, "Proxy-Connection", "close"))
        return false;
    return http_1_1 || has_word(head, "Connection", "keep-alive") || has_word(head, "Proxy-Connection", "keep-alive");
}

// Challenges

static bool equals(struct challenge_text text, const char *word)
{
    return text.len == strlen(word) && !strncasecmp(text.at, word, text.len);
}

static bool is_token(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static struct challenge_text take_token(const char **at, const char *end)
{
    struct challenge_text token = {.at = *at};
    while (*at < end && is_token(**at))
        ++*at;
    token.len = (size_t)(*at - token.at);
    return token;
}

// Without its quotes, and with its backslashes.
static struct challenge_text take_quoted(const char **at, const char *end)
{
    struct challenge_text text = {.at = ++*at};
    while (*at < end && **at != '"')
        *at += **at == '\\' && *at + 1 < end ? 2 : 1;
    text.len = (size_t)(*at - text.at);
    *at += *at < end;
    return text;
}

static void skip_blanks(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t'))
        ++*at;
}

// One challenge as it is read.
struct offer {
    struct challenge challenge;
    struct challenge_text scheme, algorithm;
    bool auth; // a qop of ours
};

static bool has_auth(struct challenge_text list)
{
    const char *at = list.at, *end = list.at + list.len;
    while (at < end) {
        struct challenge_text word = take_token(&at, end);
        if (equals(word, "auth"))
            return true;
        at += word.len == 0;
    }
    return false;
}

static void note_parameter(struct offer *offer, struct challenge_text name, struct challenge_text value)
{
    if (equals(name, "realm"))
        offer->challenge.realm = value;
    else if (equals(name, "nonce"))
        offer->challenge.nonce = value;
    else if (equals(name, "opaque"))
        offer->challenge.opaque = value;
    else if (equals(name, "algorithm"))
        offer->algorithm = value;
    else if (equals(name, "stale"))
        offer->challenge.stale = equals(value, "true");
    else if (equals(name, "qop"))
        offer->auth = has_auth(value);
}

static void show(const struct offer *offer, char *offered)
{
    char plain[64], shown[64];
    bool digest = equals(offer->scheme, "Digest");
    const char *algorithm = offer->algorithm.len ? offer->algorithm.at : "MD5"; // RFC 7616: what no word means
    int algorithm_len = offer->algorithm.len ? (int)offer->algorithm.len : 3;
    if (digest && equals(offer->algorithm, "SHA-256"))
        snprintf(plain, sizeof plain, "Digest without qop=auth");
    else if (digest)
        snprintf(plain, sizeof plain, "Digest with %.*s", algorithm_len, algorithm);
    else
        snprintf(plain, sizeof plain, "%.*s", (int)offer->scheme.len, offer->scheme.at);
    size_t used = strlen(offered);
    snprintf(offered + used, CHALLENGE_OFFERED_SIZE - used, "%s%s", used ? ", " : "",
             text_escape(shown, sizeof shown, plain));
}

// An offer is complete.
static void consider(struct challenge *best, struct offer *offer, char *offered)
{
    if (offer->scheme.len == 0)
        return;
    show(offer, offered);
    if (equals(offer->scheme, "Basic"))
        offer->challenge.way = CHALLENGE_BASIC;
    else if (equals(offer->scheme, "Digest") && equals(offer->algorithm, "SHA-256") && offer->auth)
        offer->challenge.way = CHALLENGE_DIGEST;
    if (offer->challenge.way > best->way)
        *best = offer->challenge;
}

static void read_field(struct challenge *best, const char *at, const char *end, char *offered)
{
    struct offer offer = {.auth = false};
    while (at < end) {
        struct challenge_text word = take_token(&at, end), value;
        skip_blanks(&at, end);
        if (word.len == 0) {
            at += at < end && !is_token(*at);
        } else if (at < end && *at == '=') {
            at++;
            skip_blanks(&at, end);
            value = at < end && *at == '"' ? take_quoted(&at, end) : take_token(&at, end);
            note_parameter(&offer, word, value);
        } else {
            consider(best, &offer, offered);
            offer = (struct offer){.scheme = word};
        }
    }
    consider(best, &offer, offered);
}

void challenge_choose(struct challenge *out, const char *head, char offered[CHALLENGE_OFFERED_SIZE])
{
    size_t len;
    *out = (struct challenge){.way = CHALLENGE_NONE};
    *offered = '\0';
    for (const char *at = head; (at = find_field(at, FIELD, &len)); at += len)
        read_field(out, at, at + len, offered);
    if (!*offered)
        strcpy(offered, "none at all");
}

// Answers

static void put(struct writer *w, const char *text)
{
    writer_bytes(w, text, strlen(text));
}

static void put_raw(struct writer *w, struct challenge_text text)
{
    writer_bytes(w, text.at, text.len);
}

static void put_quoted(struct writer *w, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            writer_u8(w, '\\');
        writer_u8(w, (uint8_t)*text);
    }
}

static void put_unquoted(struct writer *w, struct challenge_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        i += text.at[i] == '\\' && i + 1 < text.len;
        writer_u8(w, (uint8_t)text.at[i]);
    }
}

static void hash(char hex[HEX_SIZE], const struct writer *text, const uint8_t *room)
{
    uint8_t digest[SHA256_SIZE];
    tls_sha256(digest, room, (size_t)(text->at - room));
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

// RFC 7616 section 3.4.1; `uri` is what CONNECT names.
static void respond(char hex[HEX_SIZE], const struct challenge *challenge, const struct proxy_talk *talk,
                    const char *uri)
{
    char who[HEX_SIZE], what[HEX_SIZE];
    uint8_t room[2 * PROXY_SECRET_MAX + 2 * TEXT_MAX];
    struct writer w = writer_over(room, sizeof room);
    put(&w, talk->proxy->user);
    put(&w, ":");
    put_unquoted(&w, challenge->realm);
    put(&w, ":");
    put(&w, talk->proxy->password ? talk->proxy->password : "");
    hash(who, &w, room);
    w = writer_over(room, sizeof room);
    put(&w, "CONNECT:");
    put(&w, uri);
    hash(what, &w, room);
    w = writer_over(room, sizeof room);
    put(&w, who);
    put(&w, ":");
    put_unquoted(&w, challenge->nonce);
    put(&w, ":00000001:");
    put(&w, talk->cnonce);
    put(&w, ":auth:");
    put(&w, what);
    hash(hex, &w, room);
    explicit_bzero(room, sizeof room);
}

static void put_digest(struct writer *w, const struct challenge *challenge, const struct proxy_talk *talk)
{
    char uri[HOST_PORT_TEXT_SIZE], response[HEX_SIZE];
    host_port_text(uri, sizeof uri, talk->host, talk->port);
    respond(response, challenge, talk, uri);
    put(w, "Digest username=\"");
    put_quoted(w, talk->proxy->user);
    put(w, "\", realm=\"");
    put_raw(w, challenge->realm);
    put(w, "\", nonce=\"");
    put_raw(w, challenge->nonce);
    put(w, "\", uri=\"");
    put(w, uri);
    put(w, "\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"");
    put(w, talk->cnonce);
    put(w, "\", response=\"");
    put(w, response);
    if (challenge->opaque.at) {
        put(w, "\", opaque=\"");
        put_raw(w, challenge->opaque);
    }
    put(w, "\"");
}

static void put_base64(struct writer *w, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        uint32_t value = (uint32_t)bytes[i] << 16;
        value |= have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        value |= have > 2 ? bytes[i + 2] : 0;
        for (size_t k = 0; k < 4; k++)
            writer_u8(w, k <= have ? (uint8_t)digits[value >> (18 - 6 * k) & 63] : '=');
    }
}

static void put_basic(struct writer *w, const struct proxy *proxy)
{
    uint8_t room[2 * PROXY_SECRET_MAX + 1];
    struct writer both = writer_over(room, sizeof room);
    put(&both, proxy->user);
    put(&both, ":");
    put(&both, proxy->password ? proxy->password : "");
    put(w, "Basic ");
    put_base64(w, room, (size_t)(both.at - room));
    explicit_bzero(room, sizeof room);
}

bool challenge_answer(const struct challenge *challenge, struct proxy_talk *talk)
{
    struct writer w = writer_over(talk->answer, sizeof talk->answer);
    if (challenge->realm.len > TEXT_MAX || challenge->nonce.len > TEXT_MAX || challenge->opaque.len > TEXT_MAX)
        return false;
    put(&w, "Proxy-Authorization: ");
    if (challenge->way == CHALLENGE_DIGEST)
        put_digest(&w, challenge, talk);
    else
        put_basic(&w, talk->proxy);
    writer_text(&w, "\r\n");
    return !w.failed;
}
