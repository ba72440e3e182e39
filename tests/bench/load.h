// SPDX-License-Identifier: GPL-2.0-or-later
// What the modes of the load program share.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct target {
    struct sockaddr_storage addr;
    socklen_t len;
    const struct target *socks; // the SOCKS5 server that connects us to it, or NULL
};

// Addresses to connect from, in turn.
enum { SOURCES_MAX = 256 };

struct sources {
    struct target targets[SOURCES_MAX];
    size_t count, next;
};

struct samples {
    double *values;
    size_t count, room;
};

enum { BULK_PIECE = 256 * 1024 }; // bytes a write or read of a bulk stream: large, as fast applications do

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
double now_seconds(void);
struct target parse_target(const char *address, const char *port);
uint16_t target_port(const struct target *target);
void target_set_port(struct target *target, uint16_t port);
// What to connect to: the target, or the server that stands in front of it.
const struct target *target_first(const struct target *target);
int open_socket(const struct target *target, int type);
// A connected blocking socket; `mode` (0: none) is already sent.
int connect_to(const struct target *target, char mode);
// After connecting: greet, ask when the server has answered, take its answer to that when it is there.
void socks_greet(int fd);
void socks_ask(int fd, const struct target *target);
void socks_take_answer(int fd);

void sources_parse(struct sources *sources, char *list);
void sources_bind(struct sources *sources, int fd);

void samples_add(struct samples *s, double value);
double samples_percentile(struct samples *s, double percent);

void run_serve(const struct target *target, char **args);
void run_bulk(const struct target *target, char **args);
void run_rr(const struct target *target, char **args);
void run_crr(const struct target *target, char **args);
void run_hold(const struct target *target, char **args);
void run_udp(const struct target *target, char **args);
void run_opens(const struct target *target, char **args);
void run_flood(const struct target *target, char **args);
void run_sink(const struct target *target, char **args);

#endif
