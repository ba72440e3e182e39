// SPDX-License-Identifier: GPL-2.0-or-later
// What a program runs by, read again while it runs. Three things are taken on their own, so that what is half written at one
// place keeps nobody in at another: the text of the configuration; CA and revocation list; certificate and key. What is
// mistaken stays as it was.
#ifndef CONFIG_AGAIN_H
#define CONFIG_AGAIN_H

#include "config/credentials.h"

struct in_force {
    struct blob text;               // of the configuration, as it was read
    struct credentials credentials; // the files that it names
};

void in_force_wipe(struct in_force *force);

// How a program reads its own: `conf` is its configuration as a value.
struct again_kind {
    const char *section; // of the keys of credentials
    // NULL when there was a mistake, each of which has been reported.
    void *(*parse)(void *owner, struct config *config, const struct blob *text);
    void (*free)(void *conf);
    const struct credential_keys *(*keys)(const void *conf);
    // Whether they fit together, and the revocation list may follow `list`, which is in use. A mistake is reported.
    bool (*judge)(void *owner, void *conf, const struct credentials *now, const struct blob *list,
                  struct config *config);
    tls_key_opener *unlock;
};

struct again {
    const struct again_kind *kind;
    void *owner;                  // for its functions
    const char *path;             // of the configuration
    const struct file_set *files; // that somebody else has read; NULL: they are read here
    const char *instance;
    const struct in_force *before;
    FILE *report; // hears of every mistake

    // What came of it.
    struct in_force now;
    bool text_taken; // else the text is that of before, and of it nothing is new
    bool flawless;   // all of it was
};

// NULL when nothing can be taken, and then `now` is empty; else what the text in `now` says.
void *again_read(struct again *again);

// The parts of which it says something else than before, with commas between them; "" when there are none.
const char *in_force_changes(const struct in_force *before, const struct in_force *now, char *room, size_t size);

#endif
