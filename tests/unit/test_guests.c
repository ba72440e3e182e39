// SPDX-License-Identifier: GPL-2.0-or-later
// Who is let in by ControlGroup, and what he may: by processes of other users, so root alone can try it.
#include "cli/control.h"
#include "unit.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GAMES = 60, NOBODY = 65534 }; // Debian's, everywhere; the test takes whatever name the group has

static char directory[] = "/tmp/usher-guests-XXXXXX", path[64];
static uv_loop_t loop;
static struct control *control;

static void describe_line(const void *line, struct facts *facts)
{
    facts_text(facts, "line", "what was asked", line);
}

static void handle(void *owner, const char *line, struct control_request *request)
{
    (void)owner;
    control_reply(request, describe_line, line);
}

static void set_up(void)
{
    struct fault fault;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/control", directory);
    uv_loop_init(&loop);
    control = control_new(&loop, path, handle, NULL, &fault);
    assert_non_null(control);
}

static void tear_down(void)
{
    control_free(control);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    unlink(path);
    rmdir(directory);
}

// In the child: 0 when it hears that.
static int ask(gid_t gid, gid_t more, const char *line, const char *answer)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char text[256] = "";
    size_t len = 0;
    if (setgroups(1, &more) || setgid(gid) || setuid(NOBODY))
        return 3;
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
        return answer ? 2 : 0;
    dprintf(fd, "%s\n", line);
    for (ssize_t got; len < sizeof text - 1 && (got = read(fd, text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)got;
    return answer && !strcmp(text, answer) ? 0 : 1;
}

static int ask_as(gid_t gid, gid_t more, const char *line, const char *answer)
{
    int status;
    pid_t child = fork();
    if (!child)
        _exit(ask(gid, more, line, answer));
    while (!waitpid(child, &status, WNOHANG)) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    return WEXITSTATUS(status);
}

#define SAID(line) "{\"line\":\"" line "\"}"
#define ASK_ONLY   "{\"error\":\"you may ask, and do nothing: ControlGroupMay = act lets you\"}"
#define NOT_YOURS  "{\"error\":\"only root, and who started it, may do that\"}"

static const struct {
    bool may_act;
    gid_t gid, more;
    const char *line, *answer; // NULL: is not let in
} rows[] = {
    {false, GAMES, NOBODY, "status", SAID("status")},
    {false, NOBODY, GAMES, "status", SAID("status")},
    {false, NOBODY, GAMES, "flows", SAID("flows")},
    {false, NOBODY, GAMES, "denials", SAID("denials")},
    {false, NOBODY, GAMES, "down", ASK_ONLY},
    {false, NOBODY, GAMES, "status ", ASK_ONLY},
    {false, NOBODY, GAMES, "open a 1", ASK_ONLY},
    {true, NOBODY, GAMES, "down", SAID("down")},
    {true, NOBODY, GAMES, "end branch", SAID("end branch")},
    {true, NOBODY, GAMES, "reload", SAID("reload")},
    {true, NOBODY, GAMES, "drain", SAID("drain")},
    {true, NOBODY, GAMES, "open a 1", NOT_YOURS},
    {true, NOBODY, GAMES, "probe tcp a:1", NOT_YOURS},
    {true, NOBODY, GAMES, "upgrade", NOT_YOURS},
    {true, NOBODY, GAMES, "what comes next", NOT_YOURS},
    {true, NOBODY, NOBODY, "status", NULL},
};

static void test_guests(void **state)
{
    (void)state;
    struct group *group = getgrgid(GAMES);
    if (geteuid() || !group)
        skip();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fault fault;
        struct stat st;
        const struct control_group admitted = {.name = group->gr_name, .may_act = rows[i].may_act};
        set_up();
        assert_true(control_admit(control, &admitted, &fault));
        assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0660 && st.st_gid == GAMES && st.st_uid == 0);
        assert_true(stat(directory, &st) == 0 && (st.st_mode & 0777) == 0710 && st.st_gid == GAMES);
        CASE(rows[i].line, ask_as(rows[i].gid, rows[i].more, rows[i].line, rows[i].answer) == 0);
        chmod(directory, 0755); // whoever opens it wide has let nobody in
        chmod(path, 0666);
        if (!rows[i].answer)
            CASE("wide open", ask_as(rows[i].gid, rows[i].more, rows[i].line, "") == 0);
        tear_down();
    }
}

static void test_nobody(void **state)
{
    (void)state;
    struct fault fault;
    struct stat st;
    set_up();
    assert_true(control_admit(control, &(struct control_group){.name = "no"}, &fault));
    assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    assert_false(control_admit(control, &(struct control_group){.name = "there-is-none"}, &fault));
    assert_string_equal(fault.text, "ControlGroup: there is no group there-is-none");
    tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_guests), cmocka_unit_test(test_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
