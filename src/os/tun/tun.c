// SPDX-License-Identifier: GPL-2.0-or-later
// A TUN device speaks in packets with a struct virtio_net_hdr in front of each (when the kernel has it), which lets one
// read carry a TCP segment of up to 64 KiB and one checksum that nobody computed.
#include "os/tun/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char DEVICE[] = "/dev/net/tun";

// linux/if_tun.h of Linux 6.2; older headers lack them.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

// What the kernel takes for a name (dev_valid_name), and no '%', which it would expand.
static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strcspn(name, "/:% \t\n\v\f\r") == len;
}

static bool explain_open(struct fault *fault, int error, const char *name)
{
    switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return fault_set(fault,
                         "tun %s: %s is missing: load the module (modprobe tun), or give the container that device",
                         name, DEVICE);
    case EACCES:
    case EPERM:
        return fault_set(fault, "tun %s: no permission for %s: run as root", name, DEVICE);
    default:
        return fault_errno(fault, error, "tun %s: open %s", name, DEVICE);
    }
}

static bool explain_create(struct fault *fault, int error, const char *name)
{
    switch (error) {
    case EBUSY:
        return fault_set(
            fault, "tun %s: another program has a device of this name: choose another Device, or end that program",
            name);
    case EINVAL:
        if (if_nametoindex(name))
            return fault_set(
                fault, "tun %s: there is an interface of this name that is no TUN device: choose another Device", name);
        return fault_errno(fault, error, "tun %s: create", name);
    case EPERM:
    case EACCES:
        return fault_set(fault, "tun %s: no permission to create a network device: run as root (or with CAP_NET_ADMIN)",
                         name);
    default:
        return fault_errno(fault, error, "tun %s: create", name);
    }
}

static bool attach(const struct tun *tun)
{
    struct ifreq request = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (tun->offload ? IFF_VNET_HDR : 0))};
    memcpy(request.ifr_name, tun->name, sizeof request.ifr_name);
    return ioctl(tun->fd, TUNSETIFF, &request) == 0;
}

// With `vnet` when it is wanted and the kernel has it; `offload` then says so.
static bool create(struct tun *tun, bool vnet, struct fault *fault)
{
    tun->fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun->fd < 0)
        return explain_open(fault, errno, tun->name);

    unsigned features = 0;
    tun->offload = vnet && ioctl(tun->fd, TUNGETFEATURES, &features) == 0 && (features & IFF_VNET_HDR);
    if (!attach(tun)) {
        int error = errno;
        tun_close(tun);
        return explain_create(fault, error, tun->name);
    }
    return true;
}

// Kernels before 6.2 refuse USO; one that refuses even TSO is served without any offload.
static bool set_offload(struct tun *tun)
{
    const unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    int size = sizeof(struct virtio_net_hdr);
    if (ioctl(tun->fd, TUNSETVNETHDRSZ, &size) < 0)
        return false;
    tun->uso = ioctl(tun->fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6) == 0;
    return tun->uso || ioctl(tun->fd, TUNSETOFFLOAD, tso) == 0;
}

static bool find_index(struct tun *tun, struct fault *fault)
{
    tun->index = if_nametoindex(tun->name);
    return tun->index || fault_errno(fault, errno, "tun %s: find its index", tun->name);
}

bool tun_open(struct tun *out, const char *name, struct fault *fault)
{
    *out = (struct tun){.fd = -1};
    if (!name_is_valid(name))
        return fault_set(fault, "tun %s: not a name for an interface (1 to %d characters, no '/', ':', '%%' or blanks)",
                         name, IFNAMSIZ - 1);
    memcpy(out->name, name, strlen(name) + 1);

    if (!create(out, true, fault))
        return false;
    if (out->offload && !set_offload(out)) {
        tun_close(out);
        if (!create(out, false, fault))
            return false;
    }
    if (find_index(out, fault))
        return true;
    tun_close(out);
    return false;
}

bool tun_make_again(struct tun *tun, struct fault *fault)
{
    bool uso = tun->uso;
    if (!attach(tun))
        return explain_create(fault, errno, tun->name);
    if (tun->offload && (!set_offload(tun) || tun->uso != uso))
        return fault_set(fault, "tun %s: it has not the offload of the one before", tun->name);
    return find_index(tun, fault);
}

void tun_close(struct tun *tun)
{
    if (tun->fd >= 0)
        close(tun->fd);
    tun->fd = -1;
}

ssize_t tun_read(const struct tun *tun, struct virtio_net_hdr *vnet, void *room, size_t size)
{
    if (!tun->offload) {
        memset(vnet, 0, sizeof *vnet);
        return read(tun->fd, room, size);
    }
    struct iovec parts[] = {{vnet, sizeof *vnet}, {room, size}};
    ssize_t got = readv(tun->fd, parts, 2);
    return got < 0 ? -1 : got - (ssize_t)sizeof *vnet;
}

bool tun_write(const struct tun *tun, const struct virtio_net_hdr *vnet, const struct iovec *iov, int iovcnt)
{
    if (iovcnt < 0 || iovcnt > TUN_PARTS_MAX) {
        errno = EMSGSIZE;
        return false;
    }
    if (!tun->offload)
        return writev(tun->fd, iov, iovcnt) >= 0;
    struct iovec parts[1 + TUN_PARTS_MAX];
    parts[0] = (struct iovec){(void *)vnet, sizeof *vnet};
    memcpy(parts + 1, iov, (size_t)iovcnt * sizeof *iov);
    return writev(tun->fd, parts, iovcnt + 1) >= 0;
}
