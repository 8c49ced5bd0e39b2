/* Nothing is allocated on the data path: 10,000 transactions to 100 peers, and no call of an
 * allocator from inside a turn. The hook is this program's own malloc, which the dynamic linker
 * gives to every library too; so it works where none has its own: not under sanitizers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>

#include "tests/shards/helper_shard.h"

#if defined(MR_SANITIZED) || defined(MR_FUZZ)

int main(void)
{
    puts("skipped: sanitizers bring their own allocator");
    return 0;
}

#else

#include <dlfcn.h>
#include <stdlib.h>

/* ---- the hook ---- */

static volatile bool counting; /* compilers know that malloc looks at no variable of ours */
static volatile unsigned long calls;

/* dlsym may ask for memory before the real functions are known. */
static _Alignas(16) unsigned char early[4096];
static size_t early_used;

static void *next(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);

    if (!p)
        abort();
    return p;
}

static void *early_get(size_t n)
{
    void *p = early + early_used;

    early_used += (n + 15) & ~(size_t)15;
    if (early_used > sizeof early)
        abort();
    return p;
}

static bool is_early(const void *p)
{
    return (const unsigned char *)p >= early && (const unsigned char *)p < early + sizeof early;
}

/* The allocator's own function behind the hook of this name, once it can be known. */
#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    static bool looking;                                                                           \
    if (counting)                                                                                  \
        calls++;                                                                                   \
    if (!real && !looking) {                                                                       \
        looking = true;                                                                            \
        *(void **)(void *)&real = next(#name);                                                     \
    }

void *malloc(size_t n)
{
    REAL(malloc)
    return real ? real(n) : early_get(n);
}

void *calloc(size_t n, size_t size)
{
    REAL(calloc)
    return real ? real(n, size) : early_get(n * size);
}

void *realloc(void *p, size_t n)
{
    REAL(realloc)
    if (is_early(p))
        abort();
    return real(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    REAL(aligned_alloc)
    return real(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
    REAL(posix_memalign)
    return real(out, alignment, n);
}

void free(void *p)
{
    static __typeof__(&free) real;

    if (is_early(p))
        return;
    if (!real)
        *(void **)(void *)&real = next("free");
    real(p);
}

/* ---- the play ---- */

static void on_turn(struct stage *st, unsigned shard, bool begins)
{
    (void)st, (void)shard;
    counting = begins;
}

static void stage_of(struct stage *st, uint32_t peers)
{
    struct stage_options o;

    stage_options_default(&o);
    o.actors_max = peers;
    o.unverified_sends = true;
    o.relay.maxpeers = peers;
    o.relay.log_entries = 16384;
    o.relay.seen_entries = 1 << 17;
    o.relay.pool_bytes = 64u << 20;
    o.relay.verify_entries = 2048;
    o.relay.fetch_entries = 16384;
    stage_init(st, &o);
    for (uint32_t i = 0; i < peers; i++) {
        struct actor *a = actor_join(st, &(struct actor_options){.trusted = i == 0});

        a->no_book = true;
        actor_send_status(a, NULL);
    }
    stage_settle(st);
}

static void many_transactions_allocate_nothing_on_the_way(void **state)
{
    enum { PEERS = 100, WARM = 500, TXS = 10000, BATCH = 50 };
    static struct sample_tx txs[BATCH];
    struct stage st;

    (void)state;
    stage_of(&st, PEERS);
    for (uint32_t i = 0; i < WARM + TXS; i += BATCH) {
        if (i == WARM)
            st.on_turn = on_turn;
        for (uint32_t k = 0; k < BATCH; k++) {
            stage_tx_make(&st, &txs[k],
                          &(struct sample_tx_options){
                              .who = i + k, .type = (uint8_t)(k % 3), .data_bytes = k % 5 * 100});
            if (k % 10 == 9) /* some are fetched, and some come from elsewhere too */
                actor_announce(&st.actors[1 + i % 90], &txs[k], 1);
        }
        actor_send_txs(&st.actors[0], txs, BATCH);
        actor_send_txs(&st.actors[1 + i % 97], txs + 5, 3);
        stage_run(&st, 10);
    }
    stage_run(&st, 200);
    st.on_turn = NULL;
    assert_int_equal(stage_count(&st)->tx_accepted, WARM + TXS);
    assert_true(stage_count(&st)->bodies_out + stage_count(&st)->announced_out >
                UINT64_C(90) * (WARM + TXS));
    assert_int_equal(calls, 0);
    stage_close(&st);
}

static uint64_t buffers_had(const struct stage *st)
{
    return atomic_load(&st->shards[0]->pool.gets);
}

/* Every peer but the first announces what the first has announced or sent: a probe and a bit each.
 * Buffers are had for frames that come in pieces, whatever the number of hashes in them. */
static void duplicates_announced(struct stage *st, const struct sample_tx *txs, size_t n)
{
    uint64_t before = buffers_had(st), hashes = stage_count(st)->announced_in;
    uint32_t frames = 0;

    st->on_turn = on_turn;
    for (uint32_t i = 1; i < st->actors_count; i++, frames++)
        actor_announce(&st->actors[i], txs, n);
    stage_settle(st);
    st->on_turn = NULL;
    assert_int_equal(stage_count(st)->announced_in - hashes, frames * n);
    assert_int_equal(calls, 0);
    assert_in_range(buffers_had(st) - before, 0, 4 * frames);
}

static void announced_duplicates_allocate_nothing(void **state)
{
    enum { PEERS = 100, HASHES = 1000, HELD = 500, BATCH = 50 };
    static struct sample_tx wanted[HASHES], held[HELD];
    struct stage st;

    (void)state;
    stage_of(&st, PEERS);
    for (uint32_t i = 0; i < HASHES; i++) {
        wanted[i] = (struct sample_tx){.type = 2, .size = 200};
        mr_store_be32(wanted[i].hash.b, i);
    }
    actor_announce(&st.actors[0], wanted, HASHES);
    stage_settle(&st);
    duplicates_announced(&st, wanted, HASHES);
    assert_int_equal(mr_fetch_announced_total(st.shards[0]->fetch), PEERS * HASHES);
    for (uint32_t i = 0; i < HELD; i++)
        stage_tx(&st, &held[i], 5000 + i, 0);
    for (uint32_t i = 0; i < HELD; i += BATCH)
        actor_send_txs(&st.actors[0], held + i, BATCH);
    stage_run(&st, 2000);
    assert_int_equal(stage_count(&st)->tx_accepted, HELD);
    duplicates_announced(&st, held, HELD);
    stage_close(&st);
}

static void the_hook_sees_what_is_allocated(void **state)
{
    void *volatile p;

    (void)state;
    calls = 0;
    counting = true;
    p = malloc(10);
    p = realloc(p, 20);
    free(p);
    p = calloc(1, 10);
    free(p);
    counting = false;
    assert_int_equal(calls, 3);
    calls = 0;
}

/* What core/buffer.h says: a buffer over 72 KiB is malloc's. So the hook looks into turns. */
static void the_hook_sees_a_large_buffer_in_a_turn(void **state)
{
    struct stage st;
    struct sample_tx tx;

    (void)state;
    stage_of(&st, 3);
    stage_tx_make(&st, &tx,
                  &(struct sample_tx_options){.type = MR_TX_DYNAMIC_FEE, .data_bytes = 100000});
    actor_send_txs(&st.actors[0], &tx, 1);
    st.on_turn = on_turn;
    stage_settle(&st);
    st.on_turn = NULL;
    assert_true(calls > 0);
    calls = 0;
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hook_sees_what_is_allocated),
        cmocka_unit_test(the_hook_sees_a_large_buffer_in_a_turn),
        cmocka_unit_test(many_transactions_allocate_nothing_on_the_way),
        cmocka_unit_test(announced_duplicates_allocate_nothing),
    };

    mr_keccak_select();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
