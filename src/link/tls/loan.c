// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/tls/loan.h"

static const uint8_t *lent; // NULL: nothing is
static size_t lent_len;

void tls_loan_give(const uint8_t *content, size_t len)
{
    lent = content;
    lent_len = len;
}

bool tls_loan_waits(void)
{
    return lent;
}

const uint8_t *tls_loan_take(size_t len)
{
    const uint8_t *content = lent;
    if (len != lent_len)
        return NULL;
    lent = NULL;
    return content;
}

bool tls_loan_end(void)
{
    bool waited = lent;
    lent = NULL;
    return waited;
}
