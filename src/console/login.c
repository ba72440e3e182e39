// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/login.h"

#include "console/guard.h"
#include "os/random.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const usec_t IDLE_MAX = 12 * 3600 * USEC_PER_SEC, LIFE_MAX = 7 * 86400 * USEC_PER_SEC;

static void make_secret(char room[LOGIN_SECRET_SIZE])
{
    uint8_t bytes[(LOGIN_SECRET_SIZE - 1) / 2];
    random_fill(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(room + 2 * i, 3, "%02x", bytes[i]);
    explicit_bzero(bytes, sizeof bytes);
}

// Four hashes by two keys: 256 bits of what nobody can turn back without them. The comparison may take the time it likes,
// as who knows that learns nothing of a secret.
static void digest(const struct logins *logins, struct hash_key out[2], const char *secret)
{
    size_t len = strlen(secret);
    for (size_t i = 0; i < 2; i++) {
        struct hash_key other = {logins->keys[i].k1, logins->keys[i].k0};
        out[i].k0 = hash_bytes(&logins->keys[i], secret, len);
        out[i].k1 = hash_bytes(&other, secret, len);
    }
}

void logins_init(struct logins *logins)
{
    memset(logins, 0, sizeof *logins);
    random_fill(logins->keys, sizeof logins->keys);
}

const char *logins_new_link(struct logins *logins)
{
    make_secret(logins->link);
    return logins->link;
}

bool logins_use_link(struct logins *logins, const char *token)
{
    if (!*logins->link || !guard_equal(logins->link, token))
        return false;
    explicit_bzero(logins->link, sizeof logins->link);
    return true;
}

static bool is_over(const struct login *login, usec_t now)
{
    return !login->used || now - login->seen > IDLE_MAX || now - login->began > LIFE_MAX;
}

// A free place, or that of the one who has been silent longest.
static struct login *choose(struct logins *logins, usec_t now)
{
    struct login *best = &logins->items[0];
    for (size_t i = 0; i < LOGINS_MAX; i++) {
        struct login *item = &logins->items[i];
        if (is_over(item, now))
            return item;
        if (item->seen < best->seen)
            best = item;
    }
    return best;
}

struct login *logins_begin(struct logins *logins, const char *who, bool may_act, char secret[LOGIN_SECRET_SIZE],
                           usec_t now)
{
    struct login *login = choose(logins, now);
    memset(login, 0, sizeof *login);
    login->used = true;
    login->may_act = may_act;
    login->began = login->seen = now;
    snprintf(login->who, sizeof login->who, "%s", who);
    make_secret(secret);
    make_secret(login->token);
    digest(logins, login->secret, secret);
    logins->begun++;
    return login;
}

struct login *logins_find(struct logins *logins, const char *secret, usec_t now)
{
    struct hash_key wanted[2];
    digest(logins, wanted, secret);
    for (size_t i = 0; i < LOGINS_MAX; i++) {
        struct login *login = &logins->items[i];
        if (is_over(login, now) || memcmp(wanted, login->secret, sizeof wanted))
            continue;
        login->seen = now;
        return login;
    }
    return NULL;
}

void login_end(struct login *login)
{
    explicit_bzero(login, sizeof *login);
}
