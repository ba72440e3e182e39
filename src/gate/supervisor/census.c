// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing of a page outlives its request: where the next one goes on is said in the answer and comes back with the next
// question. A page is bounded because its JSON is made in one turn, in which nobody is let in.
#include "gate/supervisor/census.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "base/protocol.h"
#include "base/text.h"
#include "gate/audit/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_FLOWS = 1000, // then the page ends, with the answer of which that was the last
    PATIENCE_MS = 500, // of one worker; a busy one answers within a turn of its loop
    REQUESTS_MAX = 16,
};

struct place {
    uint32_t pid; // of a worker
    struct channel_place within;
};

// What one worker has answered.
struct share {
    struct list node;
    char portal[TLS_NAME_SIZE];
    size_t len;
    uint8_t bytes[];
};

struct page {
    struct control_request *request;
    char portal[TLS_NAME_SIZE]; // "": of all
    struct place next;
};

struct census {
    uv_timer_t patience;
    const char *name;
    char *file;
    const struct list *children;
    struct page pages[REQUESTS_MAX]; // the first is the one that is being gathered
    size_t page_count;
    struct list shares; // of the first
    size_t flow_count;
    unsigned silent;           // workers that were passed over
    const struct child *asked; // NULL: nobody
    bool done;                 // there are no more
};

// The answer

static void tell_destination(const struct account *account, struct facts *facts)
{
    char far[AUDIT_TEXT_MAX + 16], shown[4 * sizeof far], address[ADDRESS_TEXT_SIZE];
    if (account->port)
        host_port_text(far, sizeof far, account->asked, account->port);
    else
        snprintf(far, sizeof far, "%s", account->asked);
    facts_text(facts, "destination", "what was asked for", text_escape(shown, sizeof shown, far));
    if (!account->reached.addr.version)
        return;
    address_text(&account->reached.addr, address);
    if (strcmp(address, account->asked))
        facts_text(facts, "address", "where that is", address);
}

static void tell_rule(const struct census *census, const struct account *account, struct facts *facts)
{
    char text[4096 + 16], shown[2 * POLICY_REASON_SIZE];
    if (!*account->rule)
        return;
    facts_text(facts, "rule", "that allowed it", text_escape(shown, sizeof shown, account->rule));
    if (!account->line)
        return;
    snprintf(text, sizeof text, "%.4096s:%u", census->file, account->line);
    facts_text(facts, "place", "of the rule", text);
}

static void tell_flow(const struct census *census, const char *portal, const struct audit_record *record,
                      struct facts *facts)
{
    const struct account *account = &record->account;
    char shown[2 * AUDIT_TEXT_MAX], from[ENDPOINT_TEXT_SIZE];
    struct fact_label label = {.name = "portal", .value = portal};
    facts_item(facts, &label);
    facts_text(facts, "portal", "whose it is, by its certificate", portal);
    facts_text(facts, "opened_by", "portal or gate", account->ours ? "gate" : "portal");
    facts_text(facts, "via", "the way into or out of the tunnel that it takes",
               text_escape(shown, sizeof shown, account->via));
    facts_text(facts, "protocol", "tcp, udp, icmp or icmpv6", protocol_text(account->protocol));
    if (account->from.addr.version)
        facts_text(facts, "from", "who asked for it", endpoint_text(&account->from, from));
    tell_destination(account, facts);
    tell_rule(census, account, facts);
    facts_text(facts, "state", "what the flow is at", text_escape(shown, sizeof shown, record->text));
    facts_counter(facts, "bytes_in", "payload from the portal", FACT_BYTES, account->received);
    facts_counter(facts, "bytes_out", "payload to the portal", FACT_BYTES, account->sent);
    facts_gauge(facts, "age_s", "since it was opened", FACT_SECONDS, account->ms / 1000);
    facts_item_end(facts);
}

static void tell_share(const struct census *census, const struct share *share, struct facts *facts)
{
    char portal[2 * TLS_NAME_SIZE];
    struct reader r = reader_over(share->bytes, share->len);
    struct audit_record record;
    text_escape(portal, sizeof portal, share->portal);
    while (reader_left(&r) && audit_record_read(&r, &record))
        tell_flow(census, portal, &record, facts);
}

static bool is_wanted(const struct page *page, const struct child *child)
{
    return child->up && (!*page->portal || !strcasecmp(page->portal, child->name));
}

static uint64_t count_portals(const struct census *census)
{
    uint64_t count = 0;
    list_for_each(node, census->children)
        count += is_wanted(&census->pages[0], container_of(node, struct child, node));
    return count;
}

static void describe(const void *part, struct facts *facts)
{
    const struct census *census = part;
    const struct place *next = &census->pages[0].next;
    char text[64];
    facts_text(facts, "name", "of the instance", census->name);
    facts_text(facts, "role", "what kind of program it is", "gate");
    facts_gauge(facts, "tunnels", "of which flows are told", FACT_COUNT, count_portals(census));
    facts_list(facts, "flows");
    list_for_each(node, &census->shares)
        tell_share(census, container_of(node, struct share, node), facts);
    facts_end(facts);
    facts_gauge(facts, "silent", "tunnels whose workers did not answer in time", FACT_COUNT, census->silent);
    if (census->done)
        return;
    snprintf(text, sizeof text, "%" PRIu32 ".%" PRIx64 ".%" PRIx64, next->pid, next->within.began, next->within.mark);
    facts_text(facts, "next", "behind which place there are more", text);
}

// The gathering

static void drop_shares(struct census *census)
{
    list_for_each(node, &census->shares) {
        list_remove(node);
        free(container_of(node, struct share, node));
    }
    census->flow_count = 0;
    census->silent = 0;
    census->done = false;
}

static void answer(struct census *census)
{
    control_reply(census->pages[0].request, describe, census);
    drop_shares(census);
    census->page_count--;
    memmove(&census->pages[0], &census->pages[1], census->page_count * sizeof census->pages[0]);
}

// The one with the least number from that on.
static struct child *find(const struct census *census, const struct page *page)
{
    struct child *found = NULL;
    list_for_each(node, census->children) {
        struct child *child = container_of(node, struct child, node);
        bool is_due = is_wanted(page, child) && (uint32_t)child->pid >= page->next.pid;
        if (is_due && (!found || child->pid < found->pid))
            found = child;
    }
    return found;
}

static void pass_over(struct page *page, const struct child *child)
{
    page->next = (struct place){.pid = (uint32_t)child->pid + 1};
}

// Until somebody is asked.
static void go_on(struct census *census)
{
    census->asked = NULL;
    uv_timer_stop(&census->patience);
    while (census->page_count && !census->asked) {
        struct page *page = &census->pages[0];
        struct child *child = find(census, page);
        if (child && (uint32_t)child->pid > page->next.pid)
            page->next = (struct place){.pid = (uint32_t)child->pid};
        census->done = !child;
        if (!child || census->flow_count >= PAGE_FLOWS) {
            answer(census);
        } else if (child_ask_flows(child, &page->next.within)) {
            census->asked = child;
        } else {
            census->silent++;
            pass_over(page, child);
        }
    }
}

static void ran_out(uv_timer_t *timer)
{
    struct census *census = timer->data;
    census->silent++;
    pass_over(&census->pages[0], census->asked);
    go_on(census);
}

static void await(struct census *census)
{
    go_on(census);
    if (census->asked)
        uv_timer_start(&census->patience, ran_out, PATIENCE_MS, 0);
}

void census_gone(struct census *census, const struct child *child)
{
    if (census->asked == child)
        await(census);
}

void census_told(struct census *census, const struct child *child, const struct channel_message *message)
{
    if (census->asked != child)
        return; // too late
    struct share *share = memory_new(sizeof *share + message->flows.len);
    struct reader r = reader_over(message->flows.bytes, message->flows.len);
    struct audit_record record;
    strcpy(share->portal, child->name);
    share->len = message->flows.len;
    memcpy(share->bytes, message->flows.bytes, share->len);
    list_push_back(&census->shares, &share->node);
    while (reader_left(&r) && audit_record_read(&r, &record))
        census->flow_count++;
    if (message->flows.more)
        census->pages[0].next = (struct place){(uint32_t)child->pid, message->flows.last};
    else
        pass_over(&census->pages[0], child);
    await(census);
}

// Requests

static bool parse(struct page *page, const char *line)
{
    int len = 0;
    line += strlen("flows");
    if (!strncmp(line, " after ", 7)) {
        if (sscanf(line, " after %" SCNu32 ".%" SCNx64 ".%" SCNx64 "%n", &page->next.pid, &page->next.within.began,
                   &page->next.within.mark, &len) != 3)
            return false;
        line += len;
    }
    if (!strncmp(line, " of ", 4) && line[4] && strlen(line + 4) < sizeof page->portal) {
        strcpy(page->portal, line + 4);
        line += strlen(line);
    }
    return !*line;
}

void census_request(struct census *census, const char *line, struct control_request *request)
{
    struct page page = {.request = request};
    if (!parse(&page, line)) {
        control_refuse(request, "flows: no such place, or portal");
        return;
    }
    if (census->page_count == REQUESTS_MAX) {
        control_refuse(request, "busy");
        return;
    }
    census->pages[census->page_count++] = page;
    if (census->page_count == 1)
        await(census);
}

// Life

struct census *census_new(uv_loop_t *loop, const char *name, const char *file, const struct list *children)
{
    struct census *census = memory_new(sizeof *census);
    census->name = name;
    census->file = memory_text(file);
    census->children = children;
    list_init(&census->shares);
    uv_timer_init(loop, &census->patience);
    census->patience.data = census;
    return census;
}

static void closed(uv_handle_t *handle)
{
    struct census *census = handle->data;
    drop_shares(census);
    free(census->file);
    free(census);
}

void census_free(struct census *census)
{
    if (census)
        uv_close((uv_handle_t *)&census->patience, closed);
}
