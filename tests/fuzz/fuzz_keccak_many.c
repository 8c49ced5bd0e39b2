/* Any list of inputs: hashing many at once, with any variant, is hashing one by one in plain code.
 */
#include "crypto/keccak.h"

#define INPUTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const variants[] = {"avx512", "avx2", "plain"};
    struct mr_span in[INPUTS_MAX];
    struct mr_hash out[INPUTS_MAX], one[INPUTS_MAX];
    struct mr_keccak_stats stats = {0};
    size_t n, blocks = 0;

    if (size < 2)
        return 0;
    n = data[1] % (INPUTS_MAX + 1);
    for (size_t i = 0; i < n; i++) { /* overlapping pieces of the input, each of its own length */
        size_t at = size * i / INPUTS_MAX, len = (size_t)data[at] * data[at] / 16;

        len = MR_MIN(len, size - at);
        in[i] = mr_span(data + at, len);
        blocks += len / MR_KECCAK_RATE + 1;
    }
    mr_keccak_use("plain");
    for (size_t i = 0; i < n; i++)
        mr_keccak256(&one[i], in[i].p, in[i].n);
    mr_keccak_use(variants[data[0] % 3]); /* stays plain where the CPU has no such lanes */
    mr_keccak256_many_counted(out, in, n, &stats);
    for (size_t i = 0; i < n; i++)
        MR_ASSERT(mr_hash_equal(&out[i], &one[i]));
    MR_ASSERT(stats.lanes[0] + stats.lanes[1] + stats.lanes[2] == blocks);
    return 0;
}
