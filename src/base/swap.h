// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef BASE_SWAP_H
#define BASE_SWAP_H

// Either of them for the other: two objects of one type.
#define SWAP(a, b)                                                                                                     \
    do {                                                                                                               \
        __typeof__(a) swapped = (a);                                                                                   \
        (a) = (b);                                                                                                     \
        (b) = swapped;                                                                                                 \
    } while (0)

#endif
