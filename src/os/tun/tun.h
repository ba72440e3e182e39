// SPDX-License-Identifier: GPL-2.0-or-later
// The TUN device: IFF_NO_PI, non-blocking, with IFF_VNET_HDR and segmentation offload where the kernel has it.
#ifndef OS_TUN_TUN_H
#define OS_TUN_TUN_H

#include "base/fault.h"

#include <linux/virtio_net.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct tun {
    int fd;
    unsigned index; // of the interface
    bool offload;   // vnet headers carry TSO and partial checksums both ways
    bool uso;       // the kernel may also hand over UDP_L4 super-packets
    char name[IFNAMSIZ];
};

// Creates `name` (never adopts a device in use). Not persistent: the device goes with the descriptor.
bool tun_open(struct tun *out, const char *name, struct fault *fault);
// After somebody has deleted the device: a new one of the same name and kind behind the same descriptor, wherever that was
// passed to. It takes CAP_NET_ADMIN, and no access to any file. `index` is then another; the descriptor stays in any case.
bool tun_make_again(struct tun *tun, struct fault *fault);
void tun_close(struct tun *tun);

// One packet: its length, or -1 with errno (EAGAIN when there is none). `vnet` is zeroed without offload.
ssize_t tun_read(const struct tun *tun, struct virtio_net_hdr *vnet, void *room, size_t size);
// Of a packet. Each takes room on the stack, which the compiler clears for every packet: a thousand of them cost a third of
// a microsecond, and the cache that the packet lies in.
enum { TUN_PARTS_MAX = 64 };
// False with errno: EMSGSIZE for more than TUN_PARTS_MAX.
bool tun_write(const struct tun *tun, const struct virtio_net_hdr *vnet, const struct iovec *iov, int iovcnt);

#endif
