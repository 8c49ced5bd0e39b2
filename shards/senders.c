#include "shards/senders.h"

#include <stdlib.h>

#include "core/bucket.h"
#include "core/clock.h"
#include "core/siphash.h"

#define SET 8

struct sender_rate {
    uint64_t fingerprint, used_ns;
    struct mr_bucket plain, blob;
};

struct sender_nonce {
    uint64_t fingerprint, used_ns, window_ns;
    uint64_t tx;
    struct mr_sender_fees fees;
    uint32_t replaced; /* in the minute since window_ns */
};

bool mr_senders_init(struct mr_senders *t, const struct mr_relay_options *o, uint32_t entries,
                     struct mr_random *random)
{
    MR_ASSERT(entries >= 64);
    MR_ASSERT((entries & (entries - 1)) == 0);
    *t = (struct mr_senders){.sets_mask = entries / SET - 1, .o = o};
    t->key[0] = mr_random_u64(random);
    t->key[1] = mr_random_u64(random);
    t->rates = calloc(entries, sizeof *t->rates);
    t->nonces = calloc(entries, sizeof *t->nonces);
    return t->rates && t->nonces;
}

void mr_senders_fini(struct mr_senders *t)
{
    free(t->rates);
    free(t->nonces);
    *t = (struct mr_senders){0};
}

uint64_t mr_fee_of(const struct mr_u256 *v)
{
    for (unsigned i = 0; i < 24; i++)
        if (v->b[i])
            return UINT64_MAX;
    return mr_load_be64(v->b + 24);
}

static struct sender_rate *rate_of(struct mr_senders *t, uint64_t fingerprint, uint64_t now_ns)
{
    struct sender_rate *set = t->rates + (size_t)(fingerprint & t->sets_mask) * SET, *old = set;

    for (unsigned i = 0; i < SET; i++) {
        if (set[i].fingerprint == fingerprint) {
            set[i].used_ns = now_ns;
            return &set[i];
        }
        if (set[i].used_ns < old->used_ns)
            old = &set[i];
    }
    old->fingerprint = fingerprint;
    old->used_ns = now_ns;
    mr_bucket_init(&old->plain, t->o->sender_tx_per_s, t->o->sender_tx_burst, now_ns);
    mr_bucket_init(&old->blob, t->o->sender_blob_per_s, t->o->sender_blob_burst, now_ns);
    return old;
}

/* The entry of (sender, nonce); *fresh when there was none. */
static struct sender_nonce *nonce_of(struct mr_senders *t, uint64_t fingerprint, bool *fresh,
                                     uint64_t now_ns)
{
    struct sender_nonce *set = t->nonces + (size_t)(fingerprint & t->sets_mask) * SET, *old = set;

    *fresh = false;
    for (unsigned i = 0; i < SET; i++) {
        if (set[i].fingerprint == fingerprint)
            return &set[i];
        if (set[i].used_ns < old->used_ns)
            old = &set[i];
    }
    *fresh = true;
    *old =
        (struct sender_nonce){.fingerprint = fingerprint, .used_ns = now_ns, .window_ns = now_ns};
    return old;
}

/* a >= b + percent of b, without overflow. */
static bool above(uint64_t a, uint64_t b, unsigned percent)
{
    return (unsigned __int128)a * 100 >= (unsigned __int128)b * (100 + percent);
}

static enum mr_sender_verdict replace(const struct mr_senders *t, struct sender_nonce *n,
                                      const struct mr_sender_fees *fees, bool blob, uint64_t now_ns)
{
    unsigned percent = blob ? t->o->blob_price_bump_percent : t->o->price_bump_percent;

    if (!above(fees->fee_cap, n->fees.fee_cap, percent) ||
        !above(fees->tip, n->fees.tip, percent) ||
        (blob && !above(fees->blob_fee_cap, n->fees.blob_fee_cap, percent)))
        return MR_SENDER_REPLACEMENT_LOW;
    if (now_ns - n->window_ns >= 60 * MR_SECOND) {
        n->window_ns = now_ns;
        n->replaced = 0;
    }
    if (n->replaced >= t->o->replacements_per_minute)
        return MR_SENDER_REPLACEMENT_FAST;
    n->replaced++;
    return MR_SENDER_OK;
}

enum mr_sender_verdict mr_senders_judge(struct mr_senders *t, const struct mr_address *sender,
                                        uint64_t nonce, uint64_t tx,
                                        const struct mr_sender_fees *fees, bool blob,
                                        uint64_t now_ns)
{
    uint8_t key[28];
    struct sender_rate *rate;
    struct sender_nonce *n;
    enum mr_sender_verdict v;
    bool fresh;

    memcpy(key, sender->b, 20);
    mr_store_be64(key + 20, nonce);
    n = nonce_of(t, mr_siphash(t->key, key, sizeof key) | 1, &fresh, now_ns);
    if (!fresh && n->tx != tx && (v = replace(t, n, fees, blob, now_ns)) != MR_SENDER_OK)
        return v;
    n->tx = tx;
    n->fees = *fees;
    n->used_ns = now_ns;
    rate = rate_of(t, mr_siphash(t->key, sender->b, sizeof sender->b) | 1, now_ns);
    if (!mr_bucket_take(blob ? &rate->blob : &rate->plain, 1, now_ns))
        return MR_SENDER_FAST;
    return MR_SENDER_OK;
}
