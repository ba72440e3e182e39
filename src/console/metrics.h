// SPDX-License-Identifier: GPL-2.0-or-later
// What instances tell, as metrics: OpenMetrics 1.0 for who asks for it, else the older text format of Prometheus, which
// node_exporter reads too.
#ifndef CONSOLE_METRICS_H
#define CONSOLE_METRICS_H

#include "console/markup.h"
#include "console/source.h"

#include <stdbool.h>

void metrics_write(struct markup *out, const struct list *instances, bool is_open);

#endif
