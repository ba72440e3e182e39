// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/audit/line.h"

#include "base/host_name.h"
#include "base/json.h"
#include "base/protocol.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TIME_SIZE = 40 };

uint64_t audit_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// RFC 3339. A worker may say any time; one that no calendar has is the beginning of all.
static const char *time_text(char room[TIME_SIZE], uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (ms / 1000 > 253402300799 || !gmtime_r(&seconds, &tm)) {
        seconds = 0;
        gmtime_r(&seconds, &tm);
    }
    size_t len = strftime(room, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(room + len, TIME_SIZE - len, ".%03uZ", (unsigned)(ms % 1000));
    return room;
}

static struct json_line begin(char *room, uint64_t at, const char *event, const char *gate)
{
    char time[TIME_SIZE];
    struct json_line line = json_begin(room, AUDIT_LINE_MAX);
    json_text(&line, "time", time_text(time, at));
    json_text(&line, "event", event);
    json_text(&line, "gate", gate);
    return line;
}

static size_t end(struct json_line *line)
{
    size_t len = json_end(line);
    assert(len); // every text has its bound
    return len;
}

static void put_tunnel(struct json_line *line, const struct audit_tunnel *tunnel)
{
    char id[40], peer[ENDPOINT_TEXT_SIZE];
    snprintf(id, sizeof id, "%llx-%lx", (unsigned long long)tunnel->since, (unsigned long)tunnel->pid);
    json_text(line, "portal", tunnel->portal);
    json_text(line, "serial", tunnel->serial);
    json_text(line, "peer", endpoint_text(&tunnel->peer, peer));
    json_text(line, "tunnel", id);
}

static void put_destination(struct json_line *line, const struct account *account)
{
    char text[AUDIT_TEXT_MAX + 16], address[ADDRESS_TEXT_SIZE];
    if (account->port)
        host_port_text(text, sizeof text, account->asked, account->port);
    else
        snprintf(text, sizeof text, "%s", account->asked);
    json_text(line, "destination", text);
    if (!account->reached.addr.version)
        return;
    address_text(&account->reached.addr, address);
    if (strcmp(address, account->asked))
        json_text(line, "address", address);
}

static void put_rule(struct json_line *line, const char *file, const struct account *account)
{
    char text[4096 + 16];
    if (!*account->rule)
        return;
    json_text(line, "rule", account->rule);
    if (!account->line)
        return;
    snprintf(text, sizeof text, "%.4096s:%u", file, account->line);
    json_text(line, "place", text);
}

static const char *end_text(const struct audit_record *record)
{
    static const char *const texts[AUDIT_ENDS] = {
        [AUDIT_CLOSED] = "closed",   [AUDIT_REFUSED] = "refused", [AUDIT_RESET] = "reset", [AUDIT_LOST] = "lost",
        [AUDIT_REVOKED] = "revoked", [AUDIT_DRAINED] = "drained", [AUDIT_ENDED] = "ended",
    };
    bool denied = record->end == AUDIT_REFUSED && record->account.how.word == USHER_DENIED;
    return denied && record->kind == AUDIT_SESSION ? "denied" : texts[record->end];
}

static void put_end(struct json_line *line, const struct audit_record *record)
{
    static const char *const words[USHER_WORDS] = {
        [USHER_FAILED] = "failed",   [USHER_REFUSED] = "refused",         [USHER_UNREACHABLE] = "unreachable",
        [USHER_TIMEOUT] = "timeout", [USHER_DENIED] = "denied",           [USHER_RESOLVE] = "resolve",
        [USHER_LIMIT] = "limit",     [USHER_UNSUPPORTED] = "unsupported",
    };
    const struct usher_over *how = &record->account.how;
    json_text(line, "end", end_text(record));
    if (record->end == AUDIT_REFUSED || record->end == AUDIT_RESET) {
        json_text(line, "by", how->by_us ? "gate" : "portal");
        json_text(line, "why", words[how->word]);
    }
    if (*record->text)
        json_text(line, "text", record->text);
}

static void put_account(struct json_line *line, const struct audit_place *place, const struct audit_record *record)
{
    const struct account *account = &record->account;
    char from[ENDPOINT_TEXT_SIZE];
    json_text(line, "opened_by", account->ours ? "gate" : "portal");
    if (*account->via)
        json_text(line, "via", account->via);
    json_text(line, "protocol", protocol_text(account->protocol));
    if (account->from.addr.version)
        json_text(line, "from", endpoint_text(&account->from, from));
    if (account->association)
        json_number(line, "association", account->association);
    put_destination(line, account);
    put_rule(line, place->file, account);
    json_number(line, "bytes_in", account->received);
    json_number(line, "bytes_out", account->sent);
    json_number(line, "duration_ms", account->ms);
}

size_t audit_line_record(char *room, const struct audit_place *place, const struct audit_tunnel *tunnel,
                         const struct audit_record *record)
{
    static const char *const events[AUDIT_KINDS] = {
        [AUDIT_SESSION] = "session", [AUDIT_PAUSED] = "paused", [AUDIT_DOWN] = "down"};
    struct json_line line = begin(room, record->at, events[record->kind], place->gate);
    put_tunnel(&line, tunnel);
    if (record->kind == AUDIT_SESSION)
        put_account(&line, place, record);
    if (record->kind == AUDIT_PAUSED)
        json_text(&line, "text", record->text);
    else
        put_end(&line, record);
    return end(&line);
}

size_t audit_line_tunnel(char *room, const struct audit_place *place, const struct audit_tunnel *tunnel,
                         const char *event, const char *cipher)
{
    struct json_line line = begin(room, audit_now(), event, place->gate);
    put_tunnel(&line, tunnel);
    if (cipher)
        json_text(&line, "cipher", cipher);
    return end(&line);
}

size_t audit_line_act(char *room, const struct audit_place *place, const char *act, uint32_t uid, const char *portal)
{
    struct json_line line = begin(room, audit_now(), "operator", place->gate);
    json_text(&line, "act", act);
    json_number(&line, "uid", uid);
    if (portal)
        json_text(&line, "portal", portal);
    return end(&line);
}

size_t audit_line_lost(char *room, const char *gate, const char *portal, uint64_t lines, const char *why)
{
    struct json_line line = begin(room, audit_now(), "lines_lost", gate);
    if (portal)
        json_text(&line, "portal", portal);
    json_number(&line, "lines", lines);
    json_text(&line, "why", why);
    return end(&line);
}
