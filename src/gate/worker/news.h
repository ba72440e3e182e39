// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker goes by, and what it does when the supervisor hands it something newer.
#ifndef GATE_WORKER_NEWS_H
#define GATE_WORKER_NEWS_H

#include "config/gate_conf.h"

struct worker;

// NULL when it has mistakes, which the supervisor would have found.
struct gate_conf *news_parse(const struct blob *text);
// What the portal opens is judged by `access` from now on.
void news_judge_by(struct worker *worker, const struct access *access);
// Of `size` bytes, in `fd`, which is closed. Heeded at the end of the turn, or of the one in which the portal is known.
void news_take(struct worker *worker, size_t size, int fd);
// What was taken. The supervisor has found no mistake in it. What it says of anything but rules and trust is for the next
// login.
void news_heed(struct worker *worker);

#endif
