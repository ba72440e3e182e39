// SPDX-License-Identifier: GPL-2.0-or-later
// What the peer says in the control session, split where the first byte says: the same messages come out whatever the
// pieces, and what is read of one is written as the same again.
#include "usher/control.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static uint64_t mix(uint64_t sum, const struct control_message *message)
{
    sum = (sum ^ message->type) * 1099511628211u;
    sum = (sum ^ message->flags) * 1099511628211u;
    for (size_t i = 0; i < message->length; i++)
        sum = (sum ^ message->body[i]) * 1099511628211u;
    return sum;
}

static struct control_message reread(struct control_reader *reader, const uint8_t *room, size_t len)
{
    struct reader in = reader_over(room, len);
    struct control_message message;
    require(control_read(reader, &in, &message) == CONTROL_WHOLE && reader_left(&in) == 0);
    return message;
}

static void look(const struct control_message *message)
{
    uint8_t room[CONTROL_MESSAGE_MAX];
    struct writer w = writer_over(room, sizeof room);
    struct control_reader reader = {0};
    struct control_hello hello, hello2;
    struct control_probe probe, probe2;
    struct control_answer answer, answer2;
    struct control_drain drain, drain2;
    struct control_unreachable unreachable, unreachable2;
    struct control_origin origin, origin2;
    struct control_ticket ticket, ticket2;
    if (message->type == CONTROL_HELLO && control_hello_decode(&hello, message)) {
        control_hello_encode(&w, &hello);
        struct control_message again = reread(&reader, room, sizeof room - writer_left(&w));
        require(control_hello_decode(&hello2, &again) && hello.can == hello2.can && hello.sessions == hello2.sessions &&
                !strcmp(hello.version, hello2.version));
    } else if (message->type == CONTROL_PROBE && control_probe_decode(&probe, message)) {
        control_probe_encode(&w, &probe);
        struct control_message again = reread(&reader, room, sizeof room - writer_left(&w));
        require(control_probe_decode(&probe2, &again) && probe.id == probe2.id && !strcmp(probe.name, probe2.name));
    } else if (message->type == CONTROL_ANSWER && control_answer_decode(&answer, message)) {
        control_answer_encode(&w, &answer);
        struct control_message again = reread(&reader, room, sizeof room - writer_left(&w));
        require(control_answer_decode(&answer2, &again) && answer.id == answer2.id && answer.status == answer2.status &&
                answer.families == answer2.families && answer.ttl == answer2.ttl);
    } else if (message->type == CONTROL_TICKET && control_ticket_decode(&ticket, message)) {
        control_ticket_encode(&w, &ticket);
        struct control_message again = reread(&reader, room, sizeof room - writer_left(&w));
        require(control_ticket_decode(&ticket2, &again) && ticket.seconds == ticket2.seconds &&
                !memcmp(ticket.number, ticket2.number, sizeof ticket.number));
    } else if (message->type == CONTROL_ORIGIN && control_origin_decode(&origin, message) && origin.who.addr.version) {
        control_origin_encode(&w, &origin);
        struct control_message again = reread(&reader, room, sizeof room - writer_left(&w));
        require(control_origin_decode(&origin2, &again) && origin.session == origin2.session &&
                endpoint_equal(&origin.who, &origin2.who));
    } else if (message->type == CONTROL_DRAIN && control_drain_decode(&drain, message)) {
        control_drain_encode(&w, &drain);
        struct control_message again = reread(&reader, room, sizeof room - writer_left(&w));
        require(control_drain_decode(&drain2, &again) && drain.left == drain2.left);
    } else if (message->type == CONTROL_UNREACHABLE && control_unreachable_decode(&unreachable, message)) {
        control_unreachable_encode(&w, &unreachable);
        struct control_message again = reread(&reader, room, sizeof room - writer_left(&w));
        require(control_unreachable_decode(&unreachable2, &again) && unreachable.session == unreachable2.session &&
                unreachable.what.word == unreachable2.what.word &&
                endpoint_equal(&unreachable.what.from, &unreachable2.what.from) &&
                endpoint_equal(&unreachable.what.to, &unreachable2.what.to));
    }
}

static uint64_t read_all(const uint8_t *data, size_t size, size_t piece)
{
    struct control_reader *reader = calloc(1, sizeof *reader);
    struct control_message message;
    uint64_t sum = 14695981039346656037u;
    for (size_t at = 0; at < size; at += piece) {
        struct reader in = reader_over(data + at, piece < size - at ? piece : size - at);
        enum control_read read;
        while ((read = control_read(reader, &in, &message)) == CONTROL_WHOLE) {
            sum = mix(sum, &message);
            look(&message);
        }
        if (read == CONTROL_TOO_LONG)
            break;
        require(reader_left(&in) == 0);
    }
    free(reader);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t piece = data[0] ? data[0] : 256;
    require(read_all(data + 1, size - 1, piece) == read_all(data + 1, size - 1, size - 1));
    return 0;
}
