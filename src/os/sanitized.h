// SPDX-License-Identifier: GPL-2.0-or-later
// Whether this build carries a sanitizer, whose runtime needs calls that the product itself must not make.
#ifndef OS_SANITIZED_H
#define OS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
