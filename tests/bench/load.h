// SPDX-License-Identifier: GPL-2.0-or-later
// What the modes of the load program share.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct target {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct samples {
    double *values;
    size_t count, room;
};

enum { BULK_PIECE = 256 * 1024 }; // bytes a write or read of a bulk stream: large, as fast applications do

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
double now_seconds(void);
struct target parse_target(const char *address, const char *port);
int open_socket(const struct target *target, int type);
// A connected blocking socket; `mode` (0: none) is already sent.
int connect_to(const struct target *target, char mode);
void samples_add(struct samples *s, double value);
double samples_percentile(struct samples *s, double percent);

void run_serve(const struct target *target, char **args);
void run_bulk(const struct target *target, char **args);
void run_rr(const struct target *target, char **args);
void run_crr(const struct target *target, char **args);
void run_hold(const struct target *target, char **args);
void run_udp(const struct target *target, char **args);

#endif
