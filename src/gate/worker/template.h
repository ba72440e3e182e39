// SPDX-License-Identifier: GPL-2.0-or-later
// What workers are made of: this program, loaded and ready, that forks for each connection and knows nothing of any. So the
// pages that the loader writes into are one copy for all of them.
#ifndef GATE_WORKER_TEMPLATE_H
#define GATE_WORKER_TEMPLATE_H

// Returns the exit code of the process, in the template and in each worker.
int template_main(void);

#endif
