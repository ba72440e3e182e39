// SPDX-License-Identifier: GPL-2.0-or-later
// The versions of what is linked come from the libraries themselves, lwIP's from its source package.

#include "cli/version.h"

#include "link/tls/tls.h"

#include <jansson.h>
#include <uv.h>

#ifndef USHER_VERSION
#define USHER_VERSION "unknown"
#endif
#ifndef USHER_LWIP_VERSION
#define USHER_LWIP_VERSION "unknown"
#endif

const char version_text[] = USHER_VERSION;

void version_print(FILE *out, const char *program)
{
    fprintf(out, "%s %s\n", program, version_text);
    fprintf(out, "wolfSSL %s\n", tls_library_version());
    fprintf(out, "AES-GCM by %s\n", tls_library_aes());
    fprintf(out, "lwIP %s\n", USHER_LWIP_VERSION);
    fprintf(out, "libuv %s\n", uv_version_string());
    fprintf(out, "jansson %s\n", JANSSON_VERSION);
}
