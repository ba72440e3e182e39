// SPDX-License-Identifier: GPL-2.0-or-later
// A browser's certificate: judged against the CA and its revocation list, for the purpose of a client.
#ifndef CONSOLE_PEER_H
#define CONSOLE_PEER_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>

enum { PEER_NAME_SIZE = 128 };

struct peer_judge;

// PEM. Without a list nobody is withdrawn.
struct peer_judge *peer_judge_new(const char *authorities, const char *withdrawn, struct fault *fault);
void peer_judge_free(struct peer_judge *judge);
const char *peer_judge_authorities(const struct peer_judge *judge);
// `session` is a gnutls_session_t. `name` is what the certificate says: the first DNS name, else the common name.
bool peer_judge(const struct peer_judge *judge, void *session, char name[PEER_NAME_SIZE], struct fault *why);

#endif
