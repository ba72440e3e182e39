// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/units.h"

#include <stdio.h>
#include <string.h>

static const char *scaled(char room[UNITS_SIZE], double value, double step, const char *const *units, size_t count)
{
    size_t unit = 0;
    for (; value >= step && unit + 1 < count; unit++)
        value /= step;
    snprintf(room, UNITS_SIZE, unit && value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return room;
}

const char *units_bytes(char room[UNITS_SIZE], double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    return scaled(room, bytes, 1024, units, sizeof units / sizeof units[0]);
}

const char *units_rate(char room[UNITS_SIZE], double bytes_per_second)
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
    return scaled(room, 8 * bytes_per_second, 1000, units, sizeof units / sizeof units[0]);
}

const char *units_seconds(char room[UNITS_SIZE], double seconds)
{
    long long s = seconds < 0 ? 0 : (long long)seconds;
    if (s < 60)
        snprintf(room, UNITS_SIZE, "%lld s", s);
    else if (s < 3600)
        snprintf(room, UNITS_SIZE, "%lld min", s / 60);
    else if (s < 86400)
        snprintf(room, UNITS_SIZE, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf(room, UNITS_SIZE, "%lld d %lld h", s / 86400, s / 3600 % 24);
    return room;
}

const char *units_ms(char room[UNITS_SIZE], double microseconds)
{
    double ms = microseconds / 1000;
    snprintf(room, UNITS_SIZE, ms < 10 ? "%.2f ms" : ms < 100 ? "%.1f ms" : "%.0f ms", ms);
    return room;
}

const char *units_number(char room[UNITS_SIZE], double number)
{
    char plain[UNITS_SIZE / 2];
    size_t len = (size_t)snprintf(plain, sizeof plain, "%.0f", number), to = 0;
    if (len >= sizeof plain)
        len = sizeof plain - 1;
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && plain[i - 1] != '-')
            room[to++] = ',';
        room[to++] = plain[i];
    }
    room[to] = '\0';
    return room;
}

time_t units_moment(const char *text)
{
    struct tm tm = {0};
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
    return end && !*end ? timegm(&tm) : -1;
}

const char *units_ago(char room[UNITS_SIZE], const char *moment, time_t now)
{
    char span[UNITS_SIZE / 2 + 8];
    char whole[UNITS_SIZE];
    time_t at = units_moment(moment);
    if (at < 0)
        return strcpy(room, "-");
    units_seconds(whole, (double)(at > now ? at - now : now - at));
    snprintf(span, sizeof span, "%.31s", whole);
    snprintf(room, UNITS_SIZE, at > now ? "in %s" : "%s ago", span);
    return room;
}
