// SPDX-License-Identifier: GPL-2.0-or-later
// Text, authorities and what we are ourselves are taken each on its own, and what is not taken stays.
#include "base/memory.h"
#include "config/again.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

// A configuration is its text, and names the same files whatever that says; a text with an x in it is a mistake.
struct conf {
    struct credential_keys keys;
};

static unsigned confs; // that have not been freed

static void *parse(void *owner, struct config *config, const struct blob *text)
{
    (void)owner;
    if (memchr(text->bytes, 'x', text->len)) {
        config_mistake_at(config, 1, "an x");
        return NULL;
    }
    struct conf *conf = memory_new(sizeof *conf);
    conf->keys = (struct credential_keys){.ca = "/ca", .certificate = "/crt", .key = "/key", .crl = "/crl"};
    confs++;
    return conf;
}

static void drop(void *conf)
{
    confs--;
    free(conf);
}

static const struct credential_keys *keys_of(const void *conf)
{
    return &((const struct conf *)conf)->keys;
}

static bool says(const struct blob *blob, const char *text)
{
    return blob->len == strlen(text) && !memcmp(blob->bytes, text, blob->len);
}

// A certificate goes with the key of its digit; authorities with a list that is no smaller than the one in use. "bad" is
// never good.
static bool judge(void *owner, void *conf, const struct credentials *now, const struct blob *list,
                  struct config *config)
{
    (void)owner;
    (void)conf;
    bool good = !says(&now->ca, "bad") && !says(&now->crl, "bad") && blob_equal(&now->certificate, &now->key) &&
                (!list->len || now->crl.bytes[0] >= list->bytes[0]);
    if (!good)
        config_mistake_at(config, 2, "no");
    return good;
}

static enum tls_unlocked unlock(struct blob *out, const struct blob *text, const struct blob *passphrase,
                                struct fault *fault)
{
    (void)out;
    (void)text;
    (void)passphrase;
    fault_set(fault, "not asked for");
    return TLS_NOT_UNLOCKED;
}

static const struct again_kind kind = {
    .section = "Portal", .parse = parse, .free = drop, .keys = keys_of, .judge = judge, .unlock = unlock};

static const struct {
    const char *name;
    const char *text, *ca, *certificate, *key, *crl; // what lies there; NULL: it cannot be read
    const char *changes;                             // in force; NULL: nothing can be
    bool flawless;
} rows[] = {
    {"the same", "t", "1", "1", "1", "1", "", true},
    {"all of it", "t2", "2", "2", "2", "2", "configuration, CA, certificate, key, revocation list", true},
    {"a list", "t", "1", "1", "1", "2", "revocation list", true},
    {"an older list", "t", "1", "1", "1", "0", "", false},
    {"no list", "t", "1", "1", "1", NULL, "", false},
    {"a mistaken text beside a list", "x", "1", "1", "1", "2", "revocation list", false},
    {"no text beside a list", NULL, "1", "1", "1", "2", "revocation list", false},
    {"a certificate without its key, beside a list", "t", "1", "2", "1", "2", "revocation list", false},
    {"no key, beside a list and a CA", "t", "2", "2", NULL, "2", "CA, revocation list", false},
    {"a list that is none, beside a certificate", "t", "1", "2", "2", "bad", "", false},
    {"a text beside a CA that is none", "t2", "bad", "1", "1", "1", "configuration", false},
    {"nothing at all", NULL, NULL, NULL, NULL, NULL, "", false},
};

static void put(struct file_set *set, const char *path, const char *text)
{
    struct file_read *file = &set->files[set->count++];
    file->path = memory_text(path);
    file->is_there = text;
    file->bytes = text ? blob_text(text) : (struct blob){0};
    fault_set(&file->fault, "%s: gone", path);
}

static struct in_force in_force_of(const char *all)
{
    return (struct in_force){
        .text = blob_text("t"),
        .credentials = {blob_text(all), blob_text(all), blob_text(all), blob_text(all), false},
    };
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct in_force before = in_force_of("1");
        struct file_set set = {.files = calloc(5, sizeof *set.files)};
        char words[128], *told = NULL;
        size_t size;
        put(&set, "conf", rows[i].text);
        put(&set, "/ca", rows[i].ca);
        put(&set, "/crt", rows[i].certificate);
        put(&set, "/key", rows[i].key);
        put(&set, "/crl", rows[i].crl);
        struct again again = {.kind = &kind,
                              .path = "conf",
                              .files = &set,
                              .instance = "branch",
                              .before = &before,
                              .report = open_memstream(&told, &size)};
        void *conf = again_read(&again);
        fclose(again.report);
        CASE(rows[i].name, conf && again.flawless == rows[i].flawless);
        CASE(rows[i].name, !strcmp(in_force_changes(&before, &again.now, words, sizeof words), rows[i].changes));
        CASE(rows[i].name, rows[i].flawless == !*told);
        bool mistaken = !rows[i].text || strchr(rows[i].text, 'x');
        CASE(rows[i].name, again.text_taken == !mistaken);
        CASE(rows[i].name, mistaken == (strstr(told, "nothing of it is taken") != NULL));
        drop(conf);
        free(told);
        in_force_wipe(&again.now);
        in_force_wipe(&before);
        file_set_fini(&set);
        assert_int_equal(confs, 0);
    }
}

// What is in force has run out, say: then not even that can be kept, and nothing changes.
static void test_nothing_can_be_judged(void **state)
{
    struct in_force before = in_force_of("bad");
    struct file_set set = {.files = calloc(1, sizeof *set.files)};
    char *told = NULL;
    size_t size;
    (void)state;
    struct again again = {.kind = &kind,
                          .path = "conf",
                          .files = &set,
                          .instance = "branch",
                          .before = &before,
                          .report = open_memstream(&told, &size)};
    assert_null(again_read(&again));
    fclose(again.report);
    assert_true(!again.flawless && !again.now.text.bytes && !again.now.credentials.key.bytes);
    assert_int_equal(confs, 0);
    free(told);
    in_force_wipe(&before);
    file_set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_nothing_can_be_judged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
