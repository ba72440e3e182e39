// SPDX-License-Identifier: GPL-2.0-or-later
// Sealing and opening AES-GCM records by another library than wolfSSL, on processors where that is faster.
#ifndef LINK_TLS_GCM_H
#define LINK_TLS_GCM_H

void tls_gcm_start(void);
int tls_gcm_device(void);  // for wolfSSL_CTX_SetDevId; INVALID_DEVID: wolfSSL does it itself
void tls_gcm_forget(void); // wipes the keys that were made ready
const char *tls_gcm_name(void);

#endif
