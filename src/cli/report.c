// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/report.h"

#include "base/memory.h"
#include "cli/command.h"
#include "cli/facts_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 1024 };

struct report_step {
    const char *step;
    enum report_result result;
    usec_t took;         // USEC_NEVER: not told
    char *text, *remedy; // remedy: NULL for none
};

static char *format_text(const char *format, va_list args)
{
    char text[TEXT_SIZE];
    vsnprintf(text, sizeof text, format, args);
    return memory_text(text);
}

void report_step(struct report *report, const char *step, enum report_result result, const char *format, ...)
{
    va_list args;
    report->steps = memory_resize(report->steps, (report->count + 1) * sizeof *report->steps);
    va_start(args, format);
    report->steps[report->count++] = (struct report_step){step, result, USEC_NEVER, format_text(format, args), NULL};
    va_end(args);
}

static struct report_step *latest(struct report *report)
{
    return &report->steps[report->count - 1];
}

void report_took(struct report *report, usec_t took)
{
    latest(report)->took = took;
}

void report_remedy(struct report *report, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    free(latest(report)->remedy);
    latest(report)->remedy = format_text(format, args);
    va_end(args);
}

bool report_has_failed(const struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->steps[i].result == REPORT_FAILED)
            return true;
    return false;
}

static const char *word(enum report_result result)
{
    static const char *const words[] = {[REPORT_WELL] = "ok", [REPORT_NOTE] = "note", [REPORT_FAILED] = "failed"};
    return words[result];
}

static void describe(const void *part, struct facts *facts)
{
    const struct report *report = part;
    facts_text(facts, "subject", "what is explained", report->subject);
    facts_gauge(facts, "works", "whether no step has failed", FACT_SWITCH, !report_has_failed(report));
    facts_list(facts, "steps");
    for (size_t i = 0; i < report->count; i++) {
        const struct report_step *step = &report->steps[i];
        struct fact_label label = {.name = "step", .value = step->step};
        facts_item(facts, &label);
        facts_text(facts, "step", "what it is about", step->step);
        facts_text(facts, "result", "ok, note or failed", word(step->result));
        facts_text(facts, "text", "what was found", step->text);
        if (step->took != USEC_NEVER)
            facts_gauge(facts, "took_us", "how long that took", FACT_MICROSECONDS, step->took);
        if (step->remedy)
            facts_text(facts, "remedy", "what helps", step->remedy);
        facts_item_end(facts);
    }
    facts_end(facts);
}

static void print(const struct report *report)
{
    printf("%s\n", report->subject);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_step *step = &report->steps[i];
        printf("  %-6s  %-11s  %s", step->result == REPORT_FAILED ? "FAILED" : word(step->result), step->step,
               step->text);
        if (step->took != USEC_NEVER)
            printf(" (%.2f ms)", (double)step->took / 1000);
        putchar('\n');
        if (step->remedy)
            printf("          %-11s  %s\n", "remedy", step->remedy);
    }
}

int report_end(struct report *report, bool json)
{
    int code = report_has_failed(report) ? EXIT_FAILED : EXIT_DONE;
    if (json) {
        char *text = facts_json(describe, report);
        puts(text);
        free(text);
    } else {
        print(report);
    }
    for (size_t i = 0; i < report->count; i++) {
        free(report->steps[i].text);
        free(report->steps[i].remedy);
    }
    free(report->steps);
    return code;
}
