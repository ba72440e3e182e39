// SPDX-License-Identifier: GPL-2.0-or-later
// The files lie where the supervisor can read them, in a sealed memory file they are handed on, and their contents are
// judged by a child process, as at the start. Sentences are gathered in a memory file of their own, since that child
// writes some of them.
#include "gate/renewal.h"

#include "base/memory.h"
#include "config/changes.h"
#include "os/file_watch.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    SENTENCES_MAX = 64 * 1024, // bytes; a file full of mistakes has more, and its first ones will do
    FILES = 5,
};

struct renewal {
    struct renewal_config config;
    uv_loop_t *loop;
    struct file_watch *watch;
    struct gate_conf *conf; // NULL: as at the start
    struct blob began;      // the text of that
    int handover_fd;
    char *sentences;  // of the last run that had any to say, a line each; NULL: none yet
    bool silent;      // the last run had none
    bool refused;     // something, in the last run
    bool was_refused; // in the one before
    time_t renewed;   // 0: never
};

static const struct {
    const char *section, *key;
    const char *when;
} SLOW[] = {
    {"Gate", "Listen", "when the gate is started again"},
    {"Access", "Forward", "when the gate is started again"},
    {"Access", "Export", "when the gate is started again"},
    {"Access", "Map", "when the gate is started again"},
    {"Gate", "User", "at the next login of each portal"},
    {"Gate", "DNS", "at the next login of each portal"},
    {"Gate", "MinimumTLS", "at the next login of each portal"},
    {"Gate", "MaxConnecting", "at the next login of each portal"},
    {"Gate", "OpensPerSecond", "at the next login of each portal"},
    {"Gate", "OpensBurst", "at the next login of each portal"},
    {"Gate", "ConnectTimeout", "at the next login of each portal"},
    {"Gate", "UdpTimeout", "at the next login of each portal"},
    {"Gate", "DnsTimeout", "at the next login of each portal"},
    {"Access", "Source", "at the next login of the portal"},
    {"Access", "Local", "at the next login of the portal"},
};

const struct gate_conf *renewal_conf(const struct renewal *renewal)
{
    return renewal->conf ? renewal->conf : renewal->config.conf;
}

int renewal_handover_fd(const struct renewal *renewal)
{
    return renewal->handover_fd;
}

static void file_changed(void *owner)
{
    renewal_run(owner);
}

// False with a fault, and then what was watched is watched still.
static bool watch(struct renewal *renewal, struct fault *fault)
{
    const struct credential_keys *keys = &renewal_conf(renewal)->credentials;
    char path[4096];
    instance_config_path(path, sizeof path, renewal->config.name_or_file);
    const char *const files[FILES] = {path, keys->ca, keys->certificate, keys->key, keys->crl};
    struct file_watch *watch = file_watch_new(renewal->loop, files, FILES, file_changed, renewal, fault);
    if (!watch)
        return false;
    file_watch_free(renewal->watch);
    renewal->watch = watch;
    return true;
}

// What has changed, in words; "" when nothing has.
static const char *changes(const struct handover *before, const struct handover *now, char *room, size_t size)
{
    const struct {
        const char *what;
        const struct blob *before, *now;
    } parts[] = {
        {"configuration", &before->config, &now->config},
        {"CA", &before->credentials.ca, &now->credentials.ca},
        {"certificate", &before->credentials.certificate, &now->credentials.certificate},
        {"key", &before->credentials.key, &now->credentials.key},
        {"revocation list", &before->credentials.crl, &now->credentials.crl},
    };
    size_t len = 0;
    *room = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!blob_equal(parts[i].before, parts[i].now))
            len += (size_t)snprintf(room + len, size - len, "%s%s", len ? ", " : "", parts[i].what);
    return room;
}

// What is not so at once, of what the text says anew.
static void tell_slow(const struct handover *before, const struct handover *now, FILE *report)
{
    for (size_t i = 0; i < sizeof SLOW / sizeof SLOW[0]; i++)
        if (config_key_changed(&before->config, &now->config, SLOW[i].section, SLOW[i].key))
            fprintf(report, "%s takes effect %s\n", SLOW[i].key, SLOW[i].when);
}

// False when it cannot be handed on.
static bool put_in_force(struct renewal *renewal, struct gate_conf *conf, struct handover *now, FILE *report)
{
    struct fault fault;
    if (!blob_equal(&renewal->began, &now->config))
        now->began = blob_copy(&renewal->began);
    int fd = handover_write(now, &fault);
    if (fd < 0) {
        fprintf(report, "%s\n", fault.text);
        return false;
    }
    close(renewal->handover_fd);
    renewal->handover_fd = fd;
    struct gate_conf *old = renewal->conf;
    renewal->conf = conf;
    renewal->renewed = time(NULL);
    renewal->config.renewed(renewal->config.owner);
    if (!watch(renewal, &fault))
        fprintf(report, "%s\n", fault.text);
    if (old)
        gate_conf_free(old);
    return true;
}

// True when nothing was mistaken.
static bool renew(struct renewal *renewal, struct handover *before, FILE *report)
{
    struct handover now = {0};
    char words[128];
    bool flawless;
    struct gate_conf *conf = gate_load_again(renewal->config.name_or_file, before, &now, report, &flawless);
    if (!conf) {
        fprintf(report, "nothing new is in force\n");
        return false;
    }
    now.servers = blob_copy(&before->servers);
    if (*changes(before, &now, words, sizeof words)) {
        fprintf(report, "new and in force: %s\n", words);
        tell_slow(before, &now, report);
        if (put_in_force(renewal, conf, &now, report))
            conf = NULL;
        else
            flawless = false;
    }
    if (conf)
        gate_conf_free(conf);
    handover_fini(&now);
    return flawless;
}

static void log_sentences(const struct renewal *renewal)
{
    char *copy = memory_text(renewal->sentences), *left = copy;
    for (char *line; (line = strsep(&left, "\n"));)
        if (*line && renewal->refused)
            log_warning("reading again: %s", line);
        else if (*line)
            log_info("reading again: %s", line);
    free(copy);
}

static void take_sentences(struct renewal *renewal, FILE *report)
{
    fflush(report);
    char *sentences = memory_new(SENTENCES_MAX + 1);
    ssize_t len = pread(fileno(report), sentences, SENTENCES_MAX, 0);
    sentences[len > 0 ? len : 0] = '\0';
    bool same = renewal->sentences && !strcmp(sentences, renewal->sentences);
    renewal->silent = !*sentences;
    if (renewal->silent && !renewal->was_refused) { // what was said before is true still
        free(sentences);
        return;
    }
    free(renewal->sentences);
    renewal->sentences = sentences;
    if (!same) // a file that is touched again and again with the same mistake
        log_sentences(renewal);
}

static bool run(struct renewal *renewal, FILE *report)
{
    struct handover before;
    struct fault fault;
    if (!handover_read(&before, renewal->handover_fd, handover_size(renewal->handover_fd, &fault), &fault)) {
        fprintf(report, "%s\n", fault.text);
        return false;
    }
    bool flawless = renew(renewal, &before, report);
    handover_fini(&before);
    return flawless;
}

bool renewal_run(struct renewal *renewal)
{
    int fd = memfd_create("usher-report", MFD_CLOEXEC);
    FILE *report = fd >= 0 ? fdopen(fd, "w+") : NULL;
    renewal->was_refused = renewal->refused;
    if (!report) {
        log_error("reading again: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        renewal->refused = true;
        return false;
    }
    renewal->refused = !run(renewal, report);
    take_sentences(renewal, report);
    fclose(report);
    return !renewal->refused;
}

void renewal_describe_last(const struct renewal *renewal, struct facts *facts)
{
    char *copy = memory_text(renewal->sentences ? renewal->sentences : ""), *left = copy;
    facts_gauge(facts, "done", "whether nothing of it was refused", FACT_SWITCH, !renewal->refused);
    facts_list(facts, "messages");
    if (renewal->silent)
        facts_text(facts, "", "what was found when all was read again", "nothing has changed since it was last read");
    for (char *line; (line = strsep(&left, "\n"));)
        if (*line)
            facts_text(facts, "", "what was found when all was read again", line);
    facts_end(facts);
    free(copy);
}

void renewal_describe(const struct renewal *renewal, struct facts *facts)
{
    char *copy = memory_text(renewal->sentences ? renewal->sentences : ""), *left = copy;
    if (renewal->renewed)
        facts_gauge(facts, "renewed", "when something new was put in force", FACT_UNIX_SECONDS,
                    (uint64_t)renewal->renewed);
    facts_list(facts, "refused");
    for (char *line; renewal->refused && (line = strsep(&left, "\n"));)
        if (*line)
            facts_text(facts, "", "why something of what lies there now is not in force", line);
    facts_end(facts);
    free(copy);
}

struct renewal *renewal_new(uv_loop_t *loop, const struct renewal_config *config, struct handover *handover,
                            struct fault *fault)
{
    struct renewal *renewal = memory_new(sizeof *renewal);
    renewal->config = *config;
    renewal->loop = loop;
    renewal->began = blob_copy(&handover->config);
    renewal->handover_fd = handover_write(handover, fault);
    handover_fini(handover);
    if (renewal->handover_fd < 0) {
        renewal_free(renewal);
        return NULL;
    }
    if (!watch(renewal, fault))
        log_warning("changes of files are not noticed until they are to be read again (usher-gate reload): %s",
                    fault->text);
    return renewal;
}

void renewal_free(struct renewal *renewal)
{
    if (!renewal)
        return;
    file_watch_free(renewal->watch);
    if (renewal->handover_fd >= 0)
        close(renewal->handover_fd);
    if (renewal->conf)
        gate_conf_free(renewal->conf);
    blob_wipe(&renewal->began);
    free(renewal->sentences);
    free(renewal);
}
