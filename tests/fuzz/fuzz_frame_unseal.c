/* A session whose bytes were tampered with: what stands before the first changed byte opens,
 * nothing behind it does, and what was not opened stays as it came. With no frames of its own the
 * input is the wire: nothing of it is ever accepted. */
#include <stdlib.h>

#include "net/rlpx/frame.h"

#define FRAMES_MAX 3
#define WIRE_MAX   8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sessions(struct mr_rlpx_session *a, struct mr_rlpx_session *b, uint8_t offset)
{
    static const uint8_t packet[512] = "handshake";
    struct mr_rlpx_secrets s = {.aes = "aes secret", .mac = "mac secret"};

    mr_keccak_init(&s.egress);
    mr_keccak_update(&s.egress, packet, 200 + offset);
    s.ingress = s.egress;
    mr_rlpx_session_init(a, &s);
    mr_rlpx_session_init(b, &s);
}

/* Seals up to three frames, whose sizes the input gives, and leaves their ends. */
static size_t seal(struct mr_rlpx_session *s, uint8_t *wire, size_t *ends, const uint8_t *sizes,
                   unsigned count)
{
    static const uint8_t text[1024] = "frame data";
    size_t n = 0;

    for (unsigned i = 0; i < count; i++) {
        uint32_t size = mr_load_be16(sizes + 2 * i) % sizeof text;
        struct mr_span span = mr_span(text, size);
        struct mr_frame frame = {&span, 1, size};
        struct mr_seal_job job = {.session = s,
                                  .frames = &frame,
                                  .frames_count = 1,
                                  .out = wire + n,
                                  .out_cap = WIRE_MAX - n};

        mr_rlpx_seal_one(&job, NULL);
        MR_ASSERT(job.frames_done == 1);
        n += job.out_len;
        ends[i] = n;
    }
    return n;
}

/* Opens what it can, showing `step` more bytes each time; returns how many frames came out. *at is
 * where it stopped. */
static unsigned open_all(struct mr_rlpx_session *s, uint8_t *wire, size_t n, size_t step,
                         size_t *at, enum mr_unseal_result *last)
{
    unsigned frames = 0;
    size_t shown = 0, header = 0;

    for (*at = 0;;) {
        struct mr_unseal_job job = {.session = s,
                                    .in = wire + *at + header,
                                    .size_max = step % 2 ? 100 : MR_FRAME_SIZE_MAX};

        job.in_len = shown - *at - header;
        mr_rlpx_unseal_one(&job, NULL);
        *last = job.result;
        if (job.result == MR_UNSEAL_FRAME) {
            *at += header + job.consumed, header = 0, frames++;
        } else if (job.result == MR_UNSEAL_HEADER || (job.result == MR_UNSEAL_NEED && shown < n)) {
            header += job.consumed;
            shown = job.result == MR_UNSEAL_NEED ? MR_MIN(n, shown + step) : shown;
        } else {
            return frames;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_rlpx_session a, b;
    uint8_t wire[WIRE_MAX], before[WIRE_MAX];
    size_t ends[FRAMES_MAX], n, changed, at;
    enum mr_unseal_result last;
    unsigned count, good = 0, opened;

    if (size < 9)
        return 0;
    sessions(&a, &b, data[0]);
    count = data[1] % (FRAMES_MAX + 1);
    n = seal(&a, wire, ends, data + 2, count);
    memcpy(before, wire, n);
    if (count == 0) {
        n = MR_MIN(size - 9, sizeof wire);
        memcpy(wire, data + 9, n);
        changed = 0;
    } else { /* the rest of the input is laid over the wire from some place on */
        size_t from = mr_load_be16(data + 2) % n;

        for (size_t i = 9; i < size && from + i - 9 < n; i++)
            wire[from + i - 9] ^= data[i];
        for (changed = 0; changed < n && wire[changed] == before[changed];)
            changed++;
    }
    memcpy(before, wire, n);
    while (good < count && ends[good] <= changed)
        good++;
    opened = open_all(&b, wire, n, 1 + data[8], &at, &last);
    MR_ASSERT(opened == good);
    MR_ASSERT(at == (good ? ends[good - 1] : 0));
    MR_ASSERT(memcmp(wire + at, before + at, n - at) == 0);
    MR_ASSERT(last == MR_UNSEAL_NEED || last == MR_UNSEAL_AUTH);
    MR_ASSERT(last == MR_UNSEAL_AUTH || (count > 0 && good == count) || n - at < 32);
    return 0;
}
