/* one.c: sealing and unsealing one job at a time: for short lists, for CPUs without lanes, and as
 * the reference that the lanes must equal byte for byte. */
#include "net/rlpx/mac.h"

/* A direction at work. */
struct one {
    struct mr_rlpx_direction *d;
    const struct mr_aes256 *key;
    struct mr_keccak_stats *stats;
};

static void count(const struct one *o, uint64_t permutations)
{
    if (!o->stats)
        return;
    o->stats->permutations[MR_KECCAK_W1] += permutations;
    o->stats->lanes[MR_KECCAK_W1] += permutations;
}

static void absorb(const struct one *o, const uint8_t *p, size_t n)
{
    count(o, (o->d->mac.off + n) / MR_KECCAK_RATE);
    mr_keccak_update(&o->d->mac, p, n);
}

static void digest(const struct one *o)
{
    uint8_t full[32];

    count(o, 1);
    mr_keccak_digest(&o->d->mac, full);
    memcpy(o->d->digest, full, 16);
}

/* Absorbs E(digest) ^ x, and leaves the new digest: the MAC of a header or a frame. */
static void absorb_seed(const struct one *o, const uint8_t x[16])
{
    uint8_t seed[16];

    mr_aes256_block(o->key, seed, o->d->digest);
    mr_xor16(seed, x);
    absorb(o, seed, sizeof seed);
    digest(o);
}

static void frame_mac(const struct one *o)
{
    uint8_t body_digest[16];

    digest(o);
    memcpy(body_digest, o->d->digest, 16);
    absorb_seed(o, body_digest);
}

static void seal_header(struct mr_seal_job *job, const struct mr_frame *f, const struct one *o)
{
    uint8_t *out = job->out + job->out_len;

    mr_frame_header_plain(out, f->size);
    mr_aes_ctr_xor(&job->session->aes, &o->d->ctr, out, out, 16);
    absorb_seed(o, out);
    memcpy(out + 16, o->d->digest, 16);
    o->d->stage = MR_RLPX_BODY, o->d->size = f->size, o->d->done = 0;
    job->out_len += MR_FRAME_HEADER_LEN;
}

/* Seals what fits of one frame; true when its last byte is out. */
static bool seal_frame(struct mr_seal_job *job, const struct mr_frame *f, const struct one *o)
{
    struct mr_rlpx_direction *d = o->d;
    const uint32_t padded = MR_FRAME_PADDED(f->size);
    struct mr_frame_cursor cursor;
    uint8_t *out;
    size_t room, slice;

    if (d->stage == MR_RLPX_HEADER) {
        if (job->out_cap - job->out_len < MR_FRAME_HEADER_LEN)
            return false;
        seal_header(job, f, o);
    }
    MR_ASSERT(d->size == f->size);
    out = job->out + job->out_len;
    room = job->out_cap - job->out_len;
    slice = MR_MIN(room & ~(size_t)15, (size_t)(padded - d->done));
    mr_frame_seek(&cursor, f, d->done);
    mr_frame_gather(&cursor, out, slice);
    mr_aes_ctr_xor(&job->session->aes, &d->ctr, out, out, slice);
    absorb(o, out, slice);
    d->done += (uint32_t)slice, job->out_len += slice;
    if (d->done < padded || room - slice < MR_FRAME_MAC_LEN)
        return false;
    frame_mac(o);
    memcpy(out + slice, d->digest, 16);
    job->out_len += MR_FRAME_MAC_LEN;
    d->stage = MR_RLPX_HEADER;
    return true;
}

void mr_rlpx_seal_one(struct mr_seal_job *job, struct mr_keccak_stats *stats)
{
    const struct one o = {&job->session->egress, &job->session->mac, stats};

    job->out_len = 0;
    for (job->frames_done = 0; job->frames_done < job->frames_count; job->frames_done++)
        if (!seal_frame(job, &job->frames[job->frames_done], &o))
            return;
}

void mr_rlpx_unseal_one(struct mr_unseal_job *job, struct mr_keccak_stats *stats)
{
    struct mr_rlpx_direction *d = &job->session->ingress;
    const struct one o = {d, &job->session->mac, stats};
    struct mr_span fresh;
    bool whole;

    if (!mr_unseal_begin(job))
        return;
    if (d->stage == MR_RLPX_HEADER) {
        if (job->in_len < MR_FRAME_HEADER_LEN) {
            mr_unseal_need(job, MR_FRAME_HEADER_LEN - job->in_len);
            return;
        }
        absorb_seed(&o, job->in);
        if (!mr_unseal_open_header(job))
            return;
    }
    whole = mr_unseal_body(job, &fresh);
    absorb(&o, fresh.p, fresh.n);
    d->done += (uint32_t)fresh.n;
    if (!whole)
        return;
    frame_mac(&o);
    mr_unseal_open_body(job);
}
