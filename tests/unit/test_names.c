// SPDX-License-Identifier: GPL-2.0-or-later
// The resolver between applications, which speak to it through an inner tunnel, and servers on loopback, behind a gate or
// near.
#include "dial_rig.h"

#include "edge/names/framed.h"
#include "edge/names/names.h"
#include "edge/names/source.h"
#include "exchange/inner.h"
#include "packet/dns.h"

enum { HOLD_MS = 100, TRY_MS = 2000, FAR = 2, KEPT = 64 };

// An application, by either protocol; it keeps the answers.
struct asker {
    struct usher_session *session; // NULL: over
    bool opened, finished;
    enum usher_word word;
    const uint8_t *out; // of TCP: what is to be said
    size_t left;
    bool then_finish;
    struct names_framed framed;
    struct answer {
        uint16_t id, flags;
        size_t len;
        uint8_t last; // byte
    } answers[KEPT];
    unsigned count;
};

static struct rig *rig;
static struct exchange *exchange;
static struct inner *inner;
static struct names *names;
static int far[FAR], near;
static struct endpoint servers[FAR], rest[2];
static const struct endpoint resolver = {{4, {198, 18, 0, 1}}, 53};
static const struct names_domain domains[] = {{.name = "corp.example"}, {.name = "10.in-addr.arpa"}};
static struct asker asker;

static uint64_t counted(const char *name);

// The source knows mapped.example; it answers when it is told to.

static struct names_question *asked;
static unsigned forgotten;

static bool owns(const struct names_source *source, const struct dns_question *question, const char *name)
{
    (void)source;
    (void)question;
    return !strcmp(name, "mapped.example") || !strcmp(name, "at.once.example");
}

static void answer_mapped(struct names_question *pending)
{
    static const struct address addr = {4, {198, 18, 0, 77}};
    names_answer(pending, &(struct dns_answer){.addrs = &addr, .count = 1, .ttl = 1});
}

static void ask_source(struct names_source *source, struct names_question *pending, const struct dns_question *question,
                       const char *name)
{
    (void)source;
    (void)question;
    asked = pending;
    if (strcmp(name, "mapped.example"))
        answer_mapped(pending);
}

static void forget(struct names_source *source, struct names_question *pending)
{
    (void)source;
    forgotten += pending == asked;
}

static const struct names_source_ops source_ops = {.owns = owns, .ask = ask_source, .forget = forget};
static struct names_source source = {.ops = &source_ops};

static int setup_with(size_t server_count)
{
    static const struct dial_config plain;
    rig = rig_new("127.0.0.0/8", plain);
    exchange = rig_add_entrances(rig, HOLD_MS);
    for (int i = 0; i < FAR; i++)
        far[i] = serve(i ? "127.0.0.3" : "127.0.0.2", SOCK_DGRAM, &servers[i]);
    near = serve("127.0.0.4", SOCK_DGRAM, &rest[0]);
    const struct names_config config = {
        .loop = &rig->loop,
        .poller = rig->poller,
        .addresses = &resolver,
        .address_count = 1,
        .domains = domains,
        .domain_count = COUNT(domains),
        .servers = servers,
        .server_count = server_count,
        .source = &source,
    };
    names = names_new(&config);
    rest[1] = resolver; // left out
    names_set_rest(names, rest, 2);
    exchange_add(exchange, names_edge(names));
    inner = inner_new(names_edge(names), rig_wake, rig);
    asker = (struct asker){0};
    asked = NULL;
    forgotten = 0;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(FAR);
}

static int setup_without_far(void **state)
{
    (void)state;
    return setup_with(0);
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < FAR; i++)
        close(far[i]);
    close(near);
    inner_free(inner);
    names_framed_fini(&asker.framed);
    usher_engine_end(rig->portal, "test");
    rig_free(rig);
    return 0;
}

// In front of what is waited for.
static bool side(void)
{
    inner_turn(inner, clock_now());
    return true;
}

// Applications

static void opened(void *owner)
{
    ((struct asker *)owner)->opened = true;
}

static void keep(struct asker *who, const uint8_t *bytes, size_t len)
{
    assert_true(len >= DNS_HEADER_SIZE);
    who->answers[who->count++ % KEPT] = (struct answer){
        .id = dns_id(bytes), .flags = (uint16_t)(bytes[2] << 8 | bytes[3]), .len = len, .last = bytes[len - 1]};
}

static void got_datagram(void *owner, const struct usher_datagram *datagram)
{
    keep(owner, datagram->bytes, datagram->len);
}

static size_t fill(void *owner, uint8_t *room, size_t size)
{
    struct asker *who = owner;
    size_t len = who->left < size ? who->left : size;
    len = len > 3 ? 3 : len; // in pieces
    memcpy(room, who->out, len);
    who->out += len;
    who->left -= len;
    if (len == 0 && who->then_finish)
        usher_session_finish(who->session);
    return len;
}

static void got_data(void *owner, const struct slice *slice)
{
    struct asker *who = owner;
    for (uint32_t i = 0; i < slice->len; i++) {
        if (!names_framed_take(&who->framed, slice->bytes + i, 1))
            continue;
        keep(who, who->framed.answer, names_framed_len(&who->framed));
        names_framed_fini(&who->framed);
        who->framed = (struct names_framed){0};
    }
    usher_session_consumed(who->session, slice->len);
}

static void got_end(void *owner)
{
    struct asker *who = owner;
    who->finished = true;
    usher_session_finish(who->session);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct asker *who = owner;
    (void)ending;
    (void)text;
    who->session = NULL;
    who->word = word;
}

static const struct usher_session_ops asker_ops = {
    .opened = opened, .fill = fill, .data = got_data, .datagram = got_datagram, .finished = got_end, .ended = ended};

static void open_to(struct asker *who, uint16_t protocol, uint16_t port, bool by_name)
{
    const struct usher_open open = {.protocol = protocol, .addr = resolver.addr, .port = port, .by_name = by_name};
    who->session = usher_session_open(inner_engine(inner), &open, &asker_ops, who);
    assert_non_null(who->session);
}

// Writes a question; returns its length.
static size_t write_question(uint8_t *room, const char *name, uint16_t id)
{
    static const uint8_t head[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, tail[] = {0, 0, DNS_A, 0, DNS_IN};
    memcpy(room, head, sizeof head);
    dns_set_id(room, id);
    uint8_t *at = room + sizeof head;
    while (*name) {
        size_t len = strcspn(name, ".");
        *at++ = (uint8_t)len;
        memcpy(at, name, len);
        at += len;
        name += len + (name[len] == '.');
    }
    memcpy(at, tail, sizeof tail);
    return (size_t)(at + sizeof tail - room);
}

static void ask_bytes(struct asker *who, const uint8_t *bytes, size_t len)
{
    static const struct endpoint from = {{4, {10, 1, 0, 2}}, 4000};
    const struct usher_datagram datagram = {.from = from, .to = resolver, .bytes = bytes, .len = len};
    assert_true(usher_session_datagram(who->session, &datagram));
}

static void ask(struct asker *who, const char *name, uint16_t id)
{
    uint8_t room[512];
    if (!who->session) {
        open_to(who, USHER_UDP, 53, true);
        pump(rig, side() && who->opened);
    }
    ask_bytes(who, room, write_question(room, name, id));
}

static const struct answer *answered(struct asker *who, unsigned count)
{
    pump(rig, side() && who->count >= count);
    assert_int_equal(who->count, count);
    return &who->answers[(count - 1) % KEPT];
}

// As if so much time had passed, and not what begins to wait then.
static void later(uint64_t ms)
{
    settle(rig, 10);
    rig->skew_ms = ms - 5;
    side();
    turn(rig, UV_RUN_NOWAIT);
}

// Servers

struct heard {
    uint8_t bytes[4096];
    ssize_t len;
    struct sockaddr_storage from;
    socklen_t from_len;
};

static bool hear(int fd, struct heard *heard)
{
    heard->from_len = sizeof heard->from;
    heard->len = recvfrom(fd, heard->bytes, sizeof heard->bytes, 0, (struct sockaddr *)&heard->from, &heard->from_len);
    return heard->len >= 0;
}

static void say(int fd, const struct heard *to, const uint8_t *bytes, size_t len)
{
    assert_int_equal(sendto(fd, bytes, len, 0, (const struct sockaddr *)&to->from, to->from_len), (ssize_t)len);
}

// With so many bytes behind the question, which a client takes for records.
static void reply(int fd, struct heard *heard, enum dns_rcode rcode, size_t more)
{
    assert_true((size_t)heard->len + more <= sizeof heard->bytes);
    heard->bytes[2] |= 0x80;
    heard->bytes[3] = (uint8_t)(0x80 | rcode);
    memset(heard->bytes + heard->len, 0xaa, more);
    say(fd, heard, heard->bytes, (size_t)heard->len + more);
}

static void far_and_near(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool far;
    } cases[] = {
        {"corp.example", true},
        {"web.corp.example", true},
        {"WEB.Corp.Example", true},
        {"corp.example.net", false},
        {"2.0.0.10.in-addr.arpa", true},
        {"xcorp.example", false},
        {"example", false},
        {"", false},
    };
    struct heard heard;
    for (uint16_t i = 0; i < COUNT(cases); i++) {
        int fd = cases[i].far ? far[0] : near;
        ask(&asker, cases[i].name, i);
        pump(rig, side() && hear(fd, &heard));
        reply(fd, &heard, DNS_NOERROR, 4);
        const struct answer *answer = answered(&asker, i + 1u);
        CASE(cases[i].name, answer->id == i && answer->flags == 0x8180 && answer->last == 0xaa);
    }
    assert_int_equal(counted("questions_far"), 4);
    assert_int_equal(counted("questions_near"), 4);
    assert_int_equal(counted("questions_pending"), 0);
    assert_int_equal(usher_engine_counters(rig->portal)->sessions_opened, 1); // one association for all
}

// Everything but the answer itself.
static void forged_answers_count_for_nothing(void **state)
{
    (void)state;
    struct heard heard, other;
    ask(&asker, "web.corp.example", 7);
    pump(rig, side() && hear(far[0], &heard));
    assert_int_not_equal(heard.len, 0);
    other = heard;
    say(far[0], &other, other.bytes, 5);
    say(far[0], &other, other.bytes, (size_t)other.len); // a question
    other.bytes[0] ^= 0xff;
    reply(far[0], &other, DNS_NOERROR, 0); // another id
    other = heard;
    other.bytes[DNS_HEADER_SIZE + 1] = 'W' ^ 1;
    reply(far[0], &other, DNS_NOERROR, 0); // another name
    other = heard;
    reply(far[1], &other, DNS_NOERROR, 0); // another server
    settle(rig, 20);
    side();
    settle(rig, 20);
    assert_int_equal(asker.count, 0);
    reply(far[0], &heard, DNS_NXDOMAIN, 0);
    assert_int_equal(answered(&asker, 1)->flags, 0x8183);
}

static void the_next_server_is_asked(void **state)
{
    (void)state;
    struct heard heard;
    ask(&asker, "web.corp.example", 1);
    pump(rig, side() && hear(far[0], &heard));
    later(TRY_MS);
    pump(rig, side() && hear(far[1], &heard));
    reply(far[1], &heard, DNS_NOERROR, 0);
    answered(&asker, 1);
    ask(&asker, "web.corp.example", 2); // which is now the first
    pump(rig, side() && hear(far[1], &heard));
    reply(far[1], &heard, DNS_SERVFAIL, 0); // and cannot say
    pump(rig, side() && hear(far[0], &heard));
    reply(far[0], &heard, DNS_SERVFAIL, 0);
    assert_int_equal(answered(&asker, 2)->flags, 0x8182); // neither can: what was said last
    assert_int_equal(counted("questions_failed"), 0);
}

static void silence_is_a_failure(void **state)
{
    (void)state;
    struct heard heard;
    ask(&asker, "web.corp.example", 1);
    ask(&asker, "web.example", 2);
    int far_order[] = {far[0], far[1], far[0]};
    for (size_t i = 0; i < COUNT(far_order); i++) {
        assert_int_equal(asker.count, 0);
        pump(rig, side() && hear(far_order[i], &heard));
        pump(rig, side() && hear(near, &heard));
        later(TRY_MS);
    }
    answered(&asker, 2);
    assert_int_equal(asker.answers[0].flags, 0x8182);
    assert_int_equal(asker.answers[1].flags, 0x8182);
    assert_int_equal(counted("questions_failed"), 2);
    reply(near, &heard, DNS_NOERROR, 0); // too late
    settle(rig, 20);
    assert_int_equal(asker.count, 2);
}

static void what_is_refused_is_not_asked_again_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < FAR; i++)
        servers[i] = (struct endpoint){{4, {10, 9, 9, 9}}, (uint16_t)(53 + i)}; // no rule allows it
    for (uint16_t i = 0; i < 20; i++)
        ask(&asker, "web.corp.example", i);
    answered(&asker, 20);
    ask(&asker, "web.corp.example", 20);
    assert_int_equal(answered(&asker, 21)->flags, 0x8182);
    assert_int_equal(usher_engine_counters(rig->portal)->sessions_opened, FAR);
}

static void large_answers_are_cut(void **state)
{
    (void)state;
    struct heard heard;
    ask(&asker, "web.corp.example", 1);
    pump(rig, side() && hear(far[0], &heard));
    size_t fits = DNS_UDP_SIZE - (size_t)heard.len;
    reply(far[0], &heard, DNS_NOERROR, fits);
    assert_int_equal(answered(&asker, 1)->len, DNS_UDP_SIZE);
    ask(&asker, "web.corp.example", 2);
    pump(rig, side() && hear(far[0], &heard));
    size_t len = (size_t)heard.len;
    reply(far[0], &heard, DNS_NOERROR, fits + 1);
    const struct answer *answer = answered(&asker, 2);
    assert_int_equal(answer->flags, 0x8380); // truncated
    assert_int_equal(answer->len, len);
    assert_int_equal(answer->id, 2);
}

// A burst is not passed on as one: a server has room for so many.
static void bursts_go_as_answers_come(void **state)
{
    (void)state;
    enum { SENT = 128, MORE = 10 };
    struct heard heard;
    for (uint16_t i = 0; i < SENT + MORE; i++) {
        ask(&asker, "web.corp.example", i);
        side();
    }
    for (unsigned i = 0; i < SENT; i++)
        pump(rig, side() && hear(far[0], &heard));
    settle(rig, 20);
    assert_false(hear(far[0], &heard));
    for (unsigned i = 1; i <= MORE; i++) {
        struct heard last = heard;
        last.len = (ssize_t)write_question(last.bytes, "web.corp.example", dns_id(heard.bytes));
        reply(far[0], &last, DNS_NOERROR, 0);
        answered(&asker, i);
        pump(rig, side() && hear(far[0], &heard));
        assert_false(hear(far[0], &last));
    }
    assert_int_equal(counted("questions_pending"), SENT);
}

static void without_a_tunnel(void **state)
{
    (void)state;
    struct heard heard;
    exchange_detach(exchange);
    ask(&asker, "web.corp.example", 1);
    ask(&asker, "www.corp.example", 2);
    answered(&asker, 2); // none has come in time
    assert_int_equal(asker.answers[0].flags, 0x8182);
    ask(&asker, "web.corp.example", 3);
    side();
    turn(rig, UV_RUN_NOWAIT);
    exchange_attach(exchange, rig->portal);
    pump(rig, side() && hear(far[0], &heard));
    reply(far[0], &heard, DNS_NOERROR, 0);
    assert_int_equal(answered(&asker, 3)->flags, 0x8180);
}

static void an_association_is_closed_when_it_is_idle(void **state)
{
    (void)state;
    struct heard heard;
    for (uint16_t i = 1; i <= 2; i++) {
        ask(&asker, "web.corp.example", i);
        pump(rig, side() && hear(far[0], &heard));
        assert_int_equal(usher_engine_sessions(rig->portal), 1);
        reply(far[0], &heard, DNS_NOERROR, 0);
        answered(&asker, i);
        later(5000);
        pump(rig, side() && usher_engine_sessions(rig->portal) == 0);
        assert_int_equal(exchange_flows(exchange), 0);
    }
    assert_int_equal(usher_engine_counters(rig->portal)->sessions_opened, 2);
}

static void what_is_no_question(void **state)
{
    (void)state;
    uint8_t room[4097] = {0};
    size_t len = write_question(room, "web.corp.example", 1);
    open_to(&asker, USHER_UDP, 53, false);
    pump(rig, side() && asker.opened);
    ask_bytes(&asker, room, 3);
    room[2] |= 0x80; // an answer
    ask_bytes(&asker, room, len);
    room[2] = 1;
    ask_bytes(&asker, room, len - 1);
    assert_int_equal(answered(&asker, 1)->flags, 0x8181);
    room[2] = 0x28; // an update
    ask_bytes(&asker, room, len);
    assert_int_equal(answered(&asker, 2)->flags, 0xa884);
    room[2] = 1;
    ask_bytes(&asker, room, sizeof room); // with too much behind it
    assert_int_equal(answered(&asker, 3)->flags, 0x8181);
    room[len - 3] = DNS_AXFR;
    ask_bytes(&asker, room, len);
    assert_int_equal(answered(&asker, 4)->flags, 0x8185);
    assert_int_equal(counted("questions_malformed"), 5);
    // By address, what is sent elsewhere is nothing to us.
    const struct usher_datagram elsewhere = {.to = {{4, {10, 0, 0, 1}}, 53}, .bytes = room, .len = len};
    assert_true(usher_session_datagram(asker.session, &elsewhere));
    settle(rig, 10);
    side();
    assert_int_equal(counted("questions"), 4);
}

static void without_a_server_of_its_own(void **state)
{
    (void)state;
    names_set_rest(names, NULL, 0);
    ask(&asker, "web.example", 1);
    assert_int_equal(answered(&asker, 1)->flags, 0x8185);
}

// A name behind the tunnel is not told to a server on this side.
static void without_a_server_behind_the_tunnel(void **state)
{
    (void)state;
    struct heard heard;
    ask(&asker, "web.corp.example", 1);
    assert_int_equal(answered(&asker, 1)->flags, 0x8185);
    assert_false(hear(near, &heard));
}

static void a_source_answers(void **state)
{
    (void)state;
    ask(&asker, "at.once.example", 1);
    assert_int_equal(answered(&asker, 1)->last, 77);
    asked = NULL;
    ask(&asker, "Mapped.Example", 2);
    pump(rig, side() && asked);
    later(TRY_MS);
    assert_int_equal(asker.count, 1);
    answer_mapped(asked);
    assert_int_equal(answered(&asker, 2)->last, 77);
    asked = NULL;
    ask(&asker, "mapped.example", 3);
    pump(rig, side() && asked);
    assert_int_equal(forgotten, 0);
    usher_session_reset(asker.session, USHER_FAILED, "enough");
    asker.session = NULL;
    pump(rig, side() && forgotten == 1);
}

// The oldest gives way, and is told.
static void questions_are_bounded(void **state)
{
    (void)state;
    unsigned count = NAMES_PENDING_MAX + 2;
    for (unsigned i = 0; i < count; i++) {
        ask(&asker, "mapped.example", (uint16_t)i);
        side();
    }
    answered(&asker, 2);
    assert_int_equal(counted("questions_pending"), NAMES_PENDING_MAX);
    assert_int_equal(counted("questions_displaced"), 2);
    assert_int_equal(asker.answers[0].id, 0);
    assert_int_equal(asker.answers[0].flags, 0x8182);
    assert_int_equal(forgotten, 0); // those that were are not the last
}

static void sockets_are_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NAMES_NEAR_MAX + 3; i++) {
        ask(&asker, "web.example", (uint16_t)i);
        side();
    }
    answered(&asker, 3);
    assert_int_equal(asker.answers[2].id, 2);
    assert_int_equal(counted("questions_pending"), NAMES_NEAR_MAX);
}

// TCP

static size_t frame(uint8_t *room, const char *name, uint16_t id)
{
    size_t len = write_question(room + 2, name, id);
    room[0] = (uint8_t)(len >> 8);
    room[1] = (uint8_t)len;
    return len + 2;
}

static void say_all(struct asker *who, const uint8_t *bytes, size_t len, bool then_finish)
{
    open_to(who, USHER_TCP, 53, true);
    pump(rig, side() && who->opened);
    who->out = bytes;
    who->left = len;
    who->then_finish = then_finish;
    usher_session_ready(who->session);
}

static void connections_have_many_questions(void **state)
{
    (void)state;
    static uint8_t room[200 * 64];
    size_t len = 0;
    for (uint16_t i = 0; i < 200; i++) // more than may be under way
        len += frame(room + len, "at.once.example", i);
    say_all(&asker, room, len, true);
    pump(rig, side() && !asker.session);
    assert_int_equal(asker.count, 200);
    assert_true(asker.finished);
    assert_int_equal(asker.answers[199 % KEPT].id, 199);
}

// A server of the same port as the UDP one, for one connection.
static int accept_from(int listener)
{
    int fd = -1;
    pump(rig, side() && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    return fd;
}

static int listen_beside(const struct endpoint *at)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(at, &sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static bool read_whole(int fd, struct heard *heard)
{
    ssize_t got = recv(fd, heard->bytes, sizeof heard->bytes, MSG_PEEK);
    if (got < 2 || got < 2 + (heard->bytes[0] << 8 | heard->bytes[1]))
        return false;
    heard->len = recv(fd, heard->bytes, sizeof heard->bytes, 0);
    return true;
}

static void questions_by_tcp_go_by_tcp(void **state)
{
    (void)state;
    const struct {
        const char *name;
        const struct endpoint *server;
    } cases[] = {{"web.corp.example", &servers[0]}, {"web.example", &rest[0]}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int listener = listen_beside(cases[i].server);
        uint8_t room[128];
        struct heard heard;
        asker = (struct asker){0};
        say_all(&asker, room, frame(room, cases[i].name, 9), false);
        int fd = accept_from(listener);
        close(fd); // without an answer: asked once more, of the next, then of the first again
        if (cases[i].server == &servers[0])
            settle(rig, 1);
        fd = accept_from(listener);
        pump(rig, side() && read_whole(fd, &heard));
        heard.bytes[4] |= 0x80;
        heard.bytes[5] |= 0x80;
        for (ssize_t at = 0; at < heard.len; at++) {
            assert_int_equal(send(fd, heard.bytes + at, 1, 0), 1);
            side();
            turn(rig, UV_RUN_NOWAIT);
        }
        const struct answer *answer = answered(&asker, 1);
        assert_int_equal(answer->id, 9);
        assert_int_equal(answer->flags, 0x8180);
        char byte;
        pump(rig, side() && recv(fd, &byte, 1, 0) == 0); // closed in order
        close(fd);
        close(listener);
        usher_session_reset(asker.session, USHER_FAILED, "enough");
        pump(rig, side() && exchange_flows(exchange) == 0);
    }
    asker.session = NULL;
}

static void connections_that_say_nonsense_are_reset(void **state)
{
    (void)state;
    static const uint8_t long_one[] = {0x10, 0x01}, answer[] = {0, 12, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const struct {
        const uint8_t *bytes;
        size_t len;
    } cases[] = {{long_one, sizeof long_one}, {answer, sizeof answer}, {(const uint8_t *)"\0\0", 2}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        asker = (struct asker){.word = USHER_WORDS};
        say_all(&asker, cases[i].bytes, cases[i].len, false);
        pump(rig, side() && !asker.session);
        assert_int_equal(asker.word, USHER_FAILED);
    }
}

static void idle_connections_are_closed(void **state)
{
    (void)state;
    uint8_t room[128];
    frame(room, "web.corp.example", 9);
    say_all(&asker, room, 10, false); // half a question
    pump(rig, side() && asker.left == 0);
    settle(rig, 10);
    later(10000);
    pump(rig, side() && !asker.session);
    assert_true(asker.finished);
    assert_int_equal(asker.count, 0);
}

static void connections_are_bounded(void **state)
{
    (void)state;
    static struct asker many[NAMES_CLIENTS_MAX + 1];
    memset(many, 0, sizeof many);
    for (size_t i = 0; i < COUNT(many); i++) {
        open_to(&many[i], USHER_TCP, 53, true);
        pump(rig, side() && many[i].opened);
    }
    pump(rig, side() && !many[0].session);
    assert_int_equal(many[0].word, USHER_LIMIT);
    assert_non_null(many[1].session);
    for (size_t i = 1; i < COUNT(many); i++)
        usher_session_reset(many[i].session, USHER_FAILED, "enough");
    settle(rig, 10);
    side();
}

// Others

static void pings_are_answered_and_other_ports_are_not(void **state)
{
    (void)state;
    static const uint8_t payload[DNS_HEADER_SIZE] = {1, 2, 3};
    const struct usher_datagram ping = {.from = {{0}, 77}, .to = {{0}, 5}, .bytes = payload, .len = sizeof payload};
    open_to(&asker, USHER_ICMP, 77, true);
    pump(rig, side() && asker.opened);
    assert_true(usher_session_datagram(asker.session, &ping));
    assert_int_equal(answered(&asker, 1)->len, sizeof payload);
    struct asker other = {0};
    for (uint16_t port = 52; port <= 54; port += 2) {
        open_to(&other, port == 52 ? USHER_TCP : USHER_UDP, port, true);
        pump(rig, side() && !other.session);
        assert_int_equal(other.word, USHER_REFUSED);
    }
}

static const char *wanted;
static uint64_t value;

static void tell(struct facts *facts, const struct fact *fact)
{
    (void)facts;
    value = strcmp(fact->name, wanted) ? value : fact->value;
}

static void begin(struct facts *facts, enum facts_level level, const char *name)
{
    (void)facts;
    (void)level;
    (void)name;
}

static void end(struct facts *facts)
{
    (void)facts;
}

static uint64_t counted(const char *name)
{
    static const struct facts_ops ops = {.fact = tell, .begin = begin, .end = end};
    struct facts facts = {.ops = &ops};
    wanted = name;
    value = UINT64_MAX;
    exchange_describe(exchange, &facts);
    return value;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(far_and_near),
        TEST(forged_answers_count_for_nothing),
        TEST(the_next_server_is_asked),
        TEST(silence_is_a_failure),
        TEST(what_is_refused_is_not_asked_again_at_once),
        TEST(large_answers_are_cut),
        TEST(bursts_go_as_answers_come),
        TEST(without_a_tunnel),
        TEST(an_association_is_closed_when_it_is_idle),
        TEST(what_is_no_question),
        TEST(without_a_server_of_its_own),
        cmocka_unit_test_setup_teardown(without_a_server_behind_the_tunnel, setup_without_far, teardown),
        TEST(a_source_answers),
        TEST(questions_are_bounded),
        TEST(sockets_are_bounded),
        TEST(connections_have_many_questions),
        TEST(questions_by_tcp_go_by_tcp),
        TEST(connections_that_say_nonsense_are_reset),
        TEST(idle_connections_are_closed),
        TEST(connections_are_bounded),
        TEST(pings_are_answered_and_other_ports_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
