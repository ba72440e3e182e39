// SPDX-License-Identifier: GPL-2.0-or-later
// What lwIP asks of a compiler and a platform. Byte order is the compiler's own; a failed assertion ends the process,
// because the asserts of lwIP guard its 16-bit and 32-bit arithmetic.
#ifndef LWIP_PORT_CC_H
#define LWIP_PORT_CC_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>

#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS
#define lwip_htons(x) ((uint16_t)htobe16(x))
#define lwip_htonl(x) ((uint32_t)htobe32(x))

_Noreturn void lwip_port_assert_failed(const char *what, const char *file, int line);
#define LWIP_PLATFORM_ASSERT(what) lwip_port_assert_failed(what, __FILE__, __LINE__)
#define LWIP_PLATFORM_DIAG(what)   ((void)0)

// Running out of memory aborts (base/memory.h), so that no half-done state of lwIP ever has to be handled.
void *lwip_port_malloc(size_t size);
void *lwip_port_calloc(size_t count, size_t size);
#define mem_clib_malloc lwip_port_malloc
#define mem_clib_calloc lwip_port_calloc

// A header of lwIP's IPv6 reassembly, which is not built, wants to know that pointers have 64 bits.
#define IPV6_FRAG_COPYHEADER 1

#endif
