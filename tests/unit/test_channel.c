// SPDX-License-Identifier: GPL-2.0-or-later
// Messages between supervisor and worker survive the way, and nothing else is taken for one.
#include "gate/channel/channel.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct channel_message in, out;
static uint8_t room[CHANNEL_BYTES_MAX];
static int ends[2];

static int open_ends(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends);
}

// `in` as it travels, in `room`.
static size_t encode(void)
{
    assert_true(channel_send(ends[0], &in));
    ssize_t len = recv(ends[1], room, sizeof(room), 0);
    assert_true(len > 0);
    return (size_t)len;
}

// Whether these bytes are taken for a message.
static bool decode(const uint8_t *bytes, size_t len)
{
    assert_int_equal(send(ends[0], bytes, len, 0), len);
    return channel_receive(ends[1], &out) == CHANNEL_TAKEN;
}

static void test_round_trips(void **state)
{
    (void)state;
    in = (struct channel_message){.type = CHANNEL_UP};
    strcpy(in.up.name, "branch.example.net");
    strcpy(in.up.serial, "01AB");
    strcpy(in.up.cipher, "TLS13-AES128-GCM-SHA256");
    in.up.expires = UINT64_C(0x123456789abcdef0);
    assert_true(decode(room, encode()));
    assert_string_equal(out.up.name, in.up.name);
    assert_string_equal(out.up.serial, in.up.serial);
    assert_string_equal(out.up.cipher, in.up.cipher);
    assert_int_equal(out.up.expires, in.up.expires);

    static const uint8_t facts[] = "\4counters\0\1denied\0opens denied by policy\0\0\0\0\0\0\0\0\0\0\14\7";
    in = (struct channel_message){.type = CHANNEL_FACTS};
    in.facts.sessions = 7;
    in.facts.bytes_in = UINT64_MAX;
    in.facts.bytes_out = 1;
    in.facts.len = sizeof(facts) - 1;
    memcpy(in.facts.bytes, facts, in.facts.len);
    assert_true(decode(room, encode()));
    assert_int_equal(out.facts.sessions, in.facts.sessions);
    assert_int_equal(out.facts.bytes_in, in.facts.bytes_in);
    assert_int_equal(out.facts.bytes_out, in.facts.bytes_out);
    assert_int_equal(out.facts.len, in.facts.len);
    assert_memory_equal(out.facts.bytes, in.facts.bytes, in.facts.len);

    in = (struct channel_message){.type = CHANNEL_LOCALS};
    in.locals.count = CHANNEL_LOCALS_MAX;
    for (size_t i = 0; i < in.locals.count; i++)
        in.locals.prefixes[i] = (struct prefix){
            .addr = {.version = i % 2 ? 4 : 6, .bytes = {(uint8_t)i, (uint8_t)(i >> 8)}}, .len = i % 33};
    assert_true(decode(room, encode()));
    assert_int_equal(out.locals.count, CHANNEL_LOCALS_MAX);
    assert_memory_equal(out.locals.prefixes, in.locals.prefixes, sizeof(in.locals.prefixes));

    in = (struct channel_message){.type = CHANNEL_DENIALS};
    in.denials.count = CHANNEL_DENIALS_MAX;
    for (size_t i = 0; i < in.denials.count; i++) {
        struct channel_denial *denial = &in.denials.items[i];
        *denial = (struct channel_denial){.protocol = 6, .line = 7, .count = UINT64_MAX, .first = 8, .last = 9};
        denial->from = (struct address){.version = 6, .bytes = {0xfd, [15] = 1}};
        denial->to = (struct endpoint){.addr = {.version = i % 2 ? 4 : 0}, .port = 65535};
        memset(denial->host, 'h', sizeof(denial->host) - 1);
        memset(denial->rule, 'r', sizeof(denial->rule) - 1);
    }
    assert_true(decode(room, encode()));
    assert_int_equal(out.denials.count, CHANNEL_DENIALS_MAX);
    for (size_t i = 0; i < in.denials.count; i++) {
        const struct channel_denial *sent = &in.denials.items[i], *got = &out.denials.items[i];
        assert_true(got->protocol == 6 && got->line == 7 && got->count == UINT64_MAX && got->first == 8 &&
                    got->last == 9);
        assert_true(address_equal(&got->from, &sent->from) && endpoint_equal(&got->to, &sent->to));
        assert_string_equal(got->host, sent->host);
        assert_string_equal(got->rule, sent->rule);
    }

    in = (struct channel_message){.type = CHANNEL_AUDIT, .audit.lost = 3};
    struct writer w = writer_over(in.audit.bytes, sizeof(in.audit.bytes));
    const struct audit_record over = {.kind = AUDIT_DOWN, .at = 1, .end = AUDIT_ENDED, .text = "over"};
    audit_record_write(&w, &over);
    audit_record_write(&w, &over);
    in.audit.len = sizeof(in.audit.bytes) - writer_left(&w);
    assert_true(decode(room, encode()));
    assert_int_equal(out.audit.lost, 3);
    assert_int_equal(out.audit.len, in.audit.len);
    assert_memory_equal(out.audit.bytes, in.audit.bytes, in.audit.len);
    in.audit.len--; // half a record
    assert_false(decode(room, encode()));

    in = (struct channel_message){.type = CHANNEL_LIST, .list = {7, 9}};
    assert_true(decode(room, encode()));
    assert_true(out.list.began == 7 && out.list.mark == 9);

    in = (struct channel_message){.type = CHANNEL_FLOWS, .flows = {.more = true, .last = {8, 1}}};
    w = writer_over(in.flows.bytes, sizeof(in.flows.bytes));
    const struct audit_record flow = {
        .kind = AUDIT_SESSION, .text = "active", .account = {.via = "dial", .asked = "10.73.0.2", .rule = ""}};
    audit_record_write(&w, &flow);
    in.flows.len = sizeof(in.flows.bytes) - writer_left(&w);
    assert_true(decode(room, encode()));
    assert_true(out.flows.more && out.flows.last.began == 8 && out.flows.last.mark == 1);
    assert_memory_equal(out.flows.bytes, in.flows.bytes, in.flows.len);
    in.flows.len--;
    assert_false(decode(room, encode()));
    in.flows.len = 0;
    assert_true(decode(room, encode()));
    w = writer_over(in.flows.bytes, sizeof(in.flows.bytes));
    audit_record_write(&w, &over); // is no flow
    in.flows.len = sizeof(in.flows.bytes) - writer_left(&w);
    assert_false(decode(room, encode()));

    in = (struct channel_message){.type = CHANNEL_END};
    strcpy(in.text, "going down");
    assert_true(decode(room, encode()));
    assert_string_equal(out.text, "going down");

    in = (struct channel_message){.type = CHANNEL_FORWARDS, .forwards.first = 250};
    assert_true(decode(room, encode()));
    assert_int_equal(out.forwards.first, 250);

    in = (struct channel_message){.type = CHANNEL_EXPORT, .export = {.device = "ux0", .index = 7, .offload = true}};
    assert_true(decode(room, encode()));
    assert_string_equal(out.export.device, "ux0");
    assert_int_equal(out.export.index, 7);
    assert_true(out.export.offload && !out.export.uso);

    in = (struct channel_message){.type = CHANNEL_NEWS, .news.size = 70000};
    assert_true(decode(room, encode()));
    assert_int_equal(out.news.size, 70000);

    static const enum channel_type numbers[] = {CHANNEL_TICKET, CHANNEL_SHOWN};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        in = (struct channel_message){.type = numbers[i], .ticket = "fifteen letters"};
        assert_true(decode(room, encode()));
        assert_memory_equal(out.ticket, in.ticket, sizeof(in.ticket));
    }
    in = (struct channel_message){.type = CHANNEL_SERVE};
    assert_true(decode(room, encode()));
    in = (struct channel_message){.type = CHANNEL_LANE, .lane = {.id = 70001, .ticket = "fifteen letters"}};
    assert_true(decode(room, encode()));
    assert_int_equal(out.lane.id, 70001);
    assert_memory_equal(out.lane.ticket, in.lane.ticket, sizeof(in.lane.ticket));
    in = (struct channel_message){.type = CHANNEL_PEER, .peer = {.addr = {.version = 4, .bytes = {10, 2}}, .port = 7}};
    assert_true(decode(room, encode()));
    assert_true(endpoint_equal(&out.peer, &in.peer));
    in = (struct channel_message){.type = CHANNEL_CAME, .came = {.id = 70002, .timeout_ms = 10000}};
    assert_true(decode(room, encode()));
    assert_true(out.came.id == 70002 && out.came.timeout_ms == 10000);
    in = (struct channel_message){.type = CHANNEL_WHOSE, .whose = {.id = 70002, .found = FORWARDED_OLD}};
    assert_true(decode(room, encode()));
    assert_true(out.whose.id == 70002 && out.whose.found == FORWARDED_OLD);
    in.whose.found = FORWARDED_PEER;
    in.whose.peer = (struct endpoint){.addr = {.version = 6, .bytes = {0xfd, [15] = 1}}, .port = 65535};
    assert_true(decode(room, encode()));
    assert_true(endpoint_equal(&out.whose.peer, &in.whose.peer));
    in = (struct channel_message){.type = CHANNEL_CARRIED, .carried = 70001};
    assert_true(decode(room, encode()));
    assert_int_equal(out.carried, 70001);
    in = (struct channel_message){.type = CHANNEL_DRAIN, .drain.timeout_ms = UINT64_C(0x123456789a)};
    assert_true(decode(room, encode()));
    assert_int_equal(out.drain.timeout_ms, UINT64_C(0x123456789a));
    static const enum channel_type bare[] = {CHANNEL_POLL, CHANNEL_EXPORT_BACK, CHANNEL_FORWARDS_OVER, CHANNEL_LEAVING};
    for (size_t i = 0; i < COUNT(bare); i++) {
        in = (struct channel_message){.type = bare[i]};
        assert_int_equal(encode(), 1);
        assert_true(decode(room, 1) && out.type == bare[i]);
        assert_false(decode((const uint8_t[]){(uint8_t)bare[i], 0}, 2));
    }
}

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

// Descriptors reach who asks for them, as many as a message may have; nobody else is left with any.
static void test_descriptors(void **state)
{
    (void)state;
    int fds[CHANNEL_FDS_MAX + 1], got[CHANNEL_FDS_MAX], pipes[2];
    size_t count, before = count_descriptors();
    assert_int_equal(pipe(pipes), 0);
    for (size_t i = 0; i <= CHANNEL_FDS_MAX; i++)
        fds[i] = pipes[1];
    in = (struct channel_message){.type = CHANNEL_FORWARDS};
    assert_false(channel_send_fds(ends[0], &in, fds, CHANNEL_FDS_MAX + 1));
    assert_true(channel_send_fds(ends[0], &in, fds, CHANNEL_FDS_MAX));
    assert_int_equal(channel_receive_fds(ends[1], &out, got, &count), CHANNEL_TAKEN);
    assert_int_equal(count, CHANNEL_FDS_MAX);
    assert_int_equal(write(got[CHANNEL_FDS_MAX - 1], "x", 1), 1);
    assert_int_equal(read(pipes[0], room, sizeof(room)), 1);
    assert_int_equal(fcntl(got[0], F_GETFD), FD_CLOEXEC);
    for (size_t i = 0; i < count; i++)
        close(got[i]);

    assert_true(channel_send_fds(ends[0], &in, fds, 2));
    assert_int_equal(channel_receive(ends[1], &out), CHANNEL_TAKEN);
    struct iovec iov = {.iov_base = "nonsense", .iov_len = 8};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.align = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    memcpy(CMSG_DATA(&control.align), &pipes[1], sizeof(int));
    const struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    assert_int_equal(sendmsg(ends[0], &message, 0), 8);
    assert_int_equal(channel_receive_fds(ends[1], &out, got, &count), CHANNEL_BROKEN);
    assert_int_equal(count, 0);
    assert_true(channel_send(ends[0], &in));
    assert_int_equal(channel_receive_fds(ends[1], &out, got, &count), CHANNEL_TAKEN);
    assert_int_equal(count, 0);
    assert_int_equal(channel_receive_fds(ends[1], &out, got, &count), CHANNEL_EMPTY);
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(count_descriptors(), before);
}

// Every message cut short anywhere, and with a byte too many, is refused.
static void test_wrong_lengths(void **state)
{
    (void)state;
    static const enum channel_type types[] = {CHANNEL_LOCALS,      CHANNEL_POLL,    CHANNEL_END,      CHANNEL_UP,
                                              CHANNEL_REFUSED,     CHANNEL_FACTS,   CHANNEL_FORWARDS, CHANNEL_EXPORT,
                                              CHANNEL_EXPORT_BACK, CHANNEL_DENIALS, CHANNEL_LANE,     CHANNEL_PEER,
                                              CHANNEL_CAME,        CHANNEL_WHOSE};
    for (size_t i = 0; i < COUNT(types); i++) {
        in = (struct channel_message){.type = types[i]};
        if (types[i] == CHANNEL_LOCALS) {
            in.locals.count = 2;
            in.locals.prefixes[0].addr.version = in.locals.prefixes[1].addr.version = 4;
        }
        if (types[i] == CHANNEL_DENIALS)
            in.denials.count = 2;
        if (types[i] == CHANNEL_WHOSE)
            in.whose.found = FORWARDED_SLOW;
        size_t len = encode();
        for (size_t cut = 1; cut < len; cut++)
            assert_false(decode(room, cut));
        room[len] = 0;
        assert_false(decode(room, len + 1));
    }
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    static const uint8_t unknown[] = {99};
    assert_false(decode(unknown, sizeof(unknown)));
    static const uint8_t too_many[] = {CHANNEL_LOCALS, 0xff, 0xff, 0xff, 0xff};
    assert_false(decode(too_many, sizeof(too_many)));
    // One prefix: version, length, 16 bytes.
    static const uint8_t one[1 + 4 + 18] = {CHANNEL_LOCALS, 0, 0, 0, 1, 4, 32};
    static const uint8_t no_version[sizeof(one)] = {CHANNEL_LOCALS, 0, 0, 0, 1, 5, 32};
    static const uint8_t too_narrow[sizeof(one)] = {CHANNEL_LOCALS, 0, 0, 0, 1, 4, 33};
    assert_true(decode(one, sizeof(one)));
    assert_false(decode(no_version, sizeof(no_version)));
    assert_false(decode(too_narrow, sizeof(too_narrow)));
    static const uint8_t too_many_denials[] = {CHANNEL_DENIALS, CHANNEL_DENIALS_MAX + 1};
    assert_false(decode(too_many_denials, sizeof(too_many_denials)));
    // Protocol, two addresses, port, line, three counts, two texts.
    static const uint8_t denial[2 + 1 + 17 + 17 + 2 + 4 + 24 + 2] = {CHANNEL_DENIALS, 1, 6, 4, [20] = 6};
    static const uint8_t of_no_version[sizeof(denial)] = {CHANNEL_DENIALS, 1, 6, 5, [20] = 6};
    assert_true(decode(denial, sizeof(denial)));
    assert_false(decode(of_no_version, sizeof(of_no_version)));
    // Id, what was found, whose. Somebody is named where somebody was found, and nowhere else.
    static const struct {
        const char *name;
        uint8_t bytes[1 + 4 + 1 + 17 + 2];
    } whose[] = {
        {"nothing found", {CHANNEL_WHOSE, [5] = FORWARDED_PARTIAL}},
        {"found what is not known", {CHANNEL_WHOSE, [5] = FORWARDED_COUNT}},
        {"nobody", {CHANNEL_WHOSE, [5] = FORWARDED_PEER}},
        {"somebody after all", {CHANNEL_WHOSE, [5] = FORWARDED_OLD, 4}},
        {"of no version", {CHANNEL_WHOSE, [5] = FORWARDED_PEER, 5}},
    };
    for (size_t i = 0; i < COUNT(whose); i++)
        CASE(whose[i].name, !decode(whose[i].bytes, sizeof(whose[i].bytes)));
    uint8_t text[CHANNEL_TEXT_SIZE + 2];
    memset(text, 'x', sizeof(text));
    text[0] = CHANNEL_END;
    assert_false(decode(text, sizeof(text))); // no NUL
    text[sizeof(text) - 1] = '\0';
    assert_false(decode(text, sizeof(text))); // one byte too long
    text[sizeof(text) - 2] = '\0';
    assert_true(decode(text, sizeof(text) - 1));
}

static void test_sockets(void **state)
{
    (void)state;
    assert_int_equal(channel_receive(ends[1], &out), CHANNEL_EMPTY);
    in = (struct channel_message){.type = CHANNEL_POLL};
    assert_true(channel_send(ends[0], &in));
    assert_int_equal(channel_receive(ends[1], &out), CHANNEL_TAKEN);
    assert_int_equal(out.type, CHANNEL_POLL);
    assert_int_equal(send(ends[0], "nonsense", 8, 0), 8);
    assert_int_equal(channel_receive(ends[1], &out), CHANNEL_BROKEN);
    memset(room, 0, sizeof(room));
    room[0] = CHANNEL_POLL;
    assert_int_equal(send(ends[0], room, sizeof(room), 0), sizeof(room));
    assert_int_equal(channel_receive(ends[1], &out), CHANNEL_BROKEN);
    close(ends[0]);
    assert_int_equal(channel_receive(ends[1], &out), CHANNEL_CLOSED);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),   cmocka_unit_test(test_descriptors), cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_hostile_bytes), cmocka_unit_test(test_sockets),
    };
    return cmocka_run_group_tests(tests, open_ends, NULL);
}
