// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/attendants.h"

#include "os/sandbox/rights.h"
#include "os/system_dns/resolv_keeper.h"
#include "os/watch/file_reader.h"

#include <unistd.h>

bool attendants_start(struct attendants *out, bool keeper, struct fault *fault)
{
    *out = (struct attendants){ATTENDANT_NONE, ATTENDANT_NONE};
    return !rights_are_the_machines() ||
           (file_reader_attendant(&out->reader, fault) && (!keeper || resolv_keeper_attendant(&out->keeper, fault)));
}

static void leave(struct attendant *attendant)
{
    if (attendant->channel >= 0)
        close(attendant->channel);
    *attendant = ATTENDANT_NONE;
}

void attendants_leave(struct attendants *attendants)
{
    leave(&attendants->reader);
    leave(&attendants->keeper);
}
