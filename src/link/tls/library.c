// SPDX-License-Identifier: GPL-2.0-or-later
// The library as a whole: started once, and only if it is one that we trust.
#include "link/tls/gcm.h"
#include "link/tls/internal.h"

#include <wolfssl/version.h>

// Debian 12's, with its security fixes (scripts/fetch-deps judges those); older ones have known holes beyond what we
// shield.
enum { OLDEST_VERSION = 0x05005004 };

bool tls_library_start(struct fault *fault)
{
    if (wolfSSL_lib_version_hex() < OLDEST_VERSION)
        return fault_set(fault, "wolfSSL %s is older than 5.5.4, which is the oldest accepted", wolfSSL_lib_version());
    if (wolfSSL_lib_version_hex() != LIBWOLFSSL_VERSION_HEX)
        return fault_set(fault, "wolfSSL %s is linked, but %s was compiled for", wolfSSL_lib_version(),
                         LIBWOLFSSL_VERSION_STRING);
    if (wolfSSL_Init() != WOLFSSL_SUCCESS)
        return fault_set(fault, "wolfSSL does not start");
    tls_gcm_start();
    return true;
}

const char *tls_library_version(void)
{
    return wolfSSL_lib_version();
}

const char *tls_library_aes(void)
{
    static struct fault fault;
    return tls_library_start(&fault) ? tls_gcm_name() : fault.text;
}
