// SPDX-License-Identifier: GPL-2.0-or-later
// What is sent to the resolver, from anybody. Whatever is answered repeats the question, so that it is an answer to it; and
// an answer is never taken for a question.
#include "base/host_name.h"
#include "packet/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void answer(const struct dns_question *question, const struct dns_answer *answer)
{
    uint8_t room[DNS_ANSWER_SIZE];
    struct dns_question again;
    enum dns_rcode wrong;
    size_t len = dns_write(room, question, answer);
    require(len <= sizeof room && dns_id(room) == question->id);
    require(!question->name_len || dns_answers(room, len, question));
    require(!dns_question_read(&again, &wrong, room, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[DNS_TEXT_SIZE];
    struct dns_question question;
    enum dns_rcode wrong;
    const struct address addrs[2] = {{.version = 4}, {.version = 4}};
    if (!dns_question_read(&question, &wrong, data, size))
        return 0;
    require(size >= DNS_HEADER_SIZE && question.size >= DNS_UDP_SIZE);
    require(wrong != DNS_NOERROR || question.name_len > 0);
    dns_name_text(&question, text);
    require(strlen(text) < sizeof text && !strpbrk(text, " \n"));
    dns_answers(data, size, &question);
    answer(&question, &(struct dns_answer){.rcode = wrong});
    answer(&question, &(struct dns_answer){.rcode = wrong, .truncated = true});
    if (wrong != DNS_NOERROR)
        return 0;
    answer(&question, &(struct dns_answer){.addrs = addrs, .count = 2});
    if (host_name_is_valid(text))
        answer(&question, &(struct dns_answer){.pointer = text});
    return 0;
}
