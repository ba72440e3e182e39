// SPDX-License-Identifier: GPL-2.0-or-later
// Arbitrary bytes as a certificate and as a revocation list: nothing outside them is read, and whatever is accepted
// can be asked for everything.
#include "link/tls/certificate.h"
#include "link/tls/revocation.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct certificate certificate;
    struct revocation_list list;
    if (certificate_parse(&certificate, bytes, len)) {
        char name[CERTIFICATE_NAME_SIZE], names[CERTIFICATE_NAMES_SIZE], serial[CERTIFICATE_SERIAL_SIZE];
        // The one name of a certificate is a name that it is valid for, unless it would be read as an address.
        if (certificate_name(&certificate, name)) {
            bool numeric = strspn(name, "0123456789.") == strlen(name);
            assert(numeric || certificate_matches(&certificate, name));
        }
        certificate_matches(&certificate, "gate.example.net");
        certificate_matches(&certificate, "10.0.0.1");
        assert(strlen(certificate_names_text(&certificate, names)) < sizeof(names));
        assert(strlen(certificate_serial_text(&certificate, serial)) < sizeof(serial));
    }
    revocation_list_parse(&list, bytes, len);
    return 0;
}
