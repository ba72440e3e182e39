// SPDX-License-Identifier: GPL-2.0-or-later
// status, flows and reload, as text.

#include "cli/denials.h"
#include "cli/expiry.h"
#include "cli/query.h"
#include "cli/runtime.h"
#include "cli/top/top.h"
#include "portal/commands.h"

#include <stdio.h>
#include <string.h>

enum { VALUE_SIZE = 320 };

static const char *text(char *room, const struct json_t *object, const char *key)
{
    return query_text(room, VALUE_SIZE, object, key, QUERY_TEXT);
}

static void print_status(FILE *out, const struct json_t *status)
{
    static const struct query_column leaving[] = {
        {.title = "TUNNEL THAT IS LEFT", .key = "gate"},
        {.title = "SESSIONS", .key = "sessions", .kind = QUERY_NUMBER},
        {.title = "SINCE", .key = "left_s", .kind = QUERY_SECONDS},
    };
    char a[VALUE_SIZE], b[VALUE_SIZE], c[VALUE_SIZE];
    const struct json_t *identity = query_part(status, "identity");
    fprintf(out, "%s: %s since %s\n", text(a, status, "name"), text(b, status, "state"), text(c, status, "since"));
    fprintf(out, "  gate        %s\n", text(a, status, "gate"));
    if (strcmp(text(a, status, "proxy"), "-"))
        fprintf(out, "  proxy       %s\n", a);
    if (identity) {
        fprintf(out, "  identity    %s, serial %s\n", text(a, identity, "name"), text(b, identity, "serial"));
        fprintf(out, "  expires     %s\n", text(a, identity, "expires"));
        fprintf(out, "  cipher      %s\n", text(a, identity, "cipher"));
        fprintf(out, "  round trip  %s\n", query_text(a, VALUE_SIZE, status, "rtt_us", QUERY_MILLISECONDS));
    }
    if (strcmp(query_text(a, sizeof a, status, "pauses", QUERY_NUMBER), "-") && strcmp(a, "0"))
        fprintf(out, "  pauses      %s, the last of %s\n", a,
                query_text(b, sizeof b, status, "last_pause_us", QUERY_MILLISECONDS));
    if (strcmp(text(a, status, "device"), "-"))
        fprintf(out, "  device      %s\n", a);
    query_lines(out, "  dns         ", query_part(status, "dns"));
    if (strcmp(text(a, status, "system_dns"), "-"))
        fprintf(out, "  system DNS  %s\n", a);
    query_lines(out, "  socks       ", query_part(status, "socks"));
    query_lines(out, "  forwards    ", query_part(status, "forwards"));
    fprintf(out, "  flows       %s\n", text(a, status, "flows"));
    fprintf(out, "  bytes       %s in, %s out\n", query_text(a, VALUE_SIZE, status, "bytes_in", QUERY_BYTES),
            query_text(b, VALUE_SIZE, status, "bytes_out", QUERY_BYTES));
    if (query_count(query_part(status, "leaving")))
        query_table(out, query_part(status, "leaving"), leaving, sizeof leaving / sizeof leaving[0]);
    fprintf(out, "  pid         %s\n", text(a, status, "pid"));
    if (strcmp(text(a, status, "last_error"), "-"))
        fprintf(out, "  last error  %s\n", a);
    denials_print_count(out, status, "usher-tun");
    query_lines(out, "  refused     ", query_part(status, "refused"));
    expiry_print(out, status);
}

static void print_flows(FILE *out, const struct json_t *answer)
{
    static const struct query_column columns[] = {
        {.title = "PROTO", .key = "protocol"},
        {.title = "INSIDE", .key = "inside"},
        {.title = "FAR", .key = "far"},
        {.title = "LEADS TO", .key = "leads_to", .optional = true},
        {.title = "STATE", .key = "state"},
        {.title = "OUT", .key = "bytes_out", .kind = QUERY_BYTES},
        {.title = "IN", .key = "bytes_in", .kind = QUERY_BYTES},
        {.title = "AGE", .key = "age_s", .kind = QUERY_SECONDS},
    };
    query_table(out, query_part(answer, "flows"), columns, sizeof columns / sizeof columns[0]);
}

static int ask(const struct command_line *line, const char *request,
               void (*print)(FILE *out, const struct json_t *answer))
{
    const struct query query = {
        .program = "usher-tun",
        .role = "portal",
        .line = request,
        .print = print,
    };
    return query_run_typed(&query, line);
}

static void print_reload(FILE *out, const struct json_t *answer)
{
    (void)out;
    query_lines(stderr, "usher-tun: ", query_part(answer, "messages"));
}

int command_reload(const struct command_line *line)
{
    const struct query query = {
        .program = "usher-tun",
        .role = "portal",
        .line = "reload",
        .print = print_reload,
        .done = "done",
        .nothing = "not all of it is in force",
        .failure = EXIT_WRONG,
    };
    return query_run_typed(&query, line);
}

int command_status(const struct command_line *line)
{
    return ask(line, "status", print_status);
}

int command_flows(const struct command_line *line)
{
    return ask(line, "flows", print_flows);
}

int command_denials(const struct command_line *line)
{
    return ask(line, "denials", denials_print);
}

int command_top(const struct command_line *line)
{
    return top_run(line, "usher-tun", "portal");
}
