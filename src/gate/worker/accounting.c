// SPDX-License-Identifier: GPL-2.0-or-later
// What ends with its tunnel may wait for room: there is no data path any more that could.
#include "gate/worker/accounting.h"

#include "base/memory.h"
#include "gate/audit/line.h"
#include "gate/channel/channel.h"

#include <stdlib.h>
#include <string.h>

enum {
    GATHER_MS = 200,      // what waits for others to go along
    GATHER_BYTES = 16384, // or until there is so much
    AGAIN_MS = 10,        // when the channel was full
    FIRST_SIZE = GATHER_BYTES + AUDIT_RECORD_MAX,
    WAITING_MAX = 1 << 20,
};

// As many whole records as a message holds, from the front.
static size_t whole_records(const struct accounting *accounting)
{
    struct reader r = reader_over(accounting->bytes, accounting->len);
    struct audit_record record;
    size_t len = 0;
    while (reader_left(&r) && audit_record_read(&r, &record) && accounting->len - reader_left(&r) <= CHANNEL_AUDIT_MAX)
        len = accounting->len - reader_left(&r);
    return len;
}

static bool send_some(struct accounting *accounting, struct channel_message *message, bool waits)
{
    message->type = CHANNEL_AUDIT;
    message->audit.lost = accounting->lost;
    message->audit.len = whole_records(accounting);
    memcpy(message->audit.bytes, accounting->bytes, message->audit.len);
    if (!(waits ? channel_send : channel_try_send)(accounting->channel, message))
        return false;
    accounting->lost = 0;
    accounting->len -= message->audit.len;
    memmove(accounting->bytes, accounting->bytes + message->audit.len, accounting->len);
    return true;
}

// A burst's memory goes.
static void trim(struct accounting *accounting)
{
    if (accounting->len || accounting->size <= FIRST_SIZE)
        return;
    free(accounting->bytes);
    accounting->bytes = NULL;
    accounting->size = 0;
}

static void send_all(struct accounting *accounting, bool waits)
{
    struct channel_message *message = memory_new(sizeof *message);
    while ((accounting->len || accounting->lost) && send_some(accounting, message, waits))
        ;
    free(message);
    trim(accounting);
}

static void on_due(uv_timer_t *timer)
{
    struct accounting *accounting = timer->data;
    send_all(accounting, false);
    if (accounting->len || accounting->lost)
        uv_timer_start(timer, on_due, AGAIN_MS, 0);
}

static void await_others(struct accounting *accounting)
{
    if (!uv_is_active((uv_handle_t *)&accounting->due))
        uv_timer_start(&accounting->due, on_due, GATHER_MS, 0);
}

static bool make_room(struct accounting *accounting)
{
    size_t need = accounting->len + AUDIT_RECORD_MAX;
    if (need <= accounting->size)
        return true;
    if (need > WAITING_MAX)
        return false;
    accounting->size = need < FIRST_SIZE ? FIRST_SIZE : 2 * need;
    accounting->bytes = memory_resize(accounting->bytes, accounting->size);
    return true;
}

static void put(struct accounting *accounting, struct audit_record *record, bool waits)
{
    if (!make_room(accounting)) {
        accounting->lost++;
        return;
    }
    struct writer w = writer_over(accounting->bytes + accounting->len, AUDIT_RECORD_MAX);
    record->at = audit_now();
    audit_record_write(&w, record);
    accounting->len += AUDIT_RECORD_MAX - writer_left(&w);
    if (accounting->len >= GATHER_BYTES)
        send_all(accounting, waits);
    if (accounting->len)
        await_others(accounting);
}

static void told(void *owner, const struct account *account)
{
    struct accounting *accounting = owner;
    if (!account) {
        accounting->lost++;
        await_others(accounting);
        return;
    }
    const enum audit_end ends[] = {
        [USHER_ENDED_CLOSED] = AUDIT_CLOSED,
        [USHER_ENDED_REFUSED] = AUDIT_REFUSED,
        [USHER_ENDED_RESET] = AUDIT_RESET,
        [USHER_ENDED_LOST] = accounting->at_the_end,
    };
    struct audit_record record = {
        .kind = AUDIT_SESSION, .end = ends[account->how.ending], .text = account->how.text, .account = *account};
    put(accounting, &record, account->how.ending == USHER_ENDED_LOST);
}

void accounting_init(struct accounting *accounting, uv_loop_t *loop)
{
    accounting->channel = -1;
    accounting->at_the_end = AUDIT_LOST;
    uv_timer_init(loop, &accounting->due);
    accounting->due.data = accounting;
}

void accounting_close(struct accounting *accounting)
{
    if (accounting->due.data)
        uv_close((uv_handle_t *)&accounting->due, NULL);
}

void accounting_fini(struct accounting *accounting)
{
    free(accounting->bytes);
}

void accounting_set(struct accounting *accounting, struct exchange *exchange, bool on, int channel)
{
    accounting->channel = on ? channel : -1;
    if (!on)
        accounting->len = accounting->lost = 0;
    exchange_keep_accounts(exchange, on ? told : NULL, accounting);
}

void accounting_ends(struct accounting *accounting, enum audit_end end)
{
    if (accounting->at_the_end == AUDIT_LOST)
        accounting->at_the_end = end;
}

static void put_news(struct accounting *accounting, enum audit_kind kind, const char *why)
{
    struct audit_record record = {.kind = kind, .end = accounting->at_the_end, .text = why};
    if (accounting->channel >= 0)
        put(accounting, &record, kind == AUDIT_DOWN);
}

void accounting_paused(struct accounting *accounting, const char *why)
{
    put_news(accounting, AUDIT_PAUSED, why);
}

void accounting_down(struct accounting *accounting, const char *why)
{
    put_news(accounting, AUDIT_DOWN, why);
}

void accounting_flush(struct accounting *accounting)
{
    if (accounting->channel >= 0)
        send_all(accounting, true);
}
