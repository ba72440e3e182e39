// SPDX-License-Identifier: GPL-2.0-or-later
// Each unfinished datagram keeps its pieces in order and without gaps in doubt: pieces never overlap and lie inside the
// end once it is known, so "as many bytes as the end" means "complete". A datagram that broke a rule stays, spoiled,
// until its time is over, so that its late pieces cannot begin it anew.
#include "edge/capture/fragments.h"

#include "base/checksum.h"
#include "base/memory.h"
#include "base/table.h"
#include "base/timeline.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
    V4_HEADER_MAX = 60,
    V6_HEADER = 40,
    V6_FRAGMENT_HEADER = 8,
    DATAGRAM_MAX = 65535, // IPv4 total length; IPv6 payload length
    UPPER_HEADER_MIN = 8, // of UDP and ICMP: must be in the first piece (RFC 1858 section 4.2, RFC 7112)
    KEY_SIZE = 1 + 1 + 4 + 16 + 16,
    END_UNKNOWN = UINT32_C(0xffffffff) >> 1,
};

struct piece {
    struct list node;
    uint32_t offset;
    uint32_t len;
    uint8_t bytes[];
};

struct partial {
    struct timed timed; // since its first piece came
    struct table_node by_key;
    struct list pieces; // by offset
    uint8_t key[KEY_SIZE];
    bool spoiled;
    uint8_t next_header; // version 6: what follows the fragment header of the first piece
    uint8_t header_len;  // 0: the first piece is not here
    uint8_t header[V4_HEADER_MAX];
    uint32_t count;    // pieces
    uint32_t received; // bytes
    uint32_t end;      // bytes of the whole, or END_UNKNOWN
};

struct fragments {
    const struct hash_key *key;
    struct table partials;
    struct timeline order;
    size_t held; // bytes
    uint64_t *dropped;
    uint8_t whole[V4_HEADER_MAX + DATAGRAM_MAX];
};

struct fragments *fragments_new(const struct hash_key *key, uint64_t *dropped)
{
    struct fragments *fragments = memory_new(sizeof *fragments);
    fragments->key = key;
    fragments->dropped = dropped;
    table_init(&fragments->partials);
    timeline_init(&fragments->order, FRAGMENTS_SECONDS * 1000);
    return fragments;
}

static size_t piece_cost(size_t len)
{
    return sizeof(struct piece) + len;
}

static void drop_pieces(struct fragments *fragments, struct partial *partial)
{
    for (struct list *node; (node = list_pop_front(&partial->pieces));) {
        struct piece *piece = container_of(node, struct piece, node);
        fragments->held -= piece_cost(piece->len);
        free(piece);
    }
    partial->count = 0;
}

static void partial_free(struct fragments *fragments, struct partial *partial)
{
    drop_pieces(fragments, partial);
    table_remove(&fragments->partials, &partial->by_key);
    list_remove(&partial->timed.node);
    free(partial);
}

// Gives a datagram up; false when it is none.
static bool drop(struct fragments *fragments, struct timed *timed)
{
    if (!timed)
        return false;
    struct partial *partial = container_of(timed, struct partial, timed);
    *fragments->dropped += partial->count;
    partial_free(fragments, partial);
    return true;
}

static bool drop_oldest(struct fragments *fragments)
{
    return drop(fragments, timeline_pop(&fragments->order));
}

void fragments_free(struct fragments *fragments)
{
    while (drop_oldest(fragments))
        ;
    table_fini(&fragments->partials);
    free(fragments);
}

// The identification is unique for source, destination and, in version 4, protocol (RFC 791; RFC 8200 section 4.5).
static void key_write(uint8_t key[KEY_SIZE], const struct packet_view *part)
{
    key[0] = part->src.version;
    key[1] = part->src.version == 4 ? part->protocol : 0;
    memcpy(key + 2, &part->fragment_id, 4);
    memcpy(key + 6, part->src.bytes, 16);
    memcpy(key + 22, part->dst.bytes, 16);
}

static struct partial *find_or_add(struct fragments *fragments, const struct packet_view *part, usec_t now)
{
    uint8_t key[KEY_SIZE];
    key_write(key, part);
    uint64_t hash = hash_bytes(fragments->key, key, KEY_SIZE);
    for (struct table_node *node = table_first(&fragments->partials, hash); node; node = table_next(node)) {
        struct partial *partial = container_of(node, struct partial, by_key);
        if (memcmp(partial->key, key, KEY_SIZE) == 0)
            return partial;
    }
    while (fragments->partials.count >= FRAGMENTS_DATAGRAMS)
        drop_oldest(fragments);
    struct partial *partial = memory_new(sizeof *partial);
    memcpy(partial->key, key, KEY_SIZE);
    partial->end = END_UNKNOWN;
    list_init(&partial->pieces);
    list_init(&partial->timed.node);
    timeline_put(&fragments->order, &partial->timed, timeline_moment(now));
    table_insert(&fragments->partials, &partial->by_key, hash);
    return partial;
}

static bool part_is_sound(const struct partial *partial, const struct packet_view *part)
{
    uint32_t end = part->fragment_offset + part->upper_len;
    uint32_t header = part->src.version == 4 ? part->header_len : 0;
    if (part->upper_len == 0 || header + end > DATAGRAM_MAX)
        return false;
    if (part->fragment_offset == 0 && part->upper_len < UPPER_HEADER_MIN)
        return false;
    if (part->more_fragments)
        return part->upper_len % 8 == 0 && end < partial->end;
    return partial->end == END_UNKNOWN || end == partial->end;
}

enum placing { PLACED, DUPLICATE, OVERLAP };

// Where the part belongs: behind which node. Looks from the end, where parts that come in order go.
static enum placing place(struct partial *partial, const struct packet_view *part, struct list **before)
{
    uint32_t begin = part->fragment_offset;
    uint32_t end = begin + part->upper_len;
    struct list *node = partial->pieces.prev;
    for (; node != &partial->pieces; node = node->prev) {
        const struct piece *piece = container_of(node, struct piece, node);
        if (piece->offset == begin && piece->len == part->upper_len)
            return memcmp(piece->bytes, part->upper, piece->len) == 0 ? DUPLICATE : OVERLAP;
        if (piece->offset < end && begin < piece->offset + piece->len)
            return OVERLAP;
        if (piece->offset < begin)
            break;
    }
    *before = node->next;
    return PLACED;
}

static void keep_piece(struct fragments *fragments, struct partial *partial, const struct packet_view *part,
                       struct list *before)
{
    struct piece *piece = memory_resize(NULL, piece_cost(part->upper_len));
    piece->offset = part->fragment_offset;
    piece->len = part->upper_len;
    memcpy(piece->bytes, part->upper, part->upper_len);
    list_insert_before(before, &piece->node);
    fragments->held += piece_cost(piece->len);
    partial->count++;
    partial->received += piece->len;
}

// The header that stands in front of the whole is the first piece's (RFC 8200 section 4.5, RFC 791 section 3.2).
static void keep_header(struct partial *partial, const struct packet_view *part)
{
    bool v4 = part->src.version == 4;
    partial->header_len = v4 ? (uint8_t)part->header_len : V6_HEADER;
    partial->next_header = v4 ? part->protocol : part->upper[-V6_FRAGMENT_HEADER];
    memcpy(partial->header, part->ip, partial->header_len);
}

static void header_finish(uint8_t *header, uint8_t header_len, uint8_t next_header, uint32_t payload_len)
{
    if (header[0] >> 4 == 4) {
        uint16_t total = htons((uint16_t)(header_len + payload_len));
        memcpy(header + 2, &total, 2);
        memset(header + 6, 0, 2);  // flags and offset
        memset(header + 10, 0, 2); // checksum
        uint16_t sum = checksum_fold(checksum_add(0, header, header_len));
        memcpy(header + 10, &sum, 2);
    } else {
        uint16_t len = htons((uint16_t)payload_len);
        memcpy(header + 4, &len, 2);
        header[6] = next_header;
    }
}

// False when the first piece's header makes the whole too long.
static bool assemble(struct fragments *fragments, const struct partial *partial, struct packet_view *whole)
{
    uint8_t *to = fragments->whole;
    bool v4 = partial->header[0] >> 4 == 4;
    if ((v4 ? partial->header_len : 0) + partial->end > DATAGRAM_MAX)
        return false;
    memcpy(to, partial->header, partial->header_len);
    header_finish(to, partial->header_len, partial->next_header, partial->end);
    list_for_each(node, &partial->pieces) {
        const struct piece *piece = container_of(node, struct piece, node);
        memcpy(to + partial->header_len + piece->offset, piece->bytes, piece->len);
    }
    whole->protocol = partial->next_header;
    whole->header_len = partial->header_len;
    whole->ip = to;
    whole->upper = to + partial->header_len;
    whole->upper_len = partial->end;
    whole->fragment = whole->more_fragments = false;
    whole->fragment_offset = 0;
    return true;
}

static void spoil(struct fragments *fragments, struct partial *partial)
{
    *fragments->dropped += partial->count + 1;
    drop_pieces(fragments, partial);
    partial->spoiled = true;
}

// Adds to a datagram; true when that makes it complete.
static bool partial_add(struct fragments *fragments, struct partial *partial, const struct packet_view *part)
{
    struct list *before = NULL;
    if (partial->spoiled) {
        (*fragments->dropped)++;
        return false;
    }
    enum placing placing = part_is_sound(partial, part) ? place(partial, part, &before) : OVERLAP;
    if (placing == DUPLICATE) {
        (*fragments->dropped)++;
        return false;
    }
    bool last_too_early = !part->more_fragments && before && before != &partial->pieces;
    if (placing == OVERLAP || last_too_early || partial->count == FRAGMENTS_PIECES) {
        spoil(fragments, partial);
        return false;
    }
    keep_piece(fragments, partial, part, before);
    if (part->fragment_offset == 0)
        keep_header(partial, part);
    if (!part->more_fragments)
        partial->end = part->fragment_offset + part->upper_len;
    return partial->received == partial->end;
}

bool fragments_add(struct fragments *fragments, const struct packet_view *part, struct packet_view *whole, usec_t now)
{
    while (fragments->held + piece_cost(part->upper_len) > FRAGMENTS_BYTES)
        drop_oldest(fragments);

    struct partial *partial = find_or_add(fragments, part, now);
    if (!partial_add(fragments, partial, part))
        return false;
    *whole = *part;
    bool sound = assemble(fragments, partial, whole);
    if (!sound)
        *fragments->dropped += partial->count;
    partial_free(fragments, partial);
    return sound;
}

usec_t fragments_deadline(const struct fragments *fragments, usec_t now)
{
    return timelines_deadline(&fragments->order, 1, now);
}

void fragments_expire(struct fragments *fragments, usec_t now)
{
    while (drop(fragments, timeline_expired(&fragments->order, timeline_moment(now))))
        ;
}
