// SPDX-License-Identifier: GPL-2.0-or-later
// Privileges go in named stages; each returns a sentence when it cannot be done, and is verified after.
#ifndef OS_SANDBOX_SANDBOX_H
#define OS_SANDBOX_SANDBOX_H

#include "base/fault.h"

#include <stdbool.h>
#include <sys/types.h>

// Forbids core dumps and tracing (PR_SET_DUMPABLE 0): before the first secret is read.
void sandbox_protect_secrets(void);
// While this process has secrets: nobody may trace it, and it dumps no core. Unlike limits it can be taken back, for a program
// that will be run by it and has none.
void sandbox_hide_memory(bool hidden);
// Raises RLIMIT_NOFILE to its hard limit (and the hard limit, with privilege, to `descriptors`), and protects secrets
// as above.
void sandbox_limits(unsigned descriptors);
// Becomes `user` ("nobody") with no supplementary groups, keeping only CAP_NET_ADMIN when `keep_net_admin`; sets
// no_new_privs. Not run as root, it stays who it is, and keeps no more either. The process is not dumpable after.
bool sandbox_drop(const char *user, bool keep_net_admin, struct fault *fault);
// Stays who it is, without any capability, and gets none by a program that has them: root keeps those over files, which may be
// a service's.
bool sandbox_keep_files(struct fault *fault);
// For a command in a namespace of its own: it keeps none of the rights that could change that namespace, and gets none by a
// program that has them. Root keeps those over files and users, as in a container. The process is not dumpable until it
// runs another program.
bool sandbox_confine(struct fault *fault);
// For a gate's supervisor once it listens: root, or a service's user, that can no more than start workers and make what they are
// handed. Run by another user it keeps what he has.
bool sandbox_confine_supervisor(struct fault *fault);
// Before the loop is made: newer versions of libuv open an io_uring when they can, and what passes through one passes by
// every filter of system calls. Without it they take epoll.
bool sandbox_refuse_io_uring(struct fault *fault);
// Seccomp allow-list for a gate's worker: sockets, epoll, time, memory; everything else fails with EPERM, and the calls
// no honest worker makes (execve, fork, ptrace, AF_PACKET sockets, executable memory) kill it. No file opens any more,
// no raw socket, no process starts.
bool sandbox_seal_worker(struct fault *fault);
// For a portal once it is set up: as above, and files that it may read, netlink, its device, sockets of the file system.
bool sandbox_seal_portal(struct fault *fault);
// For a process that starts others, which inherit what is refused: a supervisor, a portal with ProxyCommand. Only what none of
// them ever calls fails, with EPERM: namespaces and mounts, modules, others' memory, bpf, packet sockets.
bool sandbox_seal_starter(struct fault *fault);
// For a small process of root's that waits, and then writes a file: no socket, no process, no other capability than to write
// what is root's. Everything that it does not need fails with EPERM, or kills it as above.
bool sandbox_seal_keeper(struct fault *fault);
// For one that waits, reads files and hands over what they hold: no file is written, no other capability kept than to read
// what is others'. Else as above.
bool sandbox_seal_reader(struct fault *fault);
// For one that appends to a file, and makes it where it is not: it may what sandbox_keep_files leaves, and makes no socket. Else as above.
bool sandbox_seal_recorder(struct fault *fault);

#endif
