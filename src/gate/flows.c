// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/flows.h"

#include "cli/query.h"
#include "link/tls/tls.h"

#include <stdio.h>
#include <string.h>

static void print(FILE *out, const struct json_t *answer)
{
    static const struct query_column columns[] = {
        {.title = "PORTAL", .key = "portal"},
        {.title = "PROTO", .key = "protocol"},
        {.title = "FROM", .key = "from", .optional = true},
        {.title = "DESTINATION", .key = "destination"},
        {.title = "ADDRESS", .key = "address", .optional = true},
        {.title = "STATE", .key = "state"},
        {.title = "IN", .key = "bytes_in", .kind = QUERY_BYTES},
        {.title = "OUT", .key = "bytes_out", .kind = QUERY_BYTES},
        {.title = "AGE", .key = "age_s", .kind = QUERY_SECONDS},
        {.title = "RULE", .key = "rule", .optional = true},
    };
    char name[64], text[256];
    const struct json_t *flows = query_part(answer, "flows");
    fprintf(out, "%s: flows: %zu\n", query_text(name, sizeof name, answer, "name", QUERY_TEXT), query_count(flows));
    if (query_count(flows))
        query_table(out, flows, columns, sizeof columns / sizeof columns[0]);
    if (strcmp(query_text(text, sizeof text, answer, "silent", QUERY_NUMBER), "0"))
        fprintf(out, "  tunnels whose processes did not answer in time: %s\n", text);
    if (strcmp(query_text(text, sizeof text, answer, "next", QUERY_TEXT), "-"))
        fprintf(out, "  there are more\n");
}

int flows_run(const struct command_line *line)
{
    char nothing[TLS_NAME_SIZE + 64];
    const char *portal = line->argument;
    if (portal && (!*portal || strlen(portal) >= TLS_NAME_SIZE || strpbrk(portal, "\r\n"))) {
        fprintf(stderr, "usher-gate: no portal has such a name\n");
        return EXIT_WRONG;
    }
    snprintf(nothing, sizeof nothing, "no portal %s is connected", portal ? portal : "");
    const struct query query = {
        .program = "usher-gate",
        .role = "gate",
        .line = "flows",
        .pages = "flows",
        .by = "portal",
        .of = portal,
        .json = line->json,
        .print = print,
        .done = portal ? "tunnels" : NULL,
        .nothing = nothing,
        .failure = EXIT_FAILED,
    };
    return query_run(&query);
}
