/* E-10, the attack on a relay: objects that we would pass on and honest clients punish. A thousand
 * peers that forgive nothing (perf/strict.h, geth's rules) are connected while an attacker delivers
 * each of them: none of the thousand may have a reason to leave, and none may hear of it.
 * E-11, E-12, E-13: what is wrong with blobs. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/random.h"
#include "crypto/keccak.h"
#include "crypto/kzg.h"
#include "crypto/secp.h"
#include "net/eth/announce.h"
#include "net/eth/tx_build.h"
#include "perf/strict.h"
#include "tests/attacks/crowd.h"
#include "tests/attacks/variant.h"

#define OBJECTS_MAX 80
#ifdef MR_SANITIZED
#define STRICT_PEERS 20
#else
#define STRICT_PEERS 1000
#endif
#define LONGEST_MS 8000 /* with a thousand peers in one thread of a busy machine */

/* How an object is brought, and what becomes of who brings it. */
enum way { PUSHED, ASKED_FOR };
enum fate { STAYS, ENDS };

struct object {
    char name[64];
    struct sample s;
    enum way way;
    enum fate fate;
    uint8_t say_type;  /* announced, where it is not what it is */
    uint32_t say_size; /* likewise; 0: as it is */
    unsigned copies;   /* in one message */
    bool unasked;      /* another one was asked for */
    bool good;         /* only the way is bad: others may hear of it */
};

static struct object objects[OBJECTS_MAX];
static unsigned objects_count;
static struct mr_kzg *kzg; /* for all tests: loading it takes seconds; NULL: not in this build */

static struct object *add(const char *name, const void *raw, size_t n, enum way way, enum fate fate)
{
    struct object *o = &objects[objects_count++];

    assert_true(objects_count <= OBJECTS_MAX);
    *o = (struct object){.way = way, .fate = fate, .copies = 1};
    snprintf(o->name, sizeof o->name, "%s", name);
    sample_of(&o->s, raw, n);
    o->say_type = o->s.type;
    o->say_size = (uint32_t)n;
    return o;
}

/* ---- transactions without blobs ---- */

static void base_fields(struct mr_tx_fields *f)
{
    static uint64_t nonce;

    *f = (struct mr_tx_fields){.type = MR_TX_DYNAMIC_FEE,
                               .chain_id = 1,
                               .nonce = ++nonce,
                               .gas = 100000,
                               .tip = mr_u256_of(UINT64_C(2000000000)),
                               .fee_cap = mr_u256_of(UINT64_C(100000000000)),
                               .to = {{0x22}}};
}

static void build(struct sample *s, const struct mr_tx_fields *f, uint64_t sender)
{
    size_t room = f->data.n + f->access_list.n + 1024;
    struct mr_writer w = mr_writer(malloc(room), room);
    uint8_t key[32] = {2};

    mr_store_be64(key + 24, sender + 1);
    assert_int_equal(mr_tx_build(&w, f, peers_secp(), key), MR_OK);
    sample_of(s, w.p, w.n);
    free(w.p);
}

static void add_built(const char *name, const struct mr_tx_fields *f)
{
    struct sample s;

    build(&s, f, 5000 + objects_count);
    add(name, s.raw, s.n, PUSHED, STAYS);
    sample_free(&s);
}

static void add_vectors(void)
{
    struct mr_json *root = mr_json_load(NULL, MR_TEST_VECTORS "/tx_signing.json");
    const struct mr_json *invalid = mr_json_get(root, "invalid");

    assert_non_null(root);
    for (size_t i = 0; i < mr_json_count(invalid); i++) {
        const struct mr_json *v = mr_json_at(invalid, i);
        size_t n;
        uint8_t *raw = mr_json_hex_dup(mr_json_get(v, "raw"), &n);

        assert_non_null(raw);
        add(mr_json_string(mr_json_get(v, "name"), NULL), raw, n, PUSHED, STAYS);
        free(raw);
    }
    mr_json_free(root);
}

/* A signature of the right form that belongs to no key. */
static void add_nobodys(void)
{
    struct mr_tx_fields f;
    struct mr_address sender;
    struct mr_tx tx;
    struct sample s;

    base_fields(&f);
    build(&s, &f, 1);
    do { /* ... a0 r a0 s */
        s.raw[s.n - 66 + 5]++;
        assert_int_equal(mr_tx_decode_raw(&tx, s.raw, s.n), MR_OK);
    } while (mr_tx_sender(&tx, &sender, peers_secp()));
    add("a signature of nobody", s.raw, s.n, PUSHED, STAYS);
    sample_free(&s);
}

static void add_rules(void)
{
    static uint8_t data[140000];
    struct mr_authorization auth = {.chain_id = 1};
    struct mr_tx_fields f;
    uint8_t key[32] = {3};

    memset(data, 1, sizeof data);
    base_fields(&f), f.chain_id = 5, add_built("another chain", &f);
    base_fields(&f), f.type = MR_TX_LEGACY, f.chain_id = 11155111;
    add_built("another chain, legacy", &f);
    base_fields(&f), f.gas = 6000000, f.data = mr_span(data, 131072 + 100);
    add_built("over 128 KiB", &f);
    base_fields(&f), f.type = MR_TX_LEGACY, f.gas = 6000000, f.data = mr_span(data, 131072 + 100);
    add_built("over 128 KiB, legacy", &f);
    base_fields(&f), f.gas = 16777217, add_built("over the gas cap", &f);
    base_fields(&f), f.gas = 20999, add_built("below the intrinsic gas", &f);
    base_fields(&f), f.gas = 40000, f.data = mr_span(data, 1000);
    add_built("below the floor of its data", &f);
    base_fields(&f), f.tip = mr_u256_of(UINT64_C(200000000000)), add_built("tip over cap", &f);
    base_fields(&f), f.creation = true, f.gas = 5000000, f.data = mr_span(data, 49153);
    add_built("init code too long", &f);
    base_fields(&f), f.nonce = UINT64_MAX, add_built("the last nonce", &f);
    base_fields(&f), memset(f.value.b, 0xff, 32), add_built("cost over 2^256", &f);
    base_fields(&f), f.type = MR_TX_SET_CODE, add_built("no authorization", &f);
    assert_true(mr_authorization_sign(&auth, peers_secp(), key));
    base_fields(&f), f.type = MR_TX_SET_CODE, f.creation = true;
    f.authorizations = &auth, f.authorizations_count = 1;
    add_built("set code without recipient", &f);
    base_fields(&f),
        f.access_list = mr_span("\xd6\x94\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\1\2\3\4\5", 23);
    add_built("an access list of one field", &f);
}

/* Good ones, brought in a bad way. */
static void add_ways(void)
{
    static const char *const names[] = {"twice in a message", "twice in an answer",
                                        "another type announced", "another size announced",
                                        "an answer with what was not asked for"};

    for (unsigned i = 0; i < MR_COUNT_OF(names); i++) {
        struct mr_tx_fields f;
        struct object *o;
        struct sample s;

        base_fields(&f);
        build(&s, &f, 6000 + i);
        o = add(names[i], s.raw, s.n, i == 0 ? PUSHED : ASKED_FOR, ENDS);
        o->copies = i < 2 ? 2 : 1;
        o->say_type = i == 2 ? MR_TX_ACCESS_LIST : s.type;
        o->say_size = (uint32_t)(i == 3 ? s.n + 9 : s.n);
        o->unasked = i == 4;
        o->good = i < 4; /* its hash is what it says */
        sample_free(&s);
    }
}

/* ---- with blobs ---- */

#define BLOBS 2
static struct {
    uint8_t blobs[7 * MR_BLOB_SIZE], commitments[7 * 48], proofs[7 * 128 * 48], v0_proofs[7 * 48];
    struct mr_hash hashes[7];
} blobs; /* two of their own, then the first again */

static void blobs_make(void)
{
    struct mr_random random;

    mr_random_init(&random, 99);
    for (unsigned b = 0; b < 7; b++) {
        if (b < BLOBS) {
            uint8_t *blob = blobs.blobs + b * MR_BLOB_SIZE;

            for (unsigned i = 0; i < MR_BLOB_SIZE; i++)
                blob[i] = i % 32 == 0 ? 0 : (uint8_t)mr_random_u64(&random);
            assert_int_equal(mr_kzg_prove_blob(kzg, blobs.commitments + b * 48,
                                               blobs.proofs + b * 128 * 48, true, blob),
                             MR_KZG_VALID);
            assert_int_equal(mr_kzg_prove_blob(kzg, blobs.commitments + b * 48,
                                               blobs.v0_proofs + b * 48, false, blob),
                             MR_KZG_VALID);
        } else {
            memcpy(blobs.blobs + b * MR_BLOB_SIZE, blobs.blobs, MR_BLOB_SIZE);
            memcpy(blobs.commitments + b * 48, blobs.commitments, 48);
            memcpy(blobs.proofs + b * 128 * 48, blobs.proofs, 128 * 48);
            memcpy(blobs.v0_proofs + b * 48, blobs.v0_proofs, 48);
        }
        assert_true(mr_versioned_hash(&blobs.hashes[b], blobs.commitments + b * 48));
    }
}

struct blob_tx {
    unsigned blobs, proofs; /* in the sidecar; proofs a blob */
    unsigned hashes;        /* in the transaction */
    enum mr_wrapper wrapper;
    bool swap_hashes, bare, creation, free, bad_version;
    bool bad_proof, bad_commitment;
    enum way way;
};

static void blob_build(struct sample *s, const struct blob_tx *t, uint64_t sender)
{
    size_t room = t->blobs * (MR_BLOB_SIZE + 64u + 128 * 52) + 4096;
    struct mr_writer w = mr_writer(malloc(4096), 4096), whole = mr_writer(malloc(room), room);
    size_t per = t->wrapper == MR_WRAPPER_V1 ? t->proofs : 1;
    uint8_t *proofs = malloc(7 * 128 * 48), *commitments = malloc(7 * 48), key[32] = {4};
    struct mr_hash hashes[7];
    struct mr_tx_fields f;

    memcpy(hashes, blobs.hashes, sizeof hashes);
    memcpy(commitments, blobs.commitments, 7 * 48);
    memcpy(proofs, t->wrapper == MR_WRAPPER_V1 ? blobs.proofs : blobs.v0_proofs,
           t->wrapper == MR_WRAPPER_V1 ? 7 * 128 * 48 : 7 * 48);
    if (t->swap_hashes)
        hashes[0] = blobs.hashes[1], hashes[1] = blobs.hashes[0];
    if (t->bad_version)
        hashes[0].b[0] = 2;
    if (t->bad_proof) /* of another cell */
        memcpy(proofs, proofs + 48, 48);
    if (t->bad_commitment) { /* proofs of another blob, hash of this commitment */
        memcpy(commitments, commitments + 48, 48);
        hashes[0] = blobs.hashes[1];
    }
    base_fields(&f);
    f.type = MR_TX_BLOB, f.creation = t->creation;
    f.blob_fee_cap = mr_u256_of(t->free ? 0 : 1000000000);
    f.blob_hashes = hashes, f.blob_hashes_count = t->hashes;
    mr_store_be64(key + 24, sender + 1);
    assert_int_equal(mr_tx_build(&w, &f, peers_secp(), key), MR_OK);
    if (t->bare) {
        sample_of(s, w.p, w.n);
    } else {
        assert_int_equal(mr_tx_build_blob_wrapper(&whole, t->wrapper, mr_writer_span(&w),
                                                  mr_span(blobs.blobs, t->blobs * MR_BLOB_SIZE),
                                                  mr_span(commitments, t->blobs * 48),
                                                  mr_span(proofs, t->blobs * per * 48)),
                         MR_OK);
        sample_of(s, whole.p, whole.n);
    }
    free(proofs);
    free(commitments);
    free(w.p);
    free(whole.p);
}

static void add_blobs(void)
{
    const struct {
        const char *name;
        struct blob_tx t;
        enum fate fate;
    } rows[] = {
        {"blobs in Transactions", {1, 128, 1, MR_WRAPPER_V1, .way = PUSHED}, ENDS},
        {"blobs left out", {1, 128, 1, MR_WRAPPER_V1, .bare = true, .way = ASKED_FOR}, ENDS},
        {"blobs left out, in Transactions", {1, 128, 1, MR_WRAPPER_V1, .bare = true}, ENDS},
        {"a proof of another cell",
         {1, 128, 1, MR_WRAPPER_V1, .bad_proof = true, .way = ASKED_FOR},
         ENDS},
        {"a commitment of another blob",
         {1, 128, 1, MR_WRAPPER_V1, .bad_commitment = true, .way = ASKED_FOR},
         ENDS},
        {"hashes in another order",
         {2, 128, 2, MR_WRAPPER_V1, .swap_hashes = true, .way = ASKED_FOR},
         ENDS},
        {"the form of before Osaka", {1, 1, 1, MR_WRAPPER_V0, .way = ASKED_FOR}, ENDS},
        {"127 proofs", {1, 127, 1, MR_WRAPPER_V1, .way = ASKED_FOR}, ENDS},
        {"a blob more than hashes", {2, 128, 1, MR_WRAPPER_V1, .way = ASKED_FOR}, ENDS},
        {"a blob fewer than hashes", {1, 128, 2, MR_WRAPPER_V1, .way = ASKED_FOR}, ENDS},
        {"no blob", {0, 0, 0, MR_WRAPPER_V1, .way = ASKED_FOR}, STAYS},
        {"seven blobs", {7, 128, 7, MR_WRAPPER_V1, .way = ASKED_FOR}, STAYS},
        {"blobs without recipient",
         {1, 128, 1, MR_WRAPPER_V1, .creation = true, .way = ASKED_FOR},
         STAYS},
        {"blobs for nothing", {1, 128, 1, MR_WRAPPER_V1, .free = true, .way = ASKED_FOR}, STAYS},
        {"a hash of version 2",
         {1, 128, 1, MR_WRAPPER_V1, .bad_version = true, .way = ASKED_FOR},
         STAYS},
    };

    for (unsigned i = 0; i < MR_COUNT_OF(rows); i++) {
        struct sample s;

        blob_build(&s, &rows[i].t, 7000 + i);
        add(rows[i].name, s.raw, s.n, rows[i].t.way, rows[i].fate);
        sample_free(&s);
    }
}

/* ---- the strict ones ---- */

static struct mr_strict *strict_open(struct crowd *c, const struct process *p, unsigned n)
{
    const struct mr_strict_options o = {.network = mr_network_find("mainnet"),
                                        .wall_s = (uint64_t)time(NULL),
                                        .secp = (struct mr_secp *)(uintptr_t)peers_secp(),
                                        .kzg = kzg,
                                        .transactions_max = 4096,
                                        .key = {1, 2}};
    struct mr_strict *table = mr_strict_open_table(&o);

    assert_non_null(table);
    crowd_open_with(c, &(struct crowd_options){.relay = p,
                                               .n = n,
                                               .seed = 1,
                                               .base_ip = IP(1, 0, 1),
                                               .version = CROWD_EVERY_VERSION,
                                               .strict = table});
    return table;
}

/* Nobody wanted to leave, and nobody heard of anything but the crowd's own transactions and of what
 * is good in itself. */
static void strict_expect_nothing(struct crowd *c, int64_t longest_ms)
{
    for (unsigned i = 0; c->foreign > 0 && i < objects_count; i++)
        if (mr_hash_equal(&objects[i].s.hash, &c->last_foreign))
            print_message("heard of: \"%s\"\n", objects[i].name);
    crowd_expect_unharmed(c, longest_ms);
}

/* ---- the attacker ---- */

static void say(struct mr_client *c, const struct object *o)
{
    uint8_t room[128];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_cell_mask none = {{0}};

    assert_int_equal(
        mr_announce_encode(&w, c->eth_version, &o->say_type, &o->say_size, &o->s.hash, 1, &none),
        MR_OK);
    assert_true(mr_client_send_eth(c, MR_ETH_NEW_POOLED_TRANSACTION_HASHES, mr_writer_span(&w)));
}

static void push(struct mr_client *c, const struct object *o)
{
    struct mr_span raw[2] = {mr_span(o->s.raw, o->s.n), mr_span(o->s.raw, o->s.n)};

    mr_client_send_transactions(c, raw, o->copies);
}

static bool bring(struct mr_client *c, const struct object *o)
{
    const struct sample *copies[2] = {&o->s, &o->s};
    struct sample other;
    uint64_t id;
    bool asked;

    if (o->way == PUSHED) {
        push(c, o);
        return true;
    }
    if (o->unasked) {
        sample_make(&other, 900 + objects_count, 0, 10);
        sample_announce(c, &other);
        asked = sample_question(c, &other, &id, 3000);
        sample_free(&other);
    } else {
        say(c, o);
        asked = sample_question(c, &o->s, &id, 3000);
    }
    return asked && samples_answer(c, id, copies, o->copies);
}

/* Comes before what became of attackers, so that this is what fails when a guard is off
 * (tests/sabotage). */
static void strict_expect_content(const struct crowd *c)
{
    const uint64_t *faults = mr_strict_faults(c->o.strict);

    for (unsigned r = MR_STRICT_NONE + 1; r < MR_STRICT_RULES; r++)
        if (faults[r] > 0)
            fail_msg("%llu strict peers would leave: %s", (unsigned long long)faults[r],
                     mr_strict_rule_text((enum mr_strict_rule)r));
}

static void attack(const struct process *p, struct crowd *crowd, const struct object *o, unsigned i)
{
    struct mr_client_message m;
    struct mr_client c;
    enum mr_client_got g;

    peer_open_version(&c, p, 10000 + i, 68 + i % 4);
    if (!bring(&c, o))
        fail_msg("\"%s\" is not asked for", o->name);
    if (o->fate == ENDS) {
        g = mr_client_wait_end(&c, 5000);
        if (g == MR_CLIENT_TIMEOUT || !c.disconnected || c.reason != MR_REASON_SUBPROTOCOL)
            fail_msg("\"%s\": %s, reason %u", o->name, mr_client_got_text(g),
                     c.disconnected ? c.reason : 999);
    } else {
        if (mr_client_sync(&c, 3000) != MR_CLIENT_MESSAGE)
            fail_msg("\"%s\" ends the session: reason %u", o->name,
                     c.disconnected ? c.reason : 999);
        while ((g = mr_client_receive(&c, &m, 5)) == MR_CLIENT_MESSAGE)
            ;
        if (g != MR_CLIENT_TIMEOUT)
            fail_msg("\"%s\" ends the session later: reason %u", o->name,
                     c.disconnected ? c.reason : 999);
    }
    mr_client_close(&c);
    if (i % 4 == 0)
        crowd_send(crowd, i % crowd->n, 100);
    crowd_pump(crowd, 5);
    strict_expect_content(crowd);
}

static void objects_make(void)
{
    objects_count = 0;
    add_vectors();
    add_rules();
    add_nobodys();
    add_ways();
    if (kzg)
        add_blobs();
    print_message("%u objects\n", objects_count);
    assert_true(objects_count >= (kzg ? 40u : 30u));
}

static void objects_free(void)
{
    for (unsigned i = 0; i < objects_count; i++)
        sample_free(&objects[i].s);
    objects_count = 0;
}

static void nothing_that_peers_punish_leaves_us(void **state)
{
    struct mr_strict *strict;
    struct crowd crowd;
    struct variant v;
    struct process p;

    variant_init(&v);
    v.options.loopback_is_public = false;
    v.options.handshake_budget_percent = 100;
    v.options.maxpeers = STRICT_PEERS + 100; /* and attackers, of whom one is just gone */
    v.options.shards = (uint32_t)atoi(*state);
    v.blobs = kzg != NULL;
    variant_start(&p, &v);
    objects_make();
    if (kzg)
        process_await_equal(&p, "proof_ready", 1, 60000);
    strict = strict_open(&crowd, &p, STRICT_PEERS);
    for (unsigned i = 0; i < objects_count; i++)
        if (objects[i].good)
            crowd_expect_nothing_of(&crowd, crowd_expect(&crowd, UINT_MAX, &objects[i].s));
    crowd_traffic(&crowd, 300, 20);
    for (unsigned i = 0; i < objects_count; i++)
        attack(&p, &crowd, &objects[i], i);
    /* those that were ended by a rule before may be brought again by somebody else */
    for (unsigned i = 0; i < objects_count; i++)
        if (objects[i].way == PUSHED && objects[i].fate == STAYS)
            attack(&p, &crowd, &objects[i], 500 + i);
    crowd_traffic(&crowd, 300, 20);
    strict_expect_nothing(&crowd, LONGEST_MS);
    assert_int_equal(process_stat_now(&p, "peers"), STRICT_PEERS);
    assert_in_range(process_stat(&p, "tx_accepted"), crowd.samples_count - 4,
                    crowd.samples_count); /* the four that were brought in a bad way, or not */
    crowd_close(&crowd);
    mr_strict_close_table(strict);
    objects_free();
    process_stop(&p);
}

/* E-10 without proofs of blobs: then no blob transaction passes, good or bad. */
static void without_kzg_no_blob_transaction_passes(void **state)
{
    struct mr_strict *strict;
    struct mr_client c;
    struct crowd crowd;
    struct variant v;
    struct process p;
    struct object *o;
    struct sample s;
    uint64_t id;

    if (!kzg) {
        print_message("skipped: this build has no c-kzg to make a good one with\n");
        return;
    }
    variant_init(&v);
    v.options.loopback_is_public = false;
    v.options.shards = (uint32_t)atoi(*state);
    v.blobs = false;
    variant_start(&p, &v);
    objects_count = 0;
    blob_build(&s, &(struct blob_tx){1, 128, 1, MR_WRAPPER_V1, .way = ASKED_FOR}, 1);
    o = add("a good one", s.raw, s.n, ASKED_FOR, STAYS);
    strict = strict_open(&crowd, &p, 10);
    peer_open(&c, &p, 999);
    say(&c, o);
    assert_false(sample_question(&c, &o->s, &id, 1000)); /* not even asked for */
    crowd_pump(&crowd, 300);
    assert_int_equal(process_stat_now(&p, "blob_unready"), 1);
    assert_int_equal(mr_client_sync(&c, 2000), MR_CLIENT_MESSAGE);
    strict_expect_nothing(&crowd, 1000);
    mr_client_close(&c);
    sample_free(&s);
    crowd_close(&crowd);
    mr_strict_close_table(strict);
    objects_free();
    process_stop(&p);
}

#define BURNERS 50

/* E-11, E-13: sidecars with wrong proofs from many: each costs its sender the session, one check
 * each, while transactions without blobs go their way. */
static void wrong_proofs_cost_one_check_each(void **state)
{
    static struct sample bad[BURNERS];
    static struct mr_client burners[BURNERS];
    struct crowd crowd;
    struct variant v;
    struct process p;

    if (!kzg) {
        print_message("skipped: this build has no c-kzg\n");
        return;
    }
    variant_init(&v);
    v.options.loopback_is_public = false;
    v.options.handshake_budget_percent = 100;
    v.options.shards = (uint32_t)atoi(*state);
    v.blobs = true;
    variant_start(&p, &v);
    process_await_equal(&p, "proof_ready", 1, 60000);
    crowd_open(&crowd, &p, 10, 1, IP(1, 0, 1), 0);
    for (unsigned i = 0; i < BURNERS; i++) {
        peer_open_version(&burners[i], &p, 2000 + i, 68 + i % 4);
        blob_build(&bad[i], &(struct blob_tx){1, 128, 1, MR_WRAPPER_V1, .bad_proof = true},
                   8000 + i);
    }
    for (unsigned i = 0; i < BURNERS; i++)
        sample_announce(&burners[i], &bad[i]);
    for (unsigned i = 0; i < BURNERS; i++) {
        assert_true(sample_serve(&burners[i], &bad[i], 5000));
        crowd_send(&crowd, i % crowd.n, 100);
        crowd_pump(&crowd, 20);
    }
    for (unsigned i = 0; i < BURNERS; i++) {
        peer_expect_end(&burners[i], MR_REASON_SUBPROTOCOL, 10000);
        mr_client_close(&burners[i]);
        sample_free(&bad[i]);
        crowd_pump(&crowd, 0);
    }
    assert_int_equal(process_stat_now(&p, "proof_bad"), BURNERS);
    assert_int_equal(process_stat(&p, "proof_ok"), 0);
    assert_int_equal(process_stat(&p, "blob_bytes"), 0);
    crowd_expect_unharmed(&crowd, 2000);
    crowd_close(&crowd);
    process_stop(&p);
}

static int setup(void **state)
{
    (void)state;
    kzg = mr_kzg_load();
    if (kzg)
        blobs_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_kzg_free(kzg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(nothing_that_peers_punish_leaves_us),
        BOTH(without_kzg_no_blob_transaction_passes),
        BOTH(wrong_proofs_cost_one_check_each),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
