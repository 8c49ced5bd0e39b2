#include "perf/fan_payload.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/random.h"
#include "core/rlp.h"
#include "crypto/entropy.h"
#include "net/rlpx/snappy.h"
#include "perf/corpus.h"

#define HEAD_BYTES_MAX 5  /* of an RLP string: far over MR_FAN_BYTES_MAX */
#define RANDOM_RUN     64 /* what is mixed in to compress less */
#define MIX_STEPS      24
#define DRAW_MAX       4096u

/* ---- names ---- */

uint64_t mr_fan_tag(uint64_t seed, uint32_t k)
{
    uint64_t z =
        seed * UINT64_C(0xd1342543de82ef95) + (k + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9); /* splitmix64: one to one */
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void mr_fan_payload_select(struct mr_fan_payload *f, uint32_t k)
{
    mr_store_be64(f->p + f->tag_at, mr_fan_tag(f->seed, k));
}

/* Bytes of the head of an RLP string that is n bytes long with it; 0 if there is none. */
static uint32_t head_bytes(uint32_t n)
{
    for (uint32_t head = 1; head <= HEAD_BYTES_MAX && head + 2 <= n; head++)
        if (mr_rlp_head_len(n - head) == head)
            return head;
    return 0;
}

bool mr_fan_payload_peek(uint64_t *tag, struct mr_span compressed, uint32_t n)
{
    const uint8_t *p = compressed.p, *const end = p + compressed.n;
    uint32_t literal;

    while (p < end && *p & 0x80) /* the preamble */
        p++;
    p++;
    if (p >= end || (*p & 3) != 0)
        return false;
    literal = *p >> 2; /* up to 59: its length less one; 60 and over: that has so many bytes */
    p += literal < 60 ? 1 : 1 + (literal - 59);
    p += head_bytes(n);
    if (end - p < MR_FAN_TAG_BYTES)
        return false;
    *tag = mr_load_be64(p);
    return true;
}

/* ---- contents ---- */

static enum mr_err ratio_of(double *out, struct mr_span payload)
{
    size_t cap = MR_SNAPPY_DEFLATED_MAX(payload.n), n;
    uint8_t *p = malloc(cap);
    enum mr_err e = p ? mr_snappy_fragment(p, cap, &n, payload) : MR_FULL;

    free(p);
    if (!e)
        *out = (double)n / (double)payload.n;
    return e;
}

/* Transactions one behind the other, from `from` on, until content is full. */
static void fill_transactions(struct mr_fan_payload *f, uint8_t *content, size_t n,
                              const struct mr_corpus *c)
{
    size_t at = 0;

    for (f->transactions = 0; at < n; f->transactions++) {
        struct mr_span tx = mr_corpus_bytes(c, f->transactions % c->count);
        size_t take = MR_MIN(tx.n, n - at);

        memcpy(content + at, tx.p, take);
        at += take;
    }
}

/* Puts something else in place of share of the content, evenly: runs of random bytes, or copies of
 * the bytes right before. */
static void mix(uint8_t *content, size_t n, double share, bool random_bytes, uint64_t seed)
{
    const size_t runs = (size_t)(share * (double)n / RANDOM_RUN);
    struct mr_random random;

    mr_random_init(&random, seed);
    for (size_t i = 0; i < runs; i++) {
        size_t at = RANDOM_RUN + (n - 2 * RANDOM_RUN) / runs * i;

        if (random_bytes)
            mr_random_fill(&random, content + at, RANDOM_RUN);
        else
            memcpy(content + at, content + at - RANDOM_RUN, RANDOM_RUN);
    }
}

/* Halves the interval of shares until the ratio is met. */
static enum mr_err mix_to_ratio(struct mr_fan_payload *f, uint8_t *content, size_t n,
                                const struct mr_corpus *c)
{
    double low = 0, high = 1;
    bool random_bytes;
    enum mr_err e;

    fill_transactions(f, content, n, c);
    if ((e = ratio_of(&f->ratio, mr_span(f->p, f->n))))
        return e;
    random_bytes = f->ratio < MR_FAN_RATIO;
    for (int i = 0; i < MIX_STEPS && (f->ratio < MR_FAN_RATIO - MR_FAN_RATIO_OFF / 4 ||
                                      f->ratio > MR_FAN_RATIO + MR_FAN_RATIO_OFF / 4);
         i++) {
        const double share = (low + high) / 2;

        fill_transactions(f, content, n, c);
        mix(content, n, share, random_bytes, f->seed);
        if ((e = ratio_of(&f->ratio, mr_span(f->p, f->n))))
            return e;
        if ((f->ratio < MR_FAN_RATIO) == random_bytes)
            low = share;
        else
            high = share;
    }
    return MR_OK;
}

static enum mr_err transactions(struct mr_fan_payload *f, uint8_t *content, size_t n,
                                const struct mr_fan_options *o, char *sentence, size_t cap)
{
    const uint64_t wall_s = mr_time_wall_s(mr_clock_now());
    struct mr_corpus corpus;
    struct mr_secp *secp;
    uint8_t seed[32];
    enum mr_err e;

    mr_entropy_system(NULL, seed, sizeof seed);
    if (!(secp = mr_secp_create(seed)))
        return MR_FULL;
    mr_corpus_init(&corpus, mr_network_find("mainnet"), secp, wall_s);
    e = o->corpus ? mr_corpus_read(&corpus, o->corpus, sentence, cap) : MR_OK;
    if (!e)
        e = mr_corpus_draw(&corpus, DRAW_MAX, o->seed);
    if (!e && corpus.count == 0)
        e = mr_corpus_generate(&corpus, DRAW_MAX, o->seed);
    if (!e)
        e = mix_to_ratio(f, content, n, &corpus);
    mr_corpus_fini(&corpus);
    mr_secp_destroy(secp);
    return e;
}

/* The head of the string; content is what follows it. */
static bool write_head(struct mr_fan_payload *f)
{
    const uint32_t head = head_bytes(f->n), content = f->n - head;
    struct mr_writer w = mr_writer(f->p, f->n);

    if (head == 0 || content < MR_FAN_TAG_BYTES || mr_rlp_put_list_head(&w, content) != MR_OK)
        return false;
    f->p[0] -= 0x40; /* a string's prefix is a list's, so much lower */
    f->tag_at = head;
    return true;
}

enum mr_err mr_fan_payload_init(struct mr_fan_payload *f, const struct mr_fan_options *o,
                                char *sentence, size_t cap)
{
    enum mr_err e = MR_OK;
    struct mr_random random;

    *f = (struct mr_fan_payload){.n = o->bytes, .seed = o->seed, .p = malloc(o->bytes)};
    snprintf(sentence, cap, "out of memory");
    if (!f->p)
        return MR_FULL;
    if (!write_head(f)) {
        snprintf(sentence, cap, "no RLP string is %u bytes long and names a message", f->n);
        return MR_INVALID;
    }
    mr_random_init(&random, o->seed);
    mr_random_fill(&random, f->p + f->tag_at, f->n - f->tag_at);
    mr_fan_payload_select(f, 0);
    if (o->tx)
        e = transactions(f, f->p + f->tag_at + MR_FAN_TAG_BYTES,
                         f->n - f->tag_at - MR_FAN_TAG_BYTES, o, sentence, cap);
    else
        e = ratio_of(&f->ratio, mr_span(f->p, f->n));
    return e;
}

void mr_fan_payload_fini(struct mr_fan_payload *f)
{
    free(f->p);
    *f = (struct mr_fan_payload){0};
}
