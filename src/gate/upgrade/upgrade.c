// SPDX-License-Identifier: GPL-2.0-or-later
// The child of the trial says "takes over: VERSION" and exits with 0, which no other program does by chance. Signals are
// blocked across the change, or one that comes before the next program listens to it would end the process.
#include "gate/upgrade/upgrade.h"

#include "base/memory.h"
#include "cli/version.h"
#include "gate/load/load.h"
#include "gate/upgrade/state_file.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TRIAL_MS = 8000,  // less than who asks waits for
    ASKER_MS = 9500,  // that long
    SAID_SIZE = 2048, // bytes of what the child has said
    BACK_SIZE = 512,
};

#define STATE_VARIABLE "USHER_GATE_STATE"
#define BACK_VARIABLE  "USHER_GATE_BACK"
#define TAKES_OVER     "takes over: "

struct upgrade {
    uv_loop_t *loop;
    struct upgrade_config config;
    char program[STATE_TEXT_SIZE]; // where the running one was started from
    struct control_request *request;
    bool trying;
    bool deserted; // whoever asked has gone
    bool slow;
    uv_process_t trial;
    uv_timer_t patience;
    int said; // what the child says
    unsigned handles;
};

struct news {
    const char *name;
    bool upgraded;
    const char *sentence;
};

static void describe(const void *part, struct facts *facts)
{
    const struct news *news = part;
    facts_text(facts, "name", "of the instance", news->name);
    facts_text(facts, "role", "what kind of program it is", "gate");
    facts_gauge(facts, "upgraded", "whether the program that runs is the one on disk", FACT_SWITCH, news->upgraded);
    facts_text(facts, "version", "of the program that runs", version_text);
    facts_text(facts, "message", "what was done", news->sentence);
}

static void answer(struct upgrade *upgrade, bool upgraded, const char *sentence)
{
    const struct news news = {upgrade->config.name, upgraded, sentence};
    if (upgraded)
        log_info("upgrade: %s", sentence);
    else
        log_error("upgrade: %s: the program that ran goes on", sentence);
    if (upgrade->request)
        control_reply(upgrade->request, describe, &news);
    upgrade->request = NULL;
}

static void refuse(struct upgrade *upgrade, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void refuse(struct upgrade *upgrade, const char *format, ...)
{
    char why[SAID_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    answer(upgrade, false, why);
}

// Taking over

static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};

static void mask_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++)
        sigaddset(&set, SIGNALS[i]);
    sigprocmask(how, &set, NULL);
}

void upgrade_take_signals(void)
{
    mask_signals(SIG_UNBLOCK);
}

// Returns only on failure, with errno, and then all is as it was. `program` NULL: the one behind `state->previous`.
static void execute(const char *program, const struct gate_state *state, int fd)
{
    char number[16], *args[] = {"usher-gate", "run", (char *)state->name_or_file, NULL};
    extern char **environ;
    snprintf(number, sizeof number, "%d", fd);
    setenv(STATE_VARIABLE, number, 1);
    mask_signals(SIG_BLOCK);
    if (!state_keep_open(state, true) || fcntl(fd, F_SETFD, 0) < 0)
        errno = EBADF;
    else if (program)
        execv(program, args);
    else
        fexecve(state->previous, args, environ);
    int error = errno;
    state_keep_open(state, false);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    mask_signals(SIG_UNBLOCK);
    unsetenv(STATE_VARIABLE);
    errno = error;
}

static void take_over(struct upgrade *upgrade, const char *version)
{
    struct gate_state state = {0};
    struct fault fault;
    upgrade->config.gather(upgrade->config.owner, &state);
    snprintf(state.version, sizeof state.version, "%s", version_text);
    state.previous = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    state.asker = upgrade->request && !upgrade->deserted ? control_request_fd(upgrade->request) : -1;
    int fd = state.previous >= 0 ? state_write(&state, &fault) : -1;
    if (state.previous < 0)
        fault_errno(&fault, errno, "the program that runs");
    log_info("upgrade: %s (%s) takes over in this process", upgrade->program, version);
    if (fd >= 0) {
        upgrade->config.leave(upgrade->config.owner);
        execute(upgrade->program, &state, fd);
        fault_errno(&fault, errno, "%.200s", upgrade->program);
        close(fd);
    }
    refuse(upgrade, "%s", fault.text);
    close(state.previous);
    state_fini(&state);
}

// The trial

// What the child has said, on one line.
static void read_said(struct upgrade *upgrade, char said[SAID_SIZE])
{
    ssize_t len = read(upgrade->said, said, SAID_SIZE - 1);
    said[len > 0 ? len : 0] = '\0';
    for (size_t end = strlen(said); end > 0 && said[end - 1] == '\n'; end--)
        said[end - 1] = '\0';
    for (char *c = said; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = *c == '\n' ? ';' : '?';
    close(upgrade->said);
}

static void closed(uv_handle_t *handle)
{
    struct upgrade *upgrade = handle->data;
    if (--upgrade->handles == 0)
        free(upgrade);
}

static void gone(uv_handle_t *handle)
{
    struct upgrade *upgrade = handle->data;
    upgrade->trying = false;
    closed(handle);
}

static void tried(uv_process_t *process, int64_t code, int signal)
{
    struct upgrade *upgrade = process->data;
    char said[SAID_SIZE];
    read_said(upgrade, said);
    uv_timer_stop(&upgrade->patience);
    uv_close((uv_handle_t *)process, gone);
    const char *version = strstr(said, TAKES_OVER);
    if (code == 0 && !signal && version)
        take_over(upgrade, version + strlen(TAKES_OVER));
    else if (upgrade->slow)
        refuse(upgrade, "%s gave no answer within %d s", upgrade->program, TRIAL_MS / 1000);
    else if (signal)
        refuse(upgrade, "%s was killed by signal %d (%s)", upgrade->program, signal, strsignal(signal));
    else
        refuse(upgrade, "%s does not take over (%s)", upgrade->program, *said ? said : "it does not say why");
}

static void lost_patience(uv_timer_t *timer)
{
    struct upgrade *upgrade = timer->data;
    upgrade->slow = true;
    uv_process_kill(&upgrade->trial, SIGKILL);
}

static int spawn(struct upgrade *upgrade, int state, int handover, int said)
{
    char *args[] = {"usher-gate", UPGRADE_TRIAL, NULL};
    uv_stdio_container_t fds[UPGRADE_TRIAL_FDS] = {
        [STDIN_FILENO] = {.flags = UV_IGNORE},
        [STDOUT_FILENO] = {.flags = UV_INHERIT_FD, .data.fd = said},
        [STDERR_FILENO] = {.flags = UV_INHERIT_FD, .data.fd = said},
        [UPGRADE_TRIAL_STATE_FD] = {.flags = UV_INHERIT_FD, .data.fd = state},
        [UPGRADE_TRIAL_HANDOVER_FD] = {.flags = UV_INHERIT_FD, .data.fd = handover},
    };
    const uv_process_options_t options = {
        .file = upgrade->program, .args = args, .stdio = fds, .stdio_count = UPGRADE_TRIAL_FDS, .exit_cb = tried};
    return uv_spawn(upgrade->loop, &upgrade->trial, &options);
}

static void try(struct upgrade *upgrade)
{
    struct gate_state state = {0};
    struct fault fault;
    int said[2];
    upgrade->config.gather(upgrade->config.owner, &state);
    snprintf(state.version, sizeof state.version, "%s", version_text);
    state.previous = state.handover; // is not looked at
    state.asker = -1;
    int fd = state_write(&state, &fault);
    if (fd < 0 || pipe2(said, O_CLOEXEC | O_NONBLOCK) < 0) {
        refuse(upgrade, "%s", fd < 0 ? fault.text : strerror(errno));
    } else {
        upgrade->said = said[0];
        upgrade->trying = true;
        upgrade->slow = false;
        upgrade->handles++;
        upgrade->trial.data = upgrade;
        int error = spawn(upgrade, fd, state.handover, said[1]);
        close(said[1]);
        if (error) {
            close(said[0]);
            uv_close((uv_handle_t *)&upgrade->trial, gone);
            refuse(upgrade, "%s: %s", upgrade->program, uv_strerror(error));
        } else {
            uv_timer_start(&upgrade->patience, lost_patience, TRIAL_MS, 0);
        }
    }
    if (fd >= 0)
        close(fd);
    state_fini(&state);
}

static void desert(void *owner)
{
    struct upgrade *upgrade = owner;
    upgrade->deserted = true;
}

void upgrade_run(struct upgrade *upgrade, struct control_request *request)
{
    struct stat running, there;
    if (upgrade->trying) {
        const struct news news = {upgrade->config.name, false, "an upgrade is under way already"};
        if (request)
            control_reply(request, describe, &news);
        return;
    }
    upgrade->request = request;
    upgrade->deserted = false;
    if (request)
        control_expect(request, ASKER_MS, desert, upgrade);
    if (stat("/proc/self/exe", &running) < 0 || stat(upgrade->program, &there) < 0)
        refuse(upgrade, "%s: %s", upgrade->program, strerror(errno));
    else if (running.st_dev == there.st_dev && running.st_ino == there.st_ino)
        answer(upgrade, true, "the program that runs is the one on disk: nothing to do");
    else
        try(upgrade);
}

static void find_program(char room[STATE_TEXT_SIZE])
{
    static const char deleted[] = " (deleted)";
    ssize_t len = readlink("/proc/self/exe", room, STATE_TEXT_SIZE - 1);
    room[len > 0 ? len : 0] = '\0';
    size_t tail = strlen(deleted);
    if (len > (ssize_t)tail && !strcmp(room + len - tail, deleted))
        room[len - (ssize_t)tail] = '\0';
}

struct upgrade *upgrade_new(uv_loop_t *loop, const struct upgrade_config *config)
{
    struct upgrade *upgrade = memory_new(sizeof *upgrade);
    *upgrade = (struct upgrade){.loop = loop, .config = *config, .handles = 1};
    find_program(upgrade->program);
    uv_timer_init(loop, &upgrade->patience);
    upgrade->patience.data = upgrade;
    return upgrade;
}

void upgrade_free(struct upgrade *upgrade)
{
    if (!upgrade)
        return;
    if (upgrade->trying && !uv_is_closing((uv_handle_t *)&upgrade->trial)) {
        uv_process_kill(&upgrade->trial, SIGKILL);
        close(upgrade->said);
        uv_close((uv_handle_t *)&upgrade->trial, closed);
    }
    uv_close((uv_handle_t *)&upgrade->patience, closed);
}

// The other side

bool upgrade_is_due(int *fd, const char **back)
{
    static char why[BACK_SIZE];
    const char *number = getenv(STATE_VARIABLE), *reason = getenv(BACK_VARIABLE);
    if (!number)
        return false;
    *fd = atoi(number);
    snprintf(why, sizeof why, "%s", reason ? reason : "");
    *back = reason ? why : NULL;
    unsetenv(STATE_VARIABLE);
    unsetenv(BACK_VARIABLE);
    fcntl(*fd, F_SETFD, FD_CLOEXEC);
    return true;
}

void upgrade_go_back(const struct gate_state *state, int fd, const char *why)
{
    setenv(BACK_VARIABLE, why, 1);
    execute(NULL, state, fd);
    log_error("upgrade: and the program before cannot be had back: %s", strerror(errno));
}

void upgrade_answer(const struct gate_state *state, const char *name, const char *error)
{
    char sentence[BACK_SIZE + 64];
    const struct news news = {name, !error, sentence};
    if (error)
        snprintf(sentence, sizeof sentence, "the new program gave up: %s", error);
    else
        snprintf(sentence, sizeof sentence, "upgraded: %s", version_text);
    if (error)
        log_error("upgrade: %s: the program that ran before is back", sentence);
    if (state->asker >= 0)
        control_answer(state->asker, describe, &news);
}

static bool can_run(const struct handover *handover)
{
    struct gate_conf *now, *conf = gate_load_inherited(handover, &now);
    if (!conf)
        return false;
    if (now)
        gate_conf_free(now);
    gate_conf_free(conf);
    return true;
}

int upgrade_trial(void)
{
    struct gate_state state;
    struct handover handover;
    struct fault fault;
    if (!state_read(&state, UPGRADE_TRIAL_STATE_FD, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    state_fini(&state);
    if (!handover_read(&handover, UPGRADE_TRIAL_HANDOVER_FD, handover_size(UPGRADE_TRIAL_HANDOVER_FD, &fault),
                       &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    bool good = can_run(&handover);
    handover_fini(&handover);
    if (!good)
        return 1;
    printf(TAKES_OVER "%s\n", version_text);
    return fflush(stdout) == 0 ? 0 : 1;
}
