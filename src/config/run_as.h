// SPDX-License-Identifier: GPL-2.0-or-later
// Whom root's programs become unless the configuration says otherwise: "nobody", or who was named when this was built
// (RUN_AS=).
#ifndef CONFIG_RUN_AS_H
#define CONFIG_RUN_AS_H

#ifndef USHER_RUN_AS
#define USHER_RUN_AS nobody
#endif

#define RUN_AS_STRING(name) #name
#define RUN_AS_VALUE(name)  RUN_AS_STRING(name)
#define RUN_AS              RUN_AS_VALUE(USHER_RUN_AS)

#endif
