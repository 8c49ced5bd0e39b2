#include "crypto/ct.h"

#include <stdint.h>
#include <string.h>

bool mr_ct_equal(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    unsigned differ = 0;

    for (size_t i = 0; i < n; i++) {
        differ |= (unsigned)(x[i] ^ y[i]);
        /* Hides the sum from the optimiser, which could otherwise leave the loop early. */
        __asm__("" : "+r"(differ));
    }
    return ((differ - 1) >> 31) != 0;
}

void mr_wipe(void *p, size_t n)
{
    if (n > 0)
        explicit_bzero(p, n);
}
