// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/denials.h"

#include "cli/query.h"

void denials_print(FILE *out, const struct json_t *answer)
{
    static const struct query_column columns[] = {
        {.title = "LAST", .key = "last"},
        {.title = "PORTAL", .key = "portal", .optional = true},
        {.title = "FROM", .key = "from", .optional = true},
        {.title = "PROTO", .key = "protocol"},
        {.title = "DESTINATION", .key = "destination"},
        {.title = "ADDRESS", .key = "address", .optional = true},
        {.title = "COUNT", .key = "count", .kind = QUERY_NUMBER},
        {.title = "PLACE", .key = "place", .optional = true},
        {.title = "RULE", .key = "rule"},
    };
    char name[64];
    const struct json_t *denials = query_part(answer, "denials");
    if (query_count(denials))
        query_table(out, denials, columns, sizeof columns / sizeof columns[0]);
    else
        fprintf(out, "%s: nothing was denied\n", query_text(name, sizeof name, answer, "name", QUERY_TEXT));
}

void denials_print_count(FILE *out, const struct json_t *status, const char *program)
{
    char name[64];
    size_t count = query_count(query_part(status, "denials"));
    if (count)
        fprintf(out, "  denied      %zu of late: %s denials %s\n", count, program,
                query_text(name, sizeof name, status, "name", QUERY_TEXT));
}
