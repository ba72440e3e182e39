// SPDX-License-Identifier: GPL-2.0-or-later
// Arbitrary bytes as a message of enrolment, and as a request for a certificate inside it.
#include "enrol/message.h"
#include "link/tls/request.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct enrol_request request;
    struct enrol_answer answer;
    struct span key, whole = {bytes, len};
    struct fault fault;
    if (enrol_request_read(&request, bytes, len) && request.kind == ENROL_CERTIFICATE) {
        assert(request.statement.len + 2 + request.signature.len == len);
        tls_request_check(&request.request, &key, &fault);
        tls_statement_check(&request.certificate, &request.statement, &request.signature, &fault);
    }
    if (enrol_answer_read(&answer, bytes, len))
        assert(answer.given ? answer.certificate.len + answer.list.len + 9 == len : strlen(answer.why) < len);
    if (tls_request_check(&whole, &key, &fault))
        assert(key.len == 91 && key.bytes > bytes && key.bytes + key.len < bytes + len);
    return 0;
}
