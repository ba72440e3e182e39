// SPDX-License-Identifier: GPL-2.0-or-later
// Question and answer over the control socket, at once and later; long lines, silent callers, hang-ups.
#include "cli/control.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char path[64];
static uv_loop_t loop;
static struct control *control;
static struct control_request *held;

static void describe_line(const void *line, struct facts *facts)
{
    facts_text(facts, "line", "what was asked", line);
}

static void describe_number(const void *part, struct facts *facts)
{
    (void)part;
    facts_gauge(facts, "n", "a number", FACT_COUNT, 1);
}

static void describe_nothing(const void *part, struct facts *facts)
{
    (void)part;
    (void)facts;
}

static void handle(void *owner, const char *line, struct control_request *request)
{
    (void)owner;
    if (!strcmp(line, "later"))
        held = request;
    else if (!strncmp(line, "open ", 5))
        held = request;
    else if (!strcmp(line, "wrong"))
        control_refuse(request, "unknown request");
    else
        control_reply(request, describe_line, line);
}

static int set_up(void **state)
{
    struct fault fault;
    (void)state;
    signal(SIGPIPE, SIG_IGN); // as both programs do
    snprintf(path, sizeof(path), "/tmp/usher-control-%d", (int)getpid());
    uv_loop_init(&loop);
    control = control_new(&loop, path, handle, NULL, &fault);
    return control ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    control_free(control);
    uv_run(&loop, UV_RUN_DEFAULT);
    unlink(path);
    return uv_loop_close(&loop);
}

static int dial(const char *text)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static void turn_loop(int times)
{
    for (int i = 0; i < times; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void expect(int fd, const char *answer)
{
    char text[256];
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    assert_string_equal(text, answer);
    close(fd);
}

static void test_answers(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int fd = dial("status\n");
    turn_loop(4);
    expect(fd, "{\"line\":\"status\"}");

    fd = dial("wrong\n");
    turn_loop(4);
    expect(fd, "{\"error\":\"unknown request\"}");

    fd = dial("sta");
    turn_loop(4);
    assert_int_equal(write(fd, "tus\n", 4), 4);
    turn_loop(4);
    expect(fd, "{\"line\":\"status\"}");
}

static void test_answers_later(void **state)
{
    (void)state;
    int fd = dial("later\n"), other = dial("now\n");
    turn_loop(4);
    expect(other, "{\"line\":\"now\"}");
    control_reply(held, describe_number, NULL);
    turn_loop(4);
    expect(fd, "{\"n\":1}");
}

static int desertions;

static void deserted(void *owner)
{
    ++*(int *)owner;
}

// What came with it, and the text.
static int receive_descriptor(int fd, char *text, size_t size)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = text, .iov_len = size - 1};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
    assert_true(n > 0);
    text[n] = '\0';
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    assert_non_null(header);
    assert_int_equal(header->cmsg_type, SCM_RIGHTS);
    int out;
    memcpy(&out, CMSG_DATA(header), sizeof out);
    return out;
}

static void test_a_descriptor_is_handed_over(void **state)
{
    (void)state;
    char text[100], line[400];
    int ends[2];
    snprintf(line, sizeof line, "open tcp %0255d 65535\n", 1); // the longest there is
    int fd = dial(line);
    turn_loop(4);
    control_expect(held, 1000, deserted, &desertions);
    assert_int_equal(pipe(ends), 0);
    control_hand_over(held, ends[1], describe_number, NULL);
    turn_loop(4);
    int got = receive_descriptor(fd, text, sizeof text);
    assert_string_equal(text, "{\"n\":1}");
    assert_int_equal(read(fd, text, 1), 0); // and nothing else
    close(fd);
    assert_int_equal(write(got, "x", 1), 1);
    close(got);
    assert_int_equal(read(ends[0], text, 2), 1);
    assert_int_equal(read(ends[0], text, 2), 0); // nobody has kept it
    close(ends[0]);

    assert_int_equal(desertions, 0);
    fd = dial("open it\n"); // whose asker says more, and goes
    turn_loop(4);
    control_expect(held, 1000, deserted, &desertions);
    assert_int_equal(write(fd, line, 300), 300);
    turn_loop(4);
    assert_int_equal(desertions, 0);
    close(fd);
    turn_loop(4);
    assert_int_equal(desertions, 1);
    assert_int_equal(pipe(ends), 0);
    control_hand_over(held, ends[1], describe_number, NULL);
    turn_loop(4);
    assert_int_equal(read(ends[0], text, 2), 0);
    close(ends[0]);
}

static void test_an_answer_that_takes_long_is_waited_for(void **state)
{
    (void)state;
    char byte;
    int fd = dial("open it\n");
    turn_loop(4);
    control_expect(held, 200, deserted, &desertions);
    uint64_t begin = uv_hrtime();
    while (recv(fd, &byte, 1, MSG_DONTWAIT) != 0 && uv_hrtime() - begin < UINT64_C(3000000000))
        uv_run(&loop, UV_RUN_ONCE);
    assert_in_range((uv_hrtime() - begin) / 1000000, 150, 2000);
    assert_int_equal(desertions, 2);
    close(fd);
    control_refuse(held, "too late");
    turn_loop(4);
}

static void test_callers_that_misbehave(void **state)
{
    (void)state;
    char line[400];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    int fd = dial(line);
    turn_loop(4);
    expect(fd, "");

    fd = dial("later\n"); // is gone when its answer comes
    turn_loop(4);
    close(fd);
    turn_loop(4);
    control_reply(held, describe_nothing, NULL);
    turn_loop(4);

    int many[300];
    for (size_t i = 0; i < COUNT(many); i++) { // silent ones; no more than 256 are kept
        many[i] = dial("");
        turn_loop(2);
    }
    fd = dial("status\n");
    turn_loop(4);
    for (size_t i = 0; i < COUNT(many); i++)
        close(many[i]);
    close(fd);
    turn_loop(8);
    fd = dial("status\n");
    turn_loop(4);
    expect(fd, "{\"line\":\"status\"}");
}

static void test_a_silent_caller_is_hung_up_on(void **state)
{
    (void)state;
    int fd = dial("");
    char byte;
    uint64_t begin = uv_hrtime();
    while (recv(fd, &byte, 1, MSG_DONTWAIT) != 0 && uv_hrtime() - begin < UINT64_C(8000000000))
        uv_run(&loop, UV_RUN_ONCE);
    assert_in_range((uv_hrtime() - begin) / 1000000, 4500, 7000);
    close(fd);
}

static atomic_bool answered;

static void *ask(void *arg)
{
    struct fault fault;
    (void)arg;
    char *answer = control_ask(path, "status", &fault);
    answered = true;
    return answer;
}

static void test_the_asking_end(void **state)
{
    (void)state;
    pthread_t thread;
    void *answer;
    assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
    for (; !answered; usleep(1000)) // the asker gives up after 10 s
        turn_loop(1);
    pthread_join(thread, &answer);
    assert_non_null(answer);
    assert_string_equal(answer, "{\"line\":\"status\"}");
    free(answer);

    struct fault fault;
    assert_null(control_ask("/tmp/no-such-socket", "status", &fault));
    assert_non_null(strstr(fault.text, "/tmp/no-such-socket"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_answers_later),
        cmocka_unit_test(test_a_descriptor_is_handed_over),
        cmocka_unit_test(test_an_answer_that_takes_long_is_waited_for),
        cmocka_unit_test(test_callers_that_misbehave),
        cmocka_unit_test(test_a_silent_caller_is_hung_up_on),
        cmocka_unit_test(test_the_asking_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
