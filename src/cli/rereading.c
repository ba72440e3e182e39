// SPDX-License-Identifier: GPL-2.0-or-later
// Sentences are gathered in a memory file, since a child that judges writes some of them.
#include "cli/rereading.h"

#include "base/memory.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SENTENCES_MAX = 64 * 1024 }; // bytes; a file full of mistakes has more, and its first ones will do

struct rereading {
    char *sentences;  // of the last run that had any to say, a line each; NULL: none yet
    bool silent;      // the last run had none
    bool refused;     // something, in the last run
    bool was_refused; // in the one before
    time_t renewed;   // 0: never
};

struct rereading *rereading_new(void)
{
    return memory_new(sizeof(struct rereading));
}

void rereading_free(struct rereading *rereading)
{
    if (!rereading)
        return;
    free(rereading->sentences);
    free(rereading);
}

FILE *rereading_begin(struct rereading *rereading)
{
    int fd = memfd_create("usher-report", MFD_CLOEXEC);
    FILE *report = fd >= 0 ? fdopen(fd, "w+") : NULL;
    rereading->was_refused = rereading->refused;
    if (report)
        return report;
    log_error("reading again: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    rereading->refused = true;
    return NULL;
}

static void log_sentences(const struct rereading *rereading)
{
    char *copy = memory_text(rereading->sentences), *left = copy;
    for (char *line; (line = strsep(&left, "\n"));)
        if (*line && rereading->refused)
            log_warning("reading again: %s", line);
        else if (*line)
            log_info("reading again: %s", line);
    free(copy);
}

static void take_sentences(struct rereading *rereading, FILE *report)
{
    fflush(report);
    char *sentences = memory_new(SENTENCES_MAX + 1);
    ssize_t len = pread(fileno(report), sentences, SENTENCES_MAX, 0);
    sentences[len > 0 ? len : 0] = '\0';
    bool same = rereading->sentences && !strcmp(sentences, rereading->sentences);
    rereading->silent = !*sentences;
    if (rereading->silent && !rereading->was_refused) { // what was said before is true still
        free(sentences);
        return;
    }
    free(rereading->sentences);
    rereading->sentences = sentences;
    if (!same) // a file that is touched again and again with the same mistake
        log_sentences(rereading);
}

void rereading_end(struct rereading *rereading, FILE *report, bool flawless, bool renewed)
{
    rereading->refused = !flawless;
    if (renewed)
        rereading->renewed = time(NULL);
    take_sentences(rereading, report);
    fclose(report);
}

void rereading_describe_last(const struct rereading *rereading, struct facts *facts)
{
    char *copy = memory_text(rereading->sentences ? rereading->sentences : ""), *left = copy;
    facts_gauge(facts, "done", "whether nothing of it was refused", FACT_SWITCH, !rereading->refused);
    facts_list(facts, "messages");
    if (rereading->silent)
        facts_text(facts, "", "what was found when all was read again", "nothing has changed since it was last read");
    for (char *line; (line = strsep(&left, "\n"));)
        if (*line)
            facts_text(facts, "", "what was found when all was read again", line);
    facts_end(facts);
    free(copy);
}

void rereading_describe(const struct rereading *rereading, struct facts *facts)
{
    char *copy = memory_text(rereading->sentences ? rereading->sentences : ""), *left = copy;
    if (rereading->renewed)
        facts_gauge(facts, "renewed", "when something new was put in force", FACT_UNIX_SECONDS,
                    (uint64_t)rereading->renewed);
    facts_list(facts, "refused");
    for (char *line; rereading->refused && (line = strsep(&left, "\n"));)
        if (*line)
            facts_text(facts, "", "why something of what lies there now is not in force", line);
    facts_end(facts);
    free(copy);
}
