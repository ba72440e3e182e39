// SPDX-License-Identifier: GPL-2.0-or-later
// `last` follows from the record and is set by who adds it.
#include "usher/due.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct due *due_new(struct list *waiting, struct usher_session *session, size_t len)
{
    struct due *due = memory_new(sizeof *due + len);
    due->session = session;
    due->len = (uint16_t)len;
    list_push_back(waiting, &due->link);
    return due;
}

void due_add(struct due **due, struct list *waiting, struct usher_session *session, enum due_what what)
{
    assert(what != DUE_RECORD);
    if (!*due)
        *due = due_new(waiting, session, 0);
    (*due)->what |= (uint8_t)what;
}

void due_add_record(struct due **due, struct list *waiting, struct usher_session *session, enum record_type type,
                    const struct writer *w, const uint8_t *bytes)
{
    assert(!*due && !w->failed);
    size_t len = (size_t)(w->at - bytes);
    *due = due_new(waiting, session, len);
    (*due)->what = DUE_RECORD;
    (*due)->type = (int16_t)type;
    memcpy((*due)->record, bytes, len);
}

void due_done(struct due **due, enum due_what what)
{
    if (!*due)
        return;
    (*due)->what &= (uint8_t)~what;
    if (!(*due)->what)
        due_drop(due);
}

void due_drop(struct due **due)
{
    if (!*due)
        return;
    list_remove(&(*due)->link);
    free(*due);
    *due = NULL;
}

enum due_what due_first(const struct due *due)
{
    if (due->what & DUE_RECORD)
        return DUE_RECORD;
    return due->what & DUE_ACK ? DUE_ACK : DUE_CLOSE;
}

bool due_has_record(const struct due *due, enum record_type type)
{
    return due && due->what & DUE_RECORD && due->type == type;
}
