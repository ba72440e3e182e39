// SPDX-License-Identifier: GPL-2.0-or-later
// One question is on its way at any time, and the next sample begins a second after the last, or later where there is so
// much to tell that telling it would be a load.
#include "cli/top/top.h"

#include "base/memory.h"
#include "cli/top/guard.h"
#include "cli/top/source.h"
#include "config/instance.h"
#include "os/clock.h"
#ifdef USHER_CURSES
#include "cli/top/screen.h"
#else
#include "cli/top/view.h"
#endif

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_A_SECOND = 2000, BATCH_WIDTH = 160, PATIENCE_MS = 200 };

struct top {
    const char *program, *role;
    char name[INSTANCE_NAME_MAX + 1];
    char notice[INSTANCE_NAME_MAX + 64];
    struct view view;
    struct source *source;
    struct sample sample;
    usec_t due; // the next sample
    bool asking, stop;
};

static const char *nobody(struct top *top)
{
    if (top->sample.count || !top->sample.at)
        return NULL;
    if (*top->name)
        snprintf(top->notice, sizeof top->notice, "%s is not running", top->name);
    else if (geteuid())
        snprintf(top->notice, sizeof top->notice, "no %s is running as far as you may see: try sudo", top->role);
    else
        snprintf(top->notice, sizeof top->notice, "no %s is running", top->role);
    return top->notice;
}

static void take(struct top *top, struct sample *sample)
{
    sample_rate(sample, &top->sample);
    sample_fini(&top->sample);
    top->sample = *sample;
    top->due = sample->at + USEC_PER_SEC * (1 + sample->count / ROWS_A_SECOND);
    top->asking = false;
}

// What there is to be done now; true when there is a new sample.
static bool turn(struct top *top)
{
    struct sample sample;
    if (!top->asking && clock_now() >= top->due) {
        top_source_begin(top->source);
        top->asking = true;
    }
    if (!top->asking || !top_source_read(top->source, &sample))
        return false;
    take(top, &sample);
    return true;
}

// Until something happens; `input`: also at the terminal.
static void wait(const struct top *top, bool input)
{
    usec_t now = clock_now();
    int ms = PATIENCE_MS;
    struct pollfd ready[2] = {{.fd = top_source_fd(top->source), .events = POLLIN},
                              {.fd = input ? STDIN_FILENO : -1, .events = POLLIN}};
    if (!top->asking && top->due < now + PATIENCE_MS * USEC_PER_MSEC)
        ms = top->due > now ? (int)((top->due - now) / USEC_PER_MSEC) + 1 : 0;
    poll(ready, 2, ms);
}

// As text

static void print_table(const struct top *top, bool tunnels)
{
    char line[VIEW_LINE_SIZE];
    const struct sample_row **rows = memory_new((top->sample.count + 1) * sizeof *rows);
    size_t count = view_pick(&top->view, &top->sample, tunnels, rows);
    printf("%s\n", view_heading(&top->view, tunnels, BATCH_WIDTH, line));
    for (size_t i = 0; i < count; i++)
        printf("%s\n", view_row(&top->view, rows[i], BATCH_WIDTH, line));
    free(rows);
}

// Two samples, for there are no rates in one.
static int print_once(struct top *top)
{
    char line[VIEW_LINE_SIZE];
    for (int left = 2; left > 0; left -= turn(top))
        wait(top, false);
    const char *none = nobody(top);
    if (none) {
        fprintf(stderr, "%s: %s\n", top->program, none);
        return EXIT_FAILED;
    }
    printf("%s\n\n", view_sum(&top->view, &top->sample, line));
    print_table(top, true);
    if (!top->view.gate) {
        putchar('\n');
        print_table(top, false);
    }
    return EXIT_DONE;
}

#ifdef USHER_CURSES

static volatile sig_atomic_t told_to_end;

static void note_signal(int number)
{
    told_to_end = number;
}

static void listen_to_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    const struct sigaction action = {.sa_handler = note_signal};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
}

static void type(struct top *top, struct screen *screen, enum screen_key key, char character)
{
    char *filter = top->view.filter;
    size_t len = strlen(filter);
    if (key == SCREEN_ENTER || key == SCREEN_ESCAPE)
        screen->typing = false;
    if (key == SCREEN_ESCAPE)
        *filter = '\0';
    else if (key == SCREEN_ERASE && len > 0)
        filter[len - 1] = '\0';
    else if (key == SCREEN_CHARACTER && character && len + 1 < VIEW_FILTER_SIZE)
        filter[len] = character;
    if (key == SCREEN_CHARACTER && len + 1 < VIEW_FILTER_SIZE)
        filter[len + 1] = '\0';
}

static void scroll_by(struct screen *screen, long rows)
{
    long at = (long)screen->scroll + rows;
    screen->scroll = at > 0 ? (size_t)at : 0;
}

static void command(struct top *top, struct screen *screen, char character)
{
    switch (character) {
    case 'q':
    case 'Q':
        top->stop = true;
        break;
    case 's':
        top->view.order = (top->view.order + 1) % VIEW_ORDERS;
        break;
    case '/':
        screen->typing = true;
        break;
    case 'p':
    case ' ':
        screen->paused = !screen->paused;
        break;
    default:
        break;
    }
}

enum { PAGE = 10 };

static void obey(struct top *top, struct screen *screen, enum screen_key key, char character)
{
    static const long scrolls[SCREEN_CHARACTER + 1] = {
        [SCREEN_UP] = -1, [SCREEN_DOWN] = 1, [SCREEN_PAGE_UP] = -PAGE, [SCREEN_PAGE_DOWN] = PAGE};
    if (screen->typing)
        type(top, screen, key, character);
    else if (key == SCREEN_CHARACTER)
        command(top, screen, character);
    else if (key == SCREEN_HOME)
        screen->scroll = 0;
    else
        scroll_by(screen, scrolls[key]);
}

static int draw(void *owner)
{
    struct top *top = owner;
    struct screen screen = {.program = top->program};
    enum screen_key key;
    char character = '\0';
    listen_to_signals();
    if (!screen_begin())
        return print_once(top);
    while (!top->stop && !told_to_end) {
        bool fresh = !screen.paused && turn(top);
        while ((key = screen_read(&character)) != SCREEN_NOTHING) {
            obey(top, &screen, key, character);
            fresh = true;
        }
        screen.notice = nobody(top);
        if (fresh || !top->sample.at)
            screen_draw(&screen, &top->view, &top->sample);
        if (!top->stop && !told_to_end)
            wait(top, true);
    }
    screen_end();
    return EXIT_DONE;
}

static bool may_draw(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && term && *term && strcmp(term, "dumb");
}
#endif

int top_run(const struct command_line *line, const char *program, const char *role)
{
    struct top top = {.program = program, .role = role, .view.gate = !strcmp(role, "gate")};
    struct fault fault;
    if (line->argument && !instance_name(top.name, line->argument, &fault)) {
        fprintf(stderr, "%s: %s\n", program, fault.text);
        return EXIT_WRONG;
    }
    top.source = top_source_new(role, *top.name ? top.name : NULL);
#ifdef USHER_CURSES
    int code = line->once || !may_draw() ? print_once(&top) : guard_run(draw, &top);
#else
    int code = print_once(&top);
#endif
    top_source_free(top.source);
    sample_fini(&top.sample);
    return code;
}
