#include "crypto/kdf.h"

#include "crypto/ct.h"
#include "crypto/sha.h"

bool mr_kdf_concat(uint8_t *out, size_t out_n, struct mr_span secret, struct mr_span info)
{
    uint8_t counter[4], block[MR_SHA256_SIZE];
    struct mr_span parts[] = {mr_span(counter, sizeof counter), secret, info};
    bool ok = true;

    MR_ASSERT(out_n <= 255 * MR_SHA256_SIZE);
    for (size_t done = 0, i = 1; ok && done < out_n; done += MR_SHA256_SIZE, i++) {
        mr_store_be32(counter, (uint32_t)i);
        ok = mr_sha256(block, parts, MR_COUNT_OF(parts));
        if (ok)
            memcpy(out + done, block, MR_MIN(out_n - done, sizeof block));
    }
    mr_wipe(block, sizeof block);
    if (!ok)
        mr_wipe(out, out_n);
    return ok;
}
