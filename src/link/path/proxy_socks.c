// SPDX-License-Identifier: GPL-2.0-or-later
// Each answer is judged from its first byte on: a server of another kind is known by it, and may never send the rest.
#include "link/path/proxy_socks.h"

#include "base/address.h"
#include "base/cursor.h"

#include <string.h>

enum {
    VERSION_4 = 4,
    VERSION_5 = 5,
    PASSWORD_VERSION = 1, // RFC 1929
    CONNECT = 1,
    METHOD_NONE = 0,
    METHOD_PASSWORD = 2,
    METHOD_REFUSED = 0xff,
    TYPE_V4 = 1,
    TYPE_NAME = 3,
    TYPE_V6 = 4,
    GRANTED_4 = 0x5a,
    REPLY_4_SIZE = 8,
};

// What the next bytes of the answer are.
enum stage { REPLY_4, METHOD, PASSWORD_STATUS, REPLY_HEAD, REPLY_TYPE, REPLY_REST };

static void expect(struct proxy_talk *talk, enum stage stage, size_t len)
{
    talk->stage = stage;
    talk->in_len = 0;
    talk->want = len;
}

static void put(struct proxy_talk *talk, const struct writer *w)
{
    talk->out_len = (size_t)(w->at - talk->out);
    if (w->failed) // no configuration is so long
        proxy_fail(talk, PROXY_REFUSED, "cannot be asked: user, password or gate are too long");
}

static void put_text(struct writer *w, const char *text)
{
    writer_u8(w, (uint8_t)strlen(text));
    writer_bytes(w, text, strlen(text));
}

static struct writer out(struct proxy_talk *talk)
{
    return writer_over(talk->out, sizeof talk->out);
}

// An address that is 0.0.0.x, x not 0, says that a name follows (SOCKS 4a).
static void ask_4(struct proxy_talk *talk)
{
    static const uint8_t name_follows[4] = {0, 0, 0, 1};
    struct address addr;
    bool is_address = address_parse(&addr, talk->host) && addr.version == 4;
    struct writer w = out(talk);
    writer_u8(&w, VERSION_4);
    writer_u8(&w, CONNECT);
    writer_u16(&w, talk->port);
    writer_bytes(&w, is_address ? addr.bytes : name_follows, 4);
    writer_text(&w, talk->proxy->user ? talk->proxy->user : "");
    if (!is_address)
        writer_text(&w, talk->host);
    expect(talk, REPLY_4, REPLY_4_SIZE);
    put(talk, &w);
}

static void greet_5(struct proxy_talk *talk)
{
    struct writer w = out(talk);
    writer_u8(&w, VERSION_5);
    writer_u8(&w, talk->proxy->user ? 2 : 1);
    writer_u8(&w, METHOD_NONE);
    if (talk->proxy->user)
        writer_u8(&w, METHOD_PASSWORD);
    expect(talk, METHOD, 2);
    put(talk, &w);
}

static void log_in(struct proxy_talk *talk)
{
    struct writer w = out(talk);
    writer_u8(&w, PASSWORD_VERSION);
    put_text(&w, talk->proxy->user);
    put_text(&w, talk->proxy->password ? talk->proxy->password : "");
    expect(talk, PASSWORD_STATUS, 2);
    put(talk, &w);
}

static void ask_5(struct proxy_talk *talk)
{
    struct address addr;
    struct writer w = out(talk);
    writer_u8(&w, VERSION_5);
    writer_u8(&w, CONNECT);
    writer_u8(&w, 0);
    if (address_parse(&addr, talk->host)) {
        writer_u8(&w, addr.version == 4 ? TYPE_V4 : TYPE_V6);
        writer_bytes(&w, addr.bytes, addr.version == 4 ? 4 : 16);
    } else {
        writer_u8(&w, TYPE_NAME);
        put_text(&w, talk->host);
    }
    writer_u16(&w, talk->port);
    expect(talk, REPLY_HEAD, 2);
    put(talk, &w);
}

static void is_no_socks(struct proxy_talk *talk, int version)
{
    char shown[PROXY_SHOWN_SIZE];
    uint8_t first = talk->in[0];
    if (first == VERSION_4 || first == VERSION_5)
        proxy_fail(talk, PROXY_FAILED, "speaks SOCKS %u, not SOCKS %d", first, version);
    else if (first == 0 && version == VERSION_5) // the version of SOCKS 4 replies
        proxy_fail(talk, PROXY_FAILED, "speaks SOCKS 4, not SOCKS 5");
    else if (first == 'H')
        proxy_fail(talk, PROXY_FAILED, "does not speak SOCKS %d: it answers as an HTTP server does", version);
    else
        proxy_fail(talk, PROXY_FAILED, "does not speak SOCKS %d: it said \"%s\"", version, proxy_shown(talk, shown));
}

static void take_reply_4(struct proxy_talk *talk)
{
    if (talk->in[0]) {
        is_no_socks(talk, VERSION_4);
        return;
    }
    if (talk->in_len >= 2 && talk->in[1] != GRANTED_4) {
        switch (talk->in[1]) {
        case 0x5b:
            proxy_fail(talk, PROXY_FAILED, "refused to connect to the gate, or could not");
            break;
        case 0x5c:
            proxy_fail(talk, PROXY_REFUSED, "wants an identd on this machine, and reached none");
            break;
        case 0x5d:
            proxy_fail(talk, PROXY_REFUSED, "refused the user: this machine's identd names another");
            break;
        default:
            proxy_fail(talk, PROXY_FAILED, "answered with the unknown code %u", talk->in[1]);
            break;
        }
        return;
    }
    if (talk->want == 0)
        talk->verdict = PROXY_LEADS;
}

static void take_method(struct proxy_talk *talk)
{
    uint8_t method = talk->in[1];
    if (method == METHOD_NONE)
        ask_5(talk);
    else if (method == METHOD_PASSWORD && talk->proxy->user)
        log_in(talk);
    else if (method == METHOD_REFUSED && talk->proxy->user)
        proxy_fail(talk, PROXY_REFUSED, "takes neither a password nor nobody's word: it wants a method we do not have");
    else if (method == METHOD_REFUSED)
        proxy_fail(talk, PROXY_REFUSED, "asks for a password: Proxy needs a user, and ProxyPasswordFile");
    else
        proxy_fail(talk, PROXY_FAILED, "chose a way to log in that was not offered (%u)", method);
}

static void take_password_status(struct proxy_talk *talk)
{
    if (talk->in[0] != PASSWORD_VERSION)
        proxy_fail(talk, PROXY_FAILED, "speaks another version of logging in (%u)", talk->in[0]);
    else if (talk->in_len < 2)
        return;
    else if (talk->in[1])
        proxy_fail(talk, PROXY_REFUSED, "refused the user and the password");
    else
        ask_5(talk);
}

// RFC 1928 section 6.
static void take_refusal_5(struct proxy_talk *talk)
{
    static const char *const texts[] = {
        [1] = "could not connect to the gate (general failure)",
        [2] = "does not allow a connection to the gate",
        [3] = "has no way to the gate's network",
        [4] = "cannot reach the gate's host, or does not find its name",
        [5] = "was refused by the gate's host: nothing listens there",
        [6] = "got no answer from the gate",
        [7] = "does not make connections",
        [8] = "does not take this kind of address",
    };
    uint8_t code = talk->in[1];
    if (code < sizeof texts / sizeof texts[0])
        proxy_fail(talk, PROXY_FAILED, "%s", texts[code]);
    else
        proxy_fail(talk, PROXY_FAILED, "answered with the unknown code %u", code);
}

static void take_reply_type(struct proxy_talk *talk)
{
    uint8_t type = talk->in[1];
    size_t rest = type == TYPE_V4 ? 4 : type == TYPE_V6 ? 16 : talk->in[2];
    if (type != TYPE_V4 && type != TYPE_V6 && type != TYPE_NAME)
        proxy_fail(talk, PROXY_FAILED, "answered with an unknown kind of address (%u)", type);
    else // of an address one byte has come, of a name its length; a port follows
        expect(talk, REPLY_REST, rest + 2 - (type != TYPE_NAME));
}

static void take_5(struct proxy_talk *talk)
{
    if ((talk->stage == METHOD || talk->stage == REPLY_HEAD) && talk->in[0] != VERSION_5) {
        is_no_socks(talk, VERSION_5);
        return;
    }
    if (talk->stage == PASSWORD_STATUS) {
        take_password_status(talk);
        return;
    }
    if (talk->want > 0)
        return;
    if (talk->stage == METHOD)
        take_method(talk);
    else if (talk->stage == REPLY_HEAD && talk->in[1])
        take_refusal_5(talk);
    else if (talk->stage == REPLY_HEAD)
        expect(talk, REPLY_TYPE, 3); // reserved, type and the first byte that has to do with it
    else if (talk->stage == REPLY_TYPE)
        take_reply_type(talk);
    else
        talk->verdict = PROXY_LEADS;
}

void proxy_socks_begin(struct proxy_talk *talk)
{
    talk->verdict = PROXY_TALKS;
    if (talk->proxy->kind == PROXY_SOCKS4A)
        ask_4(talk);
    else
        greet_5(talk);
}

void proxy_socks_take(struct proxy_talk *talk)
{
    if (talk->stage == REPLY_4)
        take_reply_4(talk);
    else
        take_5(talk);
}
