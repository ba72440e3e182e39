// SPDX-License-Identifier: GPL-2.0-or-later
// Figures as people read them.
#ifndef CONSOLE_UNITS_H
#define CONSOLE_UNITS_H

#include <time.h>

enum { UNITS_SIZE = 48 };

const char *units_bytes(char room[UNITS_SIZE], double bytes);           // "12.3 MiB"
const char *units_rate(char room[UNITS_SIZE], double bytes_per_second); // "98.4 Mbit/s"
const char *units_seconds(char room[UNITS_SIZE], double seconds);       // "3 h 20 min"
const char *units_ms(char room[UNITS_SIZE], double microseconds);       // "0.31 ms"
const char *units_number(char room[UNITS_SIZE], double number);         // "12,345"
// "2026-11-28T22:00:00Z", as control sockets have it; -1 when it is none.
time_t units_moment(const char *text);
// How long ago, or "in ..." where it lies ahead.
const char *units_ago(char room[UNITS_SIZE], const char *moment, time_t now);

#endif
