// SPDX-License-Identifier: GPL-2.0-or-later
// What our build of wolfSSL is made of; the library itself and src/link/tls/ include it. It holds preprocessor
// directives only, since assembly files include it too. The rule is: what is not named here is not there. No trusted
// peers and no OpenSSL compatibility (together they let anyone who has the CA's certificate log in), no tickets and no
// session cache (they outlive a revocation), no early data, no NULL ciphers, no OCSP, nothing based on MD5 or SHA-1.
#ifndef USER_SETTINGS_H
#define USER_SETTINGS_H

// TLS 1.3, and 1.2 for whoever asks for it by configuration, with authenticated ciphers and ephemeral keys only.
#define WOLFSSL_TLS13
#define NO_OLD_TLS
#define WOLFSSL_AEAD_ONLY
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_SNI
#define HAVE_ALPN
#define HAVE_HKDF
#define NO_PSK
#define NO_SESSION_CACHE

// Certificates: revocation lists, and the peer's chain handed to our own checks (src/link/tls/peer.c) also when the
// library is content with it.
#define HAVE_CRL
#define WOLFSSL_ALWAYS_VERIFY_CB
#define WOLFSSL_CERT_EXT
#define WOLFSSL_CERT_GEN
#define WOLFSSL_IP_ALT_NAME
#define WOLFSSL_DER_LOAD
#define WOLFSSL_PEM_TO_DER
#define WC_RSA_PSS

// Algorithms.
#define HAVE_ECC
#define HAVE_ECC384
#define HAVE_ECC521
#define ECC_MIN_KEY_SZ       256
#define WOLFSSL_MIN_ECC_BITS 256
#define ECC_TIMING_RESISTANT
#define HAVE_CURVE25519
#define HAVE_ED25519
#define HAVE_ED448 // certificates of some authorities; its hash is SHAKE256
#define WOLFSSL_SHA3
#define WOLFSSL_SHAKE256
#define RSA_MIN_SIZE         2048
#define WOLFSSL_MIN_RSA_BITS 2048
#define WC_RSA_BLINDING
#define HAVE_AESGCM
#define WOLF_CRYPTO_CB // for src/link/tls/gcm.c
#define NO_AES_192
#define NO_AES_CBC
#define WOLFSSL_AES_DIRECT // single blocks, of which src/link/tls/unlock.c makes the CBC of encrypted keys
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ONE_TIME_AUTH
#define WOLFSSL_SHA512
#define WOLFSSL_SHA384
#define NO_SHA
#define NO_MD4
#define NO_MD5
#define NO_RC4
#define NO_DES3
#define NO_DSA
#define NO_DH
#define NO_PKCS12

// Big numbers by code that is generated for each size we support (P-256 to P-521, RSA 2048 to 4096), without branches or
// table look-ups that depend on a secret.
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_SP_384
#define WOLFSSL_SP_521
#define WOLFSSL_SP_4096
#define SP_INT_BITS 4096
#define TFM_TIMING_RESISTANT

#ifdef __SIZEOF_INT128__
#define HAVE___UINT128_T // words of 64 bits
#endif

// Assembly, chosen at run time by what the processor has. Elsewhere the portable code does the same, slower.
#ifdef __x86_64__
#define WOLFSSL_X86_64_BUILD
#define WOLFSSL_AESNI
#define USE_INTEL_SPEEDUP
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_X86_64_ASM
#endif

// The house: one thread, no files and no sockets of its own, random bytes by system call so that a sandboxed process
// needs no device, and room for a whole record inside each connection instead of an allocation per record.
#define SINGLE_THREADED
#define NO_FILESYSTEM
#define WOLFSSL_USER_IO
#define NO_WRITEV
#define WOLFSSL_GETRANDOM
#define LARGE_STATIC_BUFFERS

#endif
