// SPDX-License-Identifier: GPL-2.0-or-later
// How long a caller waits, on CLOCK_MONOTONIC.
#ifndef LIBUSHER_DEADLINE_H
#define LIBUSHER_DEADLINE_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct deadline {
    bool never;
    struct timespec at;
};

// Negative: never.
static inline struct deadline deadline_in(int ms)
{
    struct deadline deadline = {.never = ms < 0};
    clock_gettime(CLOCK_MONOTONIC, &deadline.at);
    if (ms < 0)
        return deadline;
    deadline.at.tv_sec += ms / 1000;
    deadline.at.tv_nsec += ms % 1000 * 1000000L;
    if (deadline.at.tv_nsec >= 1000000000L) {
        deadline.at.tv_sec++;
        deadline.at.tv_nsec -= 1000000000L;
    }
    return deadline;
}

// For poll(2): -1 is never, 0 is now or over.
static inline int deadline_left_ms(const struct deadline *deadline)
{
    struct timespec now;
    if (deadline->never)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long left = (deadline->at.tv_sec - now.tv_sec) * 1000LL + (deadline->at.tv_nsec - now.tv_nsec) / 1000000;
    return left > 0 ? (int)left : 0;
}

// Waits for the condition, which goes by the same clock. False when the time is over.
static inline bool deadline_wait(const struct deadline *deadline, pthread_cond_t *changed, pthread_mutex_t *lock)
{
    if (deadline->never)
        return pthread_cond_wait(changed, lock) == 0;
    return pthread_cond_timedwait(changed, lock, &deadline->at) == 0;
}

#endif
