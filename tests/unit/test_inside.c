// SPDX-License-Identifier: GPL-2.0-or-later
// The small parts of a run: what its processes say to each other, the device that goes from one to the other, how names are
// asked for, and how it stops.
#include "os/tun/pass.h"
#include "portal/inside/channel.h"
#include "portal/inside/nsswitch.h"
#include "portal/inside/resolv_conf.h"
#include "portal/job.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_what_is_said_is_heard(void **state)
{
    (void)state;
    int ends[2];
    char longer[2 * FAULT_TEXT_SIZE];
    struct inside_message message;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_true(inside_say(ends[0], INSIDE_ENDED, 9, ""));
    assert_true(inside_say(ends[0], INSIDE_FAILED, 127, longer));
    assert_true(inside_hear(ends[1], &message));
    assert_true(message.word == INSIDE_ENDED && message.number == 9 && !*message.text);
    assert_true(inside_hear(ends[1], &message));
    assert_true(message.word == INSIDE_FAILED && message.number == 127);
    assert_int_equal(strlen(message.text), FAULT_TEXT_SIZE - 1);
    assert_int_equal(send(ends[0], "short", 5, 0), 5);
    assert_false(inside_hear(ends[1], &message));
    close(ends[0]);
    assert_false(inside_hear(ends[1], &message));
    assert_false(inside_say(ends[1], INSIDE_GO, 0, "")); // and no SIGPIPE
    close(ends[1]);
}

// It goes before it has read what we said: its last words are heard all the same.
static void test_last_words(void **state)
{
    (void)state;
    int ends[2];
    struct inside_message message;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_true(inside_say(ends[1], INSIDE_SIGNAL, SIGTERM, ""));
    assert_true(inside_say(ends[0], INSIDE_ENDED, 9, ""));
    close(ends[0]);
    assert_true(inside_hear(ends[1], &message));
    assert_true(message.word == INSIDE_ENDED && message.number == 9);
    assert_false(inside_hear(ends[1], &message));
    close(ends[1]);
}

static void test_a_device_is_handed_over(void **state)
{
    (void)state;
    int ends[2];
    struct stat a, b;
    struct fault fault;
    const struct tun tun = {.fd = open("/dev/null", O_RDWR), .index = 7, .offload = true, .name = "usher7"};
    struct tun got;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_true(tun_send(ends[0], &tun, &fault));
    assert_true(tun_receive(ends[1], &got));
    assert_true(got.fd != tun.fd && got.index == 7 && got.offload && !got.uso && !strcmp(got.name, "usher7"));
    assert_int_equal(fcntl(got.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_true(fstat(tun.fd, &a) == 0 && fstat(got.fd, &b) == 0 && a.st_rdev == b.st_rdev);
    close(got.fd);

    assert_int_equal(send(ends[0], &tun, sizeof tun, 0), sizeof tun); // without a descriptor
    assert_false(tun_receive(ends[1], &got));
    close(ends[0]);
    assert_false(tun_receive(ends[1], &got));
    assert_false(tun_send(ends[1], &tun, &fault));
    assert_non_null(strstr(fault.text, "tun usher7: hand it over: Broken pipe"));
    close(ends[1]);
    close(tun.fd);
}

static void test_nsswitch(void **state)
{
    (void)state;
    static const struct {
        const char *text, *out;
    } rows[] = {
        {"", "hosts: files dns\n"},
        {"passwd: files sss\nhosts: files resolve [!UNAVAIL=return] dns\nnetworks: files\n",
         "passwd: files sss\nnetworks: files\nhosts: files dns\n"},
        {"  hosts:\tmdns4_minimal\n# hosts: are below\nhosts: nis", "# hosts: are below\nhosts: files dns\n"},
        {"passwd: files", "passwd: files\nhosts: files dns\n"},
        {"\n\nhosts:", "\n\nhosts: files dns\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *out = nsswitch_by_dns(rows[i].text);
        CASE(rows[i].text, !strcmp(out, rows[i].out));
        free(out);
    }
}

static void test_resolv_conf(void **state)
{
    (void)state;
    struct endpoint addresses[4];
    struct names_domain domains[] = {
        {"corp.example", true}, {"10.in-addr.arpa", false}, {"lab.example", true}, {"", false}};
    const struct names_keys names = {.addresses = {addresses, COUNT(addresses)}, .domains = {domains, COUNT(domains)}};
    const struct names_keys one = {.addresses = {addresses, 1}, .domains = {domains + 3, 1}};
    static const char *const texts[] = {"198.18.0.1:53", "[fd75:7368:6572::1]:53", "10.0.0.1:53", "10.0.0.2:53"};
    for (size_t i = 0; i < COUNT(addresses); i++)
        assert_true(endpoint_parse(&addresses[i], texts[i]));
    char *text = resolv_conf_of(&names);
    assert_string_equal(text, "nameserver 198.18.0.1\nnameserver fd75:7368:6572::1\nnameserver 10.0.0.1\n"
                              "search corp.example lab.example\n");
    free(text);
    text = resolv_conf_of(&one);
    assert_string_equal(text, "nameserver 198.18.0.1\n");
    free(text);
}

// Blocked or not, once, and it is as it was afterwards.
static void test_stopping(void **state)
{
    (void)state;
    static const int numbers[] = {SIGTSTP, SIGSTOP, SIGTTIN};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            sigset_t set, now;
            setpgid(0, 0); // no group of a shell's: its parent is in the session
            sigemptyset(&set);
            sigaddset(&set, SIGTSTP);
            sigprocmask(SIG_BLOCK, &set, NULL);
            if (numbers[i] == SIGTSTP)
                kill(getpid(), SIGTSTP);
            job_stop(numbers[i]);
            sigprocmask(SIG_BLOCK, NULL, &now);
            _exit(!sigismember(&now, SIGTSTP) || sigismember(&now, SIGTTIN));
        }
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        CASE(strsignal(numbers[i]), WIFSTOPPED(status) && WSTOPSIG(status) == numbers[i]);
        kill(pid, SIGCONT);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        CASE(strsignal(numbers[i]), WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_said_is_heard),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_a_device_is_handed_over),
        cmocka_unit_test(test_nsswitch),
        cmocka_unit_test(test_resolv_conf),
        cmocka_unit_test(test_stopping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
