// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/passphrase.h"

#include "base/memory.h"
#include "config/key_command.h"
#include "os/clock.h"
#include "os/process/helper.h"
#include "os/process/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PASSPHRASE_MAX = 1023, // bytes, as OpenSSL takes them
    PATIENCE_S = 90,       // that systemd-ask-password itself has by default
    MARGIN_S = 5,          // for it to say so
    PROMPT_SIZE = 512,
};

// The first line alone.
static bool cut(struct blob *out, const char *whence, struct fault *fault)
{
    const size_t len = strcspn((const char *)out->bytes, "\r\n");
    explicit_bzero(out->bytes + len, out->len - len);
    out->len = len;
    if (len && len <= PASSPHRASE_MAX)
        return true;
    blob_wipe(out);
    return fault_set(fault, "%s: the first line has not 1 to %d bytes", whence, PASSPHRASE_MAX);
}

static bool read_descriptor(struct blob *out, int fd, struct fault *fault)
{
    const usec_t deadline = clock_now() + PATIENCE_S * USEC_PER_SEC;
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    *out = (struct blob){.bytes = memory_new(PASSPHRASE_MAX + 3)};
    while (out->len < PASSPHRASE_MAX + 1 && !memchr(out->bytes, '\n', out->len)) {
        usec_t now = clock_now();
        int ready = now < deadline ? poll(&pollfd, 1, (int)((deadline - now + 999) / 1000)) : 0;
        if (ready == 0) {
            blob_wipe(out);
            return fault_set(fault, "--passphrase-fd: descriptor %d gave no line within %d s", fd, PATIENCE_S);
        }
        ssize_t got = ready < 0 ? -1 : read(fd, out->bytes + out->len, PASSPHRASE_MAX + 1 - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fault_errno(fault, errno, "--passphrase-fd: read descriptor %d", fd);
            blob_wipe(out);
            return false;
        }
        if (got == 0)
            break;
        out->len += (size_t)got;
    }
    return cut(out, "--passphrase-fd", fault);
}

static enum passphrase_answer from_descriptor(struct blob *out, const struct asking *asking, struct fault *fault)
{
    bool good = read_descriptor(out, asking->fd, fault);
    if (asking->fd > STDERR_FILENO)
        close(asking->fd);
    return good ? PASSPHRASE_GIVEN : PASSPHRASE_FAILED;
}

static enum passphrase_answer from_command(struct blob *out, const struct passphrase_question *question,
                                           struct fault *fault)
{
    bool good = key_command_run(out, question->command, fault) && cut(out, "KeyCommand", fault);
    return good ? PASSPHRASE_GIVEN : PASSPHRASE_FAILED;
}

// LoadCredential= of a unit: a directory that the service alone may read, whatever the modes in it look like.
static enum passphrase_answer from_credential(struct blob *out, const struct passphrase_question *question,
                                              struct fault *fault)
{
    char path[4096];
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (!directory || *directory != '/' ||
        snprintf(path, sizeof path, "%s/%s.passphrase", directory, question->instance) >= (int)sizeof path ||
        access(path, F_OK) < 0)
        return PASSPHRASE_NOBODY;
    return blob_read(out, path, PASSPHRASE_MAX + 2, fault) && cut(out, path, fault) ? PASSPHRASE_GIVEN
                                                                                    : PASSPHRASE_FAILED;
}

static const char *prompt(char room[PROMPT_SIZE], const struct passphrase_question *question, const char *end)
{
    snprintf(room, PROMPT_SIZE, "%sPassphrase of %s%s", question->again ? "That was wrong. " : "",
             question->file ? question->file : "what KeyCommand printed", end);
    return room;
}

static enum passphrase_answer from_terminal(struct blob *out, const struct passphrase_question *question,
                                            struct fault *fault)
{
    char text[PROMPT_SIZE];
    return terminal_ask(out, prompt(text, question, ": "), PASSPHRASE_MAX, fault) ? PASSPHRASE_ASKED
                                                                                  : PASSPHRASE_FAILED;
}

// Whoever answers such questions on this machine: the splash screen at boot, wall(1), a desktop.
static enum passphrase_answer from_agents(struct blob *out, const struct passphrase_question *question,
                                          struct fault *fault)
{
    char text[PROMPT_SIZE], timeout[32];
    snprintf(timeout, sizeof timeout, "--timeout=%d", PATIENCE_S);
    const char *const argv[] = {"systemd-ask-password", "--no-tty", timeout, prompt(text, question, ":"), NULL};
    const struct helper helper = {
        .name = argv[0], .argv = argv, .max = PASSPHRASE_MAX + 1, .seconds = PATIENCE_S + MARGIN_S};
    switch (helper_run(&helper, out, fault)) {
    case HELPER_DONE:
        return cut(out, argv[0], fault) ? PASSPHRASE_ASKED : PASSPHRASE_FAILED;
    case HELPER_MISSING:
        return PASSPHRASE_NOBODY;
    default:
        return PASSPHRASE_FAILED;
    }
}

enum passphrase_answer passphrase_get(struct blob *out, const struct asking *asking,
                                      const struct passphrase_question *question, struct fault *fault)
{
    *out = (struct blob){0};
    bool person = terminal_is_there();
    if (asking->fd >= 0)
        return from_descriptor(out, asking, fault);
    if (asking->nobody || (asking->at_terminal_only && !person))
        return PASSPHRASE_NOBODY;
    if (question->command)
        return from_command(out, question, fault);
    enum passphrase_answer answer = from_credential(out, question, fault);
    if (answer != PASSPHRASE_NOBODY)
        return answer;
    return person ? from_terminal(out, question, fault) : from_agents(out, question, fault);
}
