// SPDX-License-Identifier: GPL-2.0-or-later
// lwIP as a TCP engine and nothing else: no routing, no reassembly, no ICMP, no UDP, no timers and no threads of its
// own. src/stack/ demultiplexes, calls tcp_input and tcp_output, and writes the packets. For 2.1.3 and newer.
#ifndef LWIP_PORT_LWIPOPTS_H
#define LWIP_PORT_LWIPOPTS_H

// One thread, no operating system layer, time by tcp_slowtmr alone.
#define NO_SYS               1
#define LWIP_TIMERS          0
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET          0
#define LWIP_NETCONN         0
#define LWIP_STATS           0
#define LWIP_HOOK_FILENAME   "hooks.h"

// Memory is the process's heap; limits are ours (struct stack_config), not those of pools.
#define MEM_ALIGNMENT     8
#define MEM_LIBC_MALLOC   1
#define MEMP_MEM_MALLOC   1
#define PBUF_POOL_BUFSIZE 2048 // unused; the default would overflow 16 bits with this TCP_MSS
#define PBUF_LINK_HLEN    0    // a TUN device has no link header

// Protocols that the stack handles itself, before lwIP, or not at all.
#define LWIP_ARP      0
#define LWIP_ETHERNET 0
#define LWIP_ICMP     0
#define LWIP_RAW      0
#define LWIP_UDP      0
#define LWIP_DHCP     0
#define LWIP_AUTOIP   0
#define LWIP_IGMP     0
#define LWIP_DNS      0

// IPv4 and IPv6: only their output functions are used.
#define LWIP_IPV4                       1
#define IP_REASSEMBLY                   0
#define IP_FRAG                         0
#define IP_FORWARD                      0
#define IP_OPTIONS_ALLOWED              0
#define IP_DEFAULT_TTL                  64
#define LWIP_IPV6                       1
#define LWIP_ICMP6                      1 // ip6.c of lwIP does not link without it
#define LWIP_IPV6_SCOPES                0
#define LWIP_IPV6_FRAG                  0
#define LWIP_IPV6_REASS                 0
#define LWIP_IPV6_MLD                   0
#define LWIP_IPV6_AUTOCONFIG            0
#define LWIP_IPV6_FORWARD               0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS   0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT   0
#define LWIP_ND6_ALLOW_RA_UPDATES       0
#define LWIP_ND6_QUEUEING               0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0

// One interface; its hints carry the pcb of a packet to the output function (src/stack/output.c).
#define LWIP_SINGLE_NETIF     1
#define LWIP_NETIF_LOOPBACK   0
#define LWIP_HAVE_LOOPIF      0
#define LWIP_NETIF_HWADDRHINT 1

// TCP checksums are made and verified in src/stack/, where it is known who else does it.
#define CHECKSUM_GEN_IP      1
#define CHECKSUM_GEN_TCP     0
#define CHECKSUM_GEN_ICMP6   0
#define CHECKSUM_CHECK_IP    0
#define CHECKSUM_CHECK_TCP   0
#define CHECKSUM_CHECK_ICMP6 0

#define LWIP_SUPPORT_CUSTOM_PBUF       1 // packets are received in our buffers, without a copy
#define LWIP_EVENT_API                 1 // one function for all pcbs (src/stack/lwip.c), no pointers in each
#define LWIP_CALLBACK_API              0
#define TCP_LISTEN_BACKLOG             0 // held SYNs have their own limits
#define LWIP_TCP_KEEPALIVE             0 // src/stack/timers.c probes idle flows
#define LWIP_TCP_TIMESTAMPS            0 // the way to the application is one hop
#define TCP_QUEUE_OOSEQ                1
#define LWIP_TCP_SACK_OUT              1
#define LWIP_TCP_MAX_SACK_NUM          1 // 8 bytes of every pcb each; every gap is told at once, with the newest block
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 // they compare against pools that do not exist

// Segments of up to 64 KiB: the device cuts them (or has glued them) to the application's MSS. 65,535 less an IPv4 and
// a TCP header; an IPv6 packet is further bounded by the interface's MTU.
#define TCP_MSS 65495

// 1 MiB each way keeps a fast path full between two turns of the loop; literals, as the preprocessor compares them.
// Window scale 7 could announce 8 MiB.
#define LWIP_WND_SCALE      1
#define TCP_RCV_SCALE       7
#define TCP_WND             1048576
#define TCP_SND_BUF         1048576
#define TCP_SND_QUEUELEN    4096 // buffers; below 65,535, and enough for 256-byte writes to fill TCP_SND_BUF
#define TCP_SNDLOWAT        32768
#define TCP_OVERSIZE        0 // data are referenced, never appended to
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define TCP_OOSEQ_MAX_PBUFS 256
// Never from tcp_recved: src/stack/exchange.c sends window updates, together with acknowledgements, once a turn.
#define TCP_WND_UPDATE_THRESHOLD 0xffffffff

// tcp_slowtmr runs every 2 * 50 ms: the least retransmission time-out is three of its ticks, 300 ms.
#define TCP_TMR_INTERVAL 50

#endif
