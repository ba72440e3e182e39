// SPDX-License-Identifier: GPL-2.0-or-later
// Arbitrary bytes as the file of a certificate, a list or a key: every reader of such files goes over them.
#include "link/tls/material.h"
#include "link/tls/tls.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void walk(struct span in)
{
    struct pem_block block;
    enum pem_result result;
    size_t before = in.len;
    while ((result = pem_next(&in, &block)) != PEM_END) {
        assert(in.len < before);
        before = in.len;
        if (result == PEM_BLOCK)
            assert(block.der.len && block.der.bytes);
        else
            assert(!block.der.bytes);
        blob_wipe(&block.der);
    }
}

static void chain(const struct blob *certificates)
{
    struct span in = {certificates->bytes, certificates->len};
    struct der_element own;
    struct blob out;
    if (der_take(&in, DER_SEQUENCE, &own) && material_chain(&out, own.whole, in, in, 4))
        blob_wipe(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct blob out, text = {(uint8_t *)bytes, len}, secret = {(uint8_t *)"open sesame", 11};
    struct fault fault;
    walk((struct span){bytes, len});
    if (material_certificates(&out, "it", bytes, len, &fault)) {
        chain(&out);
        blob_wipe(&out);
    }
    if (material_lists(&out, "it", bytes, len, &fault))
        blob_wipe(&out);
    if (material_key(&out, "it", bytes, len, &fault))
        blob_wipe(&out);
    tls_key_is_locked(bytes, len);
    if (tls_key_unlock(&out, &text, &secret, &fault) == TLS_UNLOCKED)
        blob_wipe(&out);
    return 0;
}
