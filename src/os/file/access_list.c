// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel takes a list as an attribute of the file, in the form that acl(5) and libacl's sources describe: version 2, then the
// entries in the order of their tags, all in little endian.
#include "os/file/access_list.h"

#include <endian.h>
#include <stdint.h>
#include <sys/xattr.h>

enum { VERSION = 2, OWNER = 0x01, OWN_GROUP = 0x04, GROUP = 0x08, MASK = 0x10, OTHERS = 0x20 };

struct entry {
    uint16_t tag, may;
    uint32_t id;
};

struct list {
    uint32_t version;
    struct entry entries[5];
};

static struct entry entry(unsigned tag, unsigned may, uint32_t id)
{
    return (struct entry){htole16((uint16_t)tag), htole16((uint16_t)may), htole32(id)};
}

bool access_list_let_in(const char *path, unsigned owner, gid_t group, unsigned may)
{
    const struct list list = {
        .version = htole32(VERSION),
        .entries = {entry(OWNER, owner, UINT32_MAX), entry(OWN_GROUP, 0, UINT32_MAX), entry(GROUP, may, group),
                    entry(MASK, may, UINT32_MAX), entry(OTHERS, 0, UINT32_MAX)},
    };
    return setxattr(path, "system.posix_acl_access", &list, sizeof list, 0) == 0;
}
