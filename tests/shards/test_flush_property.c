/* E-09 as a property of all that leaves: over 100,000 random steps of a crowd that sends,
 * announces, asks, stops reading, comes and goes, no message holds a hash twice, nobody is told of
 * a hash twice, or of one that it brought itself, and whoever stays hears of everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "tests/shards/helper_shard.h"

enum { TXS = 4000, ALIVE = 24, ACTORS = 700, STEPS = 100000, WINDOW = 60, TABLE = 1 << 14 };

struct play {
    struct stage st;
    struct sample_tx txs[TXS];
    uint16_t table[TABLE]; /* hash to transaction + 1 */
    uint8_t told[ACTORS][TXS];
    uint32_t brought[ACTORS][TXS]; /* the turn by which the shard has read it; 0: never */
    uint32_t fresh[ACTORS][256], fresh_n[ACTORS]; /* sent, but perhaps not read yet */
    bool named[ACTORS][TXS];                      /* by it, in whatever way */
    uint32_t in_message[TXS];                     /* stamp of the last message that held it */
    uint32_t stamp;
    uint32_t answered[ACTORS]; /* requests */
    struct actor *alive[ALIVE];
    struct actor *steady[4]; /* there from the beginning to the end */
    bool sent[TXS];          /* by anybody, in full */
    uint64_t checked;
};

static uint32_t tx_of(const struct play *p, const struct mr_hash *h)
{
    for (uint32_t i = (uint32_t)mr_load_le64(h->b);; i++) {
        uint32_t t = p->table[i % TABLE];

        assert_int_not_equal(t, 0); /* nothing leaves that nobody brought */
        if (mr_hash_equal(&p->txs[t - 1].hash, h))
            return t - 1;
    }
}

static void one_told(struct play *p, const struct actor *a, const struct mr_hash *h)
{
    uint32_t t = tx_of(p, h);

    assert_int_not_equal(p->in_message[t], p->stamp);
    p->in_message[t] = p->stamp;
    assert_int_equal(p->told[a->index][t], 0);
    p->told[a->index][t] = 1;
    /* what it brought in a turn is known before that turn's flush */
    assert_true(p->brought[a->index][t] == 0 || p->brought[a->index][t] > a->sealed_turn);
    p->checked++;
}

static void on_heard(struct stage *st, struct actor *a, bool is_eth, uint8_t id,
                     struct mr_span payload)
{
    struct play *p = st->ctx;
    struct mr_eth_items items;
    struct mr_announce_item it;
    struct mr_announce m;
    struct mr_hash h;
    struct mr_tx tx;

    p->stamp++;
    if (is_eth && id == MR_ETH_TRANSACTIONS) {
        assert_int_equal(mr_transactions_decode(&items, payload), MR_OK);
        while (!mr_reader_done(&items.items)) {
            assert_int_equal(mr_tx_decode_item(&items.items, &tx), MR_OK);
            mr_tx_hash(&tx, &h);
            one_told(p, a, &h);
        }
    } else if (is_eth && id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES) {
        assert_int_equal(mr_announce_decode(&m, a->o.version, payload), MR_OK);
        while (mr_announce_next(&m, &it))
            one_told(p, a, &it.hash);
    } else if (is_eth && id == MR_ETH_POOLED_TRANSACTIONS) {
        assert_int_equal(mr_response_decode(&items, payload, SIZE_MAX), MR_OK);
        while (!mr_reader_done(&items.items)) {
            uint32_t t;

            assert_int_equal(mr_tx_decode_item(&items.items, &tx), MR_OK);
            mr_tx_hash(&tx, &h);
            t = tx_of(p, &h);
            assert_int_not_equal(p->in_message[t], p->stamp);
            p->in_message[t] = p->stamp;
            p->told[a->index][t] |= 2; /* it asked: this is not telling, but from here it knows */
        }
    }
}

static void play_init(struct play *p)
{
    struct stage_options o;

    stage_options_default(&o);
    o.actors_max = ACTORS;
    o.relay.seen_entries = 65536;
    o.relay.log_entries = 8192;
    o.relay.peer_tx_per_s = o.relay.peer_tx_burst = 1000000;
    o.relay.sender_tx_per_s = o.relay.sender_tx_burst = 1000000;
    o.relay.verify_entries = 2048;
    stage_init(&p->st, &o);
    p->st.ctx = p;
    p->st.on_heard = on_heard;
    for (uint32_t i = 0; i < TXS; i++) {
        uint32_t at;

        stage_tx_make(&p->st, &p->txs[i],
                      &(struct sample_tx_options){.who = i % 900,
                                                  .nonce = i / 900,
                                                  .type = MR_TX_DYNAMIC_FEE,
                                                  .data_bytes = i % 50 == 0 ? 5000 : 0});
        at = (uint32_t)mr_load_le64(p->txs[i].hash.b);
        while (p->table[at % TABLE])
            at++;
        p->table[at % TABLE] = (uint16_t)(i + 1);
    }
}

static struct actor *newcomer(struct play *p)
{
    struct actor *a =
        actor_join(&p->st, &(struct actor_options){.version = MR_ETH_68 + p->st.actors_count % 4,
                                                   .trusted = p->st.actors_count % 10 == 0});

    actor_send_status(a, NULL);
    return a;
}

/* Which of some transactions near at a has not brought yet. */
static uint32_t some(struct play *p, struct sample_tx *out, uint32_t *which, uint32_t at)
{
    struct mr_random *r = &p->st.random;
    uint32_t n = 1 + (uint32_t)mr_random_below(r, 6), k = 0;
    uint32_t t = at + (uint32_t)mr_random_below(r, WINDOW);

    for (uint32_t i = 0; i < n; i++, t += 1 + (uint32_t)mr_random_below(r, 5))
        if (t < TXS)
            which[k] = t, out[k++] = p->txs[t];
    return k;
}

static void brings(struct play *p, const struct actor *a, const uint32_t *which, uint32_t n)
{
    for (uint32_t i = 0; i < n && p->fresh_n[a->index] < MR_COUNT_OF(p->fresh[0]); i++)
        p->fresh[a->index][p->fresh_n[a->index]++] = which[i];
}

/* What a turn has read of everybody: a peer may be paused in the midst of what it sent. */
static void turn(struct play *p)
{
    stage_turn(&p->st);
    for (unsigned i = 0; i < ALIVE; i++) {
        struct actor *a = p->alive[i];

        if (!a->active || a->paused || a->out_n > 0 || actor_peer(a)->in_n > 0)
            continue;
        for (uint32_t k = 0; k < p->fresh_n[a->index]; k++)
            if (p->brought[a->index][p->fresh[a->index][k]] == 0)
                p->brought[a->index][p->fresh[a->index][k]] = (uint32_t)p->st.turns;
        p->fresh_n[a->index] = 0;
    }
}

/* Announcements are forgotten where nobody delivers what they name, so they prove less. */
static void names(struct play *p, const struct actor *a, const uint32_t *which, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        p->named[a->index][which[i]] = true;
}

static void answers(struct play *p, struct actor *a, bool all)
{
    struct mr_hash asked[256];
    struct sample_tx txs[256];
    uint32_t which[256];
    uint64_t id;
    size_t n;

    while (actor_asked(a, p->answered[a->index], &id, asked, 256, &n)) {
        uint32_t k = 0;

        for (size_t i = 0; i < n; i++)
            if (all || mr_random_below(&p->st.random, 4)) {
                which[k] = tx_of(p, &asked[i]);
                txs[k] = p->txs[which[k]];
                p->sent[which[k++]] = true;
            }
        actor_answer(a, id, txs, k);
        p->answered[a->index]++;
    }
}

static void step(struct play *p, uint32_t at)
{
    struct mr_random *r = &p->st.random;
    unsigned i = (unsigned)mr_random_below(r, ALIVE);
    struct actor *a = p->alive[i];
    struct sample_tx txs[8];
    uint32_t which[8], n = some(p, txs, which, at);
    struct mr_hash hashes[8];

    for (uint32_t k = 0; k < n; k++)
        hashes[k] = txs[k].hash;
    if (!a->active)
        return;
    switch (mr_random_below(r, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        actor_send_txs(a, txs, n);
        brings(p, a, which, n);
        names(p, a, which, n);
        for (uint32_t k = 0; k < n; k++)
            p->sent[which[k]] = true;
        return;
    case 4:
    case 5:
    case 6:
        actor_announce(a, txs, n);
        names(p, a, which, n);
        return;
    case 7:
    case 8:
    case 9:
        answers(p, a, false);
        return;
    case 10:
        a->deaf = !a->deaf;
        return;
    case 11:
        actor_ask(a, mr_random_u64(r), hashes, n);
        return;
    case 12:
        if (p->st.actors_count < ACTORS && mr_random_below(r, 8) == 0 && i >= 4) {
            actor_hang_up(a);
            a->deaf = false;
            p->alive[i] = newcomer(p);
        }
        return;
    default:
        p->st.now.mono_ns += mr_random_below(r, 20) * MR_MS;
    }
}

static void nobody_hears_anything_twice_and_all_hear_everything(void **state)
{
    struct play *p = calloc(1, sizeof *p);

    (void)state;
    assert_non_null(p);
    play_init(p);
    for (unsigned i = 0; i < ALIVE; i++)
        p->alive[i] = newcomer(p);
    memcpy(p->steady, p->alive, sizeof p->steady);
    stage_settle(&p->st);
    for (uint32_t k = 0; k < STEPS; k++) {
        step(p, (uint32_t)((uint64_t)k * (TXS - WINDOW - 40) / STEPS));
        if (mr_random_below(&p->st.random, 4))
            turn(p);
    }
    for (unsigned i = 0; i < ALIVE; i++)
        p->alive[i]->deaf = false;
    for (unsigned k = 0; k < 20; k++) {
        for (unsigned i = 0; i < ALIVE; i++)
            answers(p, p->alive[i], true);
        stage_run(&p->st, 600);
    }
    assert_int_equal(stage_count(&p->st)->log_overrun, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct actor *a = p->steady[i];

        assert_true(a->adopted);
        for (uint32_t t = 0; t < TXS; t++)
            if (p->sent[t] && !p->brought[a->index][t] && !p->named[a->index][t])
                assert_int_not_equal(p->told[a->index][t], 0);
    }
    assert_true(stage_count(&p->st)->tx_accepted > TXS / 2);
    assert_true(p->checked > 10 * TXS);
    stage_close(&p->st);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_hears_anything_twice_and_all_hear_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
