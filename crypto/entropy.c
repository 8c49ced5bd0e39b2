#include "crypto/entropy.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

#include "core/base.h"

bool mr_entropy(void *p, size_t n)
{
    uint8_t *at = p;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        at += got, n -= (size_t)got;
    }
    return true;
}

void mr_entropy_system(void *ctx, void *p, size_t n)
{
    bool ok = mr_entropy(p, n);

    (void)ctx;
    MR_ASSERT(ok);
}
