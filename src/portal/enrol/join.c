// SPDX-License-Identifier: GPL-2.0-or-later
// The key is made first and kept in a directory of its own while all else is tried: an invitation is for the first key that
// it was used with, so whoever is interrupted at any point comes again with the same one. That directory then becomes
// pki/NAME by one rename, and the configuration, which is what counts, comes last. The invitation's certificate stays there, by
// which its token is known again.
#include "portal/enrol/join.h"

#include "enrol/token.h"
#include "link/tls/pem.h"
#include "link/tls/request.h"
#include "link/tls/tls.h"
#include "os/file/new_file.h"
#include "os/sandbox/rights.h"
#include "portal/enrol/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ETC "/etc/usher"

enum {
    PATH_SIZE = 256,
    CONNECT_MS = 30000,
    KEY_MAX = 64 * 1024,
};

struct joining {
    const struct token *token;
    const char *name;
    char conf[PATH_SIZE];  // ETC/NAME.conf
    char place[PATH_SIZE]; // ETC/pki/NAME
    char draft[PATH_SIZE]; // ETC/pki/.NAME.joining
    struct blob key;       // PEM
    int lock;
};

static const char *path_in(char room[2 * PATH_SIZE], const char *dir, const char *file)
{
    snprintf(room, 2 * PATH_SIZE, "%s/%s", dir, file);
    return room;
}

static bool make_dir(const char *path, mode_t mode, struct fault *fault)
{
    return mkdir(path, mode) == 0 || errno == EEXIST || fault_errno(fault, errno, "%s", path);
}

static bool write_in(const char *dir, const char *file, mode_t mode, const struct blob *contents, struct fault *fault)
{
    char path[2 * PATH_SIZE];
    return new_file_write(path_in(path, dir, file), mode, contents, fault);
}

static void add(FILE *out, const char *key, const char *value)
{
    if (*value)
        fprintf(out, "%s = %s\n", key, value);
}

// With the files of `dir`. The same but for those while it is tried and when it is done, so that what is wrong with the
// token's values shows before it is spent.
static struct blob write_conf(const struct token *token, const char *dir, const char *own, const char *key, bool done)
{
    struct blob out = {0};
    char *text = NULL;
    FILE *file = open_memstream(&text, &out.len);
    if (!file)
        abort();
    fprintf(file, "# Made by usher-tun join.\n[Portal]\n");
    fprintf(file, "CA = %s/ca.crt\nCertificate = %s/%s\nKey = %s/%s\n", dir, dir, own, dir, key);
    if (done)
        fprintf(file, "CRL = %s/crl.pem\nRenew = %s\n", dir, token->serve);
    add(file, "Route", token->routes);
    add(file, "Dns", token->dns);
    add(file, "Domains", token->domains);
    add(file, "Socks", token->socks);
    fprintf(file, "\n[Gate]\n");
    add(file, "Address", token->gate);
    add(file, "Name", token->gate_name);
    fclose(file);
    out.bytes = (uint8_t *)text;
    return out;
}

static bool is_in_date(const struct token *token, struct fault *fault)
{
    const usec_t now = (usec_t)time(NULL) * USEC_PER_SEC;
    char then[32], clock[32];
    const bool early = now < token->begins;
    if (!early && now < token->expires)
        return true;
    time_t at = (time_t)((early ? token->begins : token->expires) / USEC_PER_SEC), here = time(NULL);
    strftime(then, sizeof then, "%Y-%m-%d %H:%M UTC", gmtime(&at));
    strftime(clock, sizeof clock, "%Y-%m-%d %H:%M UTC", gmtime(&here));
    if (early)
        return fault_set(fault, "the token is good from %s on, and the clock here says %s: set the clock", then, clock);
    return fault_set(fault,
                     "the token was good until %s, and the clock here says %s: ask for a new one (usher-pki "
                     "invite), or set the clock",
                     then, clock);
}

static bool is_of_this_token(const struct joining *joining)
{
    char path[2 * PATH_SIZE];
    struct blob used;
    struct fault silent;
    if (!blob_read(&used, path_in(path, joining->place, "invitation.crt"), KEY_MAX, &silent))
        return false;
    const bool same = blob_equal(&used, &joining->token->certificate);
    blob_wipe(&used);
    return same;
}

static bool prepare(struct joining *joining, struct fault *fault)
{
    const char *name = joining->name;
    char path[2 * PATH_SIZE];
    struct stat st;
    snprintf(joining->conf, PATH_SIZE, ETC "/%s.conf", name);
    snprintf(joining->place, PATH_SIZE, ETC "/pki/%s", name);
    snprintf(joining->draft, PATH_SIZE, ETC "/pki/.%s.joining", name);
    if (lstat(joining->conf, &st) == 0)
        return fault_set(fault,
                         "%s is configured already, by %s: move that away, or take another name: usher-tun join "
                         "--as NAME TOKEN",
                         name, joining->conf);
    if (!make_dir(ETC, 0755, fault) || !make_dir(ETC "/pki", 0755, fault))
        return false;
    if (lstat(joining->place, &st) == 0 && access(path_in(path, joining->place, "portal.pem"), F_OK) < 0)
        return fault_set(fault,
                         "%s is there already, and not by usher-tun join: move it away, or take another name: "
                         "usher-tun join --as NAME TOKEN",
                         joining->place);
    if (lstat(joining->place, &st) == 0 && !is_of_this_token(joining))
        return fault_set(fault,
                         "%s is left of another invitation: move it away, or take another name: usher-tun join "
                         "--as NAME TOKEN",
                         joining->place);
    if (!make_dir(joining->draft, 0700, fault))
        return false;
    joining->lock = open(joining->draft, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (joining->lock < 0)
        return fault_errno(fault, errno, "%s", joining->draft);
    return flock(joining->lock, LOCK_EX | LOCK_NB) == 0 ||
           fault_set(fault, "another usher-tun join for %s is at it", name);
}

// The key of an earlier try, or a new one; its text is written before anybody hears of it.
static bool have_key(struct joining *joining, struct fault *fault)
{
    char path[2 * PATH_SIZE];
    struct blob der;
    path_in(path, joining->draft, "key.pem");
    if (access(path, F_OK) == 0)
        return blob_read_private(&joining->key, path, KEY_MAX, fault);
    if (!tls_key_make(&der, fault))
        return false;
    joining->key = pem_text("EC PRIVATE KEY", &(struct span){der.bytes, der.len});
    blob_wipe(&der);
    return new_file_write(path, 0600, &joining->key, fault) && new_file_settle(joining->draft, fault);
}

static bool write_invitation(const struct joining *joining, struct fault *fault)
{
    const struct token *token = joining->token;
    const char *dir = joining->draft;
    struct blob conf = write_conf(token, dir, "invitation.crt", "invitation.key", false);
    bool good = write_in(dir, "ca.crt", 0644, &token->ca, fault) &&
                write_in(dir, "invitation.crt", 0600, &token->certificate, fault) &&
                write_in(dir, "invitation.key", 0600, &token->key, fault) &&
                write_in(dir, "invitation.conf", 0600, &conf, fault);
    blob_wipe(&conf);
    return good;
}

// But for its certificate, when that has been used.
static void remove_invitation(const struct joining *joining, bool used)
{
    static const char *const files[] = {"invitation.crt", "invitation.key", "invitation.conf"};
    char path[2 * PATH_SIZE];
    for (size_t i = used; i < sizeof files / sizeof files[0]; i++)
        unlink(path_in(path, joining->draft, files[i]));
}

static bool fetch(const struct joining *joining, struct fetched *out, struct fault *fault)
{
    const struct token *token = joining->token;
    char conf[2 * PATH_SIZE], why[USHER_WHY_SIZE];
    usher_t *usher = usher_connect(path_in(conf, joining->draft, "invitation.conf"), CONNECT_MS, why, sizeof why);
    if (!usher)
        return fault_set(fault, "%.100s: %.380s", token->gate, why);
    bool good = fetch_certificate(out, usher, token->serve, &token->certificate, &token->key, &joining->key, fault);
    usher_close(usher);
    return good;
}

// The unit's user renews what is in there. The directory comes last: from then on it is his.
static bool give_to_service(const struct joining *joining)
{
    static const char *const files[] = {"ca.crt", "key.pem", "portal.pem", "crl.pem", ""};
    char path[2 * PATH_SIZE];
    const struct passwd *user = getpwnam(RIGHTS_PORTAL_USER);
    for (size_t i = 0; user && i < sizeof files / sizeof files[0]; i++)
        if (lchown(path_in(path, joining->draft, files[i]), user->pw_uid, user->pw_gid) < 0 && errno != ENOENT)
            return false;
    return true;
}

static bool settle(const struct joining *joining, const struct fetched *fetched, struct fault *fault)
{
    struct blob own = fetched_own(fetched, &joining->key);
    bool good = write_in(joining->draft, "portal.pem", 0600, &own, fault) &&
                write_in(joining->draft, "crl.pem", 0644, &fetched->list, fault);
    blob_wipe(&own);
    if (!good)
        return false;
    remove_invitation(joining, true);
    if (chmod(joining->draft, 0755) < 0 || !give_to_service(joining) || !new_file_settle(joining->draft, fault) ||
        rename(joining->draft, joining->place) < 0)
        return fault_errno(fault, errno, "%s", joining->place);
    return new_file_settle(ETC "/pki", fault);
}

static bool fetch_and_settle(struct joining *joining, struct fault *fault)
{
    struct fetched fetched = {0};
    bool good = is_in_date(joining->token, fault) && have_key(joining, fault) && write_invitation(joining, fault) &&
                fetch(joining, &fetched, fault) &&
                fetched_judge(&fetched, &joining->token->ca, &joining->key, joining->token->name, fault) &&
                settle(joining, &fetched, fault);
    fetched_wipe(&fetched);
    remove_invitation(joining, false);
    return good;
}

static bool configure(const struct joining *joining, struct fault *fault)
{
    char path[2 * PATH_SIZE];
    struct blob conf = write_conf(joining->token, joining->place, "portal.pem", "portal.pem", true);
    unlink(path_in(path, joining->place, "key.pem")); // not needed again from here on
    bool good = new_file_write(joining->conf, 0644, &conf, fault) && new_file_settle(ETC, fault);
    blob_wipe(&conf);
    return good;
}

static bool is_placed(const struct joining *joining)
{
    struct stat st;
    return lstat(joining->place, &st) == 0;
}

static bool join_as(struct joining *joining, struct fault *fault)
{
    bool good = prepare(joining, fault) && (is_placed(joining) || fetch_and_settle(joining, fault)) &&
                configure(joining, fault);
    if (joining->lock >= 0)
        close(joining->lock);
    if (good)
        rmdir(joining->draft); // of a try that had gone so far
    blob_wipe(&joining->key);
    return good;
}

bool join(char name[INSTANCE_NAME_MAX + 1], const char *text, const char *as, struct fault *fault)
{
    struct token token;
    umask(022);
    if (!tls_library_start(fault) || !token_read(&token, text, fault))
        return false;
    bool good = instance_name(name, as ? as : token.name, fault);
    if (good) {
        struct joining joining = {.token = &token, .name = name, .lock = -1};
        good = join_as(&joining, fault);
    }
    token_wipe(&token);
    return good;
}
