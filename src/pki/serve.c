// SPDX-License-Identifier: GPL-2.0-or-later
// Two processes for each who asks. One is nobody, reads and judges; the other has the authority's rights, hears of it a
// verdict of fixed size, and never reads a byte from the network. What it runs is given words, not a line for a shell.
#include "pki/serve.h"

#include "base/base64.h"
#include "base/text.h"
#include "enrol/conversation.h"
#include "os/log.h"
#include "os/process/helper.h"
#include "pki/judge.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FILE_MAX = 4 * 1024 * 1024,
    CERTIFICATE_MAX = 16 * 1024,
    JUDGE_MS = 15000,
    GRANT_S = 30, // for the books to be free, and openssl
    SAY_S = 20,
};

static bool read_authority(const struct serve_config *config, struct blob *ca, struct blob *list, struct fault *fault)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/ca.crt", config->dir);
    if (!blob_read(ca, path, FILE_MAX, fault))
        return false;
    snprintf(path, sizeof path, "%s/crl.pem", config->dir);
    return blob_read(list, path, FILE_MAX, fault);
}

// In the child.
static void judge_and_tell(int out, int fd, const struct blob *ca, const struct blob *list)
{
    const struct tls_material material = {
        .ca = ca->bytes, .ca_len = ca->len, .crl = list->bytes, .crl_len = list->len, .role = TLS_GATE};
    static struct judge_verdict verdict;
    judge_hear(&verdict, fd, &material);
    _exit(write(out, &verdict, sizeof verdict) == sizeof verdict ? 0 : 1);
}

_Static_assert(sizeof(struct judge_verdict) <= PIPE_BUF, "written at once");

static bool is_whole(const struct judge_verdict *verdict)
{
    return verdict->result <= JUDGE_SILENT && memchr(verdict->name, '\0', sizeof verdict->name) &&
           memchr(verdict->invitation, '\0', sizeof verdict->invitation) &&
           memchr(verdict->why, '\0', sizeof verdict->why) && verdict->request_len <= REQUEST_MAX;
}

static bool await_verdict(struct judge_verdict *out, int in, pid_t pid)
{
    struct pollfd ready = {.fd = in, .events = POLLIN};
    // As a whole or not at all: it is written at once, and a pipe has room for it.
    ssize_t len = poll(&ready, 1, JUDGE_MS) == 1 ? read(in, out, sizeof *out) : 0;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return len == (ssize_t)sizeof *out && is_whole(out);
}

static bool hear(struct judge_verdict *out, int fd, const struct blob *ca, const struct blob *list)
{
    int ends[2];
    if (pipe(ends) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        judge_and_tell(ends[1], fd, ca, list);
    }
    close(ends[1]);
    bool heard = pid > 0 && await_verdict(out, ends[0], pid);
    close(ends[0]);
    return heard;
}

// `certificate` is a PEM text; or why not.
static bool grant(const struct serve_config *config, const struct judge_verdict *verdict, struct blob *certificate,
                  char why[ENROL_WHY_MAX])
{
    static const char refusal[] = "refused: ";
    char key[2 * SHA256_SIZE + 1], request[BASE64_SIZE(REQUEST_MAX)];
    struct fault fault;
    for (size_t i = 0; i < SHA256_SIZE; i++)
        sprintf(key + 2 * i, "%02x", verdict->key[i]);
    base64_encode(request, verdict->request, verdict->request_len);
    const char *const argv[] = {
        config->script, "grant",      config->dir, verdict->name, *verdict->invitation ? verdict->invitation : "-", key,
        request,        config->life, NULL};
    const struct helper helper = {.name = "usher-pki grant", .argv = argv, .max = CERTIFICATE_MAX, .seconds = GRANT_S};
    if (helper_run(&helper, certificate, &fault) != HELPER_DONE) {
        snprintf(why, ENROL_WHY_MAX,
                 "the authority cannot issue now (%.300s): its log says more, and it can be tried again", fault.text);
        return false;
    }
    if (strncmp((const char *)certificate->bytes, refusal, sizeof refusal - 1))
        return true;
    snprintf(why, ENROL_WHY_MAX, "%.*s", (int)strcspn((const char *)certificate->bytes, "\n") - (int)sizeof refusal + 1,
             (const char *)certificate->bytes + sizeof refusal - 1);
    blob_wipe(certificate);
    return false;
}

static void log_one(const struct judge_verdict *verdict, const struct enrol_answer *answer)
{
    char name[TLS_NAME_SIZE], why[ENROL_WHY_MAX];
    text_escape(name, sizeof name, *verdict->name ? verdict->name : "somebody");
    text_escape(why, sizeof why, answer->why);
    if (!answer->given)
        log_warning("%s: refused: %s", name, why);
    else if (verdict->result == JUDGE_CERTIFICATE)
        log_info("%s: %s", name, *verdict->invitation ? "joined, by its invitation" : "renewed its certificate");
}

static void answer(const struct serve_config *config, int fd, const struct judge_verdict *verdict,
                   const struct blob *list)
{
    struct enrol_answer out = {.given = true, .list = {list->bytes, list->len}};
    struct blob certificate = {0};
    struct fault fault;
    if (verdict->result == JUDGE_REFUSED) {
        out.given = false;
        snprintf(out.why, sizeof out.why, "%s", verdict->why);
    } else if (verdict->result == JUDGE_CERTIFICATE) {
        out.given = grant(config, verdict, &certificate, out.why);
        out.certificate = (struct span){certificate.bytes, certificate.len};
    }
    log_one(verdict, &out);
    struct blob message = enrol_answer_write(&out);
    if (!conversation_say(fd, &message, SAY_S, &fault))
        log_warning("%s: the answer was not taken: %s", verdict->name, fault.text);
    blob_wipe(&message);
    blob_wipe(&certificate);
}

void serve_one(const struct serve_config *config, int fd)
{
    static struct judge_verdict verdict;
    struct blob ca = {0}, list = {0};
    struct fault fault;
    if (!read_authority(config, &ca, &list, &fault))
        log_error("%s", fault.text);
    else if (!hear(&verdict, fd, &ca, &list))
        log_warning("a request could not be judged");
    else if (verdict.result == JUDGE_SILENT)
        log_debug("%s", verdict.why);
    else
        answer(config, fd, &verdict, &list);
    blob_wipe(&ca);
    blob_wipe(&list);
}
