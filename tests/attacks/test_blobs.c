/* Blob transactions end to end through `millrace run`: fetched when announced, checked, announced
 * to others and never broadcast, served byte for byte; a wrong sidecar reaches nobody, costs its
 * sender the session, and does not keep the right one out. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "net/eth/announce.h"
#include "tests/attacks/crowd.h"
#include "tests/attacks/objects.h"

#define RECORDS_MAX   16
#define CHECK_MS      8000 /* the longest check takes 140 ms on an idle machine */
#define NOBODY        UINT32_MAX
#define TRUSTED_FIRST 5000
#define TRUSTED       RECORDS_MAX
#define PRAGUE_CHAIN  1
#define DEVNET_CHAIN  7
#define SEPOLIA_CHAIN 11155111

static struct blobs made; /* nothing in it without c-kzg */

/* ---- networks ---- */

/* A network whose last fork is Prague, so that blob transactions have the form of EIP-4844. */
struct old_network {
    struct mr_network_file file;
    char dir[64], path[96];
};

static void old_network_make(struct old_network *n, uint64_t chain_id)
{
    char text[2048], why[256];

    snprintf(text, sizeof text,
             "{\"name\":\"until-prague\",\"network_id\":%llu,\"chain_id\":%llu,\"genesis_hash\":"
             "\"0x%064d\",\"forks\":["
             "{\"name\":\"homestead\",\"activation\":\"block\",\"value\":0},"
             "{\"name\":\"spurious_dragon\",\"activation\":\"block\",\"value\":0},"
             "{\"name\":\"istanbul\",\"activation\":\"block\",\"value\":0},"
             "{\"name\":\"berlin\",\"activation\":\"block\",\"value\":0},"
             "{\"name\":\"london\",\"activation\":\"block\",\"value\":0},"
             "{\"name\":\"shanghai\",\"activation\":\"timestamp\",\"value\":1000},"
             "{\"name\":\"cancun\",\"activation\":\"timestamp\",\"value\":2000},"
             "{\"name\":\"prague\",\"activation\":\"timestamp\",\"value\":3000}],"
             "\"blob_schedule\":{"
             "\"cancun\":{\"target\":3,\"max\":6,\"base_fee_update_fraction\":3338477},"
             "\"prague\":{\"target\":6,\"max\":9,\"base_fee_update_fraction\":5007716}}}",
             (unsigned long long)chain_id, (unsigned long long)chain_id, 77);
    process_make_dir(n->dir);
    snprintf(n->path, sizeof n->path, "%s/network.json", n->dir);
    process_write_file(n->path, text, 0600);
    if (mr_network_load(&n->file, why, sizeof why, "network.json", text, strlen(text)) != MR_OK)
        fail_msg("%s", why);
}

/* ---- records of the corpora ---- */

static size_t records_read(struct sample *out, const char *name)
{
    char path[512];
    uint8_t head[4];
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/corpora/%s.bin", MR_SHARED_DATA, name);
    f = fopen(path, "rbe");
    if (!f) {
        print_message("%s is not there: left out\n", path);
        return 0;
    }
    while (n < RECORDS_MAX && fread(head, 1, 4, f) == 4) {
        size_t size = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
        uint8_t *raw = malloc(size);

        assert_non_null(raw);
        assert_int_equal(fread(raw, 1, size, f), size);
        sample_of(&out[n++], raw, size);
        free(raw);
    }
    fclose(f);
    return n;
}

/* ---- a relay and peers around it ---- */

struct rig {
    struct process p; /* pid 0: not started */
    const struct mr_network *network;
    struct mr_strict *strict;
    struct crowd crowd;
    uint64_t names;
};

static struct rig sepolia[2]; /* with one shard and with three: loading the setup takes seconds */

/* The records of one corpus are all of one account and nonce: replacements that are too cheap, but
 * for the nodes that we trust. */
static void trusted_names(char *out)
{
    size_t n = 0;

    for (unsigned i = 0; i < TRUSTED; i++) {
        char url[MR_ENODE_TEXT_MAX];
        struct mr_endpoint at;

        close(peer_listen(&at, url, TRUSTED_FIRST + i));
        n += (size_t)sprintf(out + n, "%s%s", i ? "," : "", url);
    }
}

static void rig_start(struct rig *r, const char *flag, const char *value,
                      const struct mr_network *network, const char *shards, unsigned version)
{
    static char trusted[TRUSTED * MR_ENODE_TEXT_MAX];
    struct mr_strict_options so = {.network = network,
                                   .wall_s = (uint64_t)time(NULL),
                                   .kzg = made.kzg,
                                   .transactions_max = 4096,
                                   .key = {1, 2}};

    memset(r, 0, sizeof *r);
    r->network = network;
    r->names = TRUSTED_FIRST + TRUSTED;
    r->strict = mr_strict_open_table(&so);
    assert_non_null(r->strict);
    trusted_names(trusted);
    process_start(&r->p, ARGS(flag, value, "--shards", shards, "--trusted", trusted), NULL);
    crowd_open_with(&r->crowd, &(struct crowd_options){.relay = &r->p,
                                                       .n = 3,
                                                       .seed = 1,
                                                       .base_ip = IP(1, 0, 1),
                                                       .version = version,
                                                       .network = network,
                                                       .strict = r->strict});
}

static void rig_stop(struct rig *r)
{
    crowd_close(&r->crowd);
    mr_strict_close_table(r->strict);
    process_stop(&r->p);
}

/* One for each number of shards, with peers of the oldest version and of the newest. */
static struct rig *rig_sepolia(const char *shards)
{
    struct rig *r = &sepolia[shards[0] != '1'];

    if (r->p.pid == 0)
        rig_start(r, "--network", "sepolia", mr_network_find("sepolia"), shards,
                  shards[0] == '1' ? 71 : 68);
    return r;
}

static void rig_ready(struct rig *r)
{
    process_await(&r->p, "proof_ready", 1, 60000);
}

static void source_open_as(struct mr_client *c, struct rig *r, uint64_t name)
{
    struct mr_client_options o = peer_options(name);
    enum mr_client_got g;

    o.network = r->network;
    if ((g = mr_client_open(c, &o, r->p.at, &r->p.id)) != MR_CLIENT_MESSAGE)
        fail_msg("source: %s %s, reason %u", mr_client_got_text(g), c->why, c->reason);
}

static void source_open(struct mr_client *c, struct rig *r)
{
    source_open_as(c, r, r->names++);
}

/* Whether a message asks for s and nothing else: the request's id. */
static bool asks_for(const struct mr_client_message *m, const struct sample *s, uint64_t *id)
{
    struct mr_hash_request q;

    if (!m->is_eth || m->id != MR_ETH_GET_POOLED_TRANSACTIONS)
        return false;
    assert_int_equal(mr_hash_request_decode(&q, m->payload), MR_OK);
    assert_int_equal(q.hashes.n, 1);
    assert_memory_equal(mr_items_at(&q.hashes, 0), s->hash.b, 32);
    *id = q.request_id;
    return true;
}

static uint64_t source_asked(struct mr_client *c, const struct sample *s)
{
    struct mr_client_message m;
    uint64_t id;

    do
        if (mr_client_receive(c, &m, CHECK_MS) != MR_CLIENT_MESSAGE)
            fail_msg("it is not asked for");
    while (!asks_for(&m, s, &id));
    return id;
}

/* Waits until what c has sent is dealt with. True: it was asked for s meanwhile. */
static bool source_sync(struct mr_client *c, const struct sample *s, uint64_t *id)
{
    uint64_t before = c->pongs;
    struct mr_client_message m;
    bool asked = false;

    assert_true(mr_client_send_base(c, MR_BASE_PING, mr_span("\xc0", 1)));
    while (c->pongs == before) {
        assert_int_equal(mr_client_receive(c, &m, 2000), MR_CLIENT_MESSAGE);
        asked |= asks_for(&m, s, id);
    }
    return asked;
}

static void source_answer(struct mr_client *c, uint64_t id, const struct sample *s)
{
    size_t item = mr_tx_item_len(mr_span(s->raw, s->n)), room = item + 32;
    uint8_t *bytes = malloc(room);
    struct mr_writer w = mr_writer(bytes, room);

    assert_non_null(bytes);
    assert_int_equal(mr_response_put_head(&w, id, item), MR_OK);
    assert_int_equal(mr_tx_item_put(&w, mr_span(s->raw, s->n)), MR_OK);
    assert_true(mr_client_send_eth(c, MR_ETH_POOLED_TRANSACTIONS, mr_writer_span(&w)));
    free(bytes);
}

static void reaches_all(struct rig *r, const struct sample *s, uint64_t name)
{
    struct mr_client source;

    source_open_as(&source, r, name);
    crowd_expect(&r->crowd, NOBODY, s);
    sample_announce(&source, s);
    if (!sample_serve(&source, s, CHECK_MS))
        fail_msg("nobody asks for it: %u bytes", (unsigned)s->n);
    crowd_settle(&r->crowd, CHECK_MS);
    assert_int_equal(mr_client_sync(&source, 2000), MR_CLIENT_MESSAGE);
    mr_client_close(&source);
}

/* ---- tests ---- */

static void blobs_with_cell_proofs_reach_all(void **state)
{
    struct sample records[RECORDS_MAX];
    size_t read = records_read(records, "blob_txs_network_v1"), n = read;
    struct rig *r = rig_sepolia(*state);

    if (made.kzg)
        for (size_t k = 1; k <= OBJECT_BLOBS; k++) {
            struct sample bare;

            blobs_build(&bare, &made, k, SEPOLIA_CHAIN, 10 + k, 0);
            blobs_wrap_right(&records[n++], &bare, MR_WRAPPER_V1, &made, k);
            sample_free(&bare);
        }
    if (n == 0)
        skip();
    rig_ready(r);
    for (size_t i = 0; i < n; i++)
        reaches_all(r, &records[i], i < read ? TRUSTED_FIRST + i : r->names++);
    crowd_expect_unharmed(&r->crowd, 60000);
    assert_int_equal(process_stat_now(&r->p, "bodies_out"), 0); /* never broadcast */
    assert_int_equal(process_stat(&r->p, "proof_bad"), 0);
    for (size_t i = 0; i < n; i++)
        sample_free(&records[i]);
}

static void v0_reaches_all(const char *shards, uint64_t chain_id)
{
    static struct old_network net;
    struct sample records[RECORDS_MAX + 1];
    size_t n = records_read(records, "blob_txs_network_v0"), taken = 0;
    struct rig r;

    if (made.kzg) {
        struct sample bare;

        blobs_build(&bare, &made, 2, chain_id, 20, 0);
        blobs_wrap_right(&records[n++], &bare, MR_WRAPPER_V0, &made, 2);
        sample_free(&bare);
    }
    if (n == 0)
        skip();
    old_network_make(&net, chain_id);
    rig_start(&r, "--network-file", net.path, &net.file.net, shards, 0);
    rig_ready(&r);
    for (size_t i = 0; i < n; i++) {
        struct mr_tx tx;

        assert_int_equal(mr_tx_decode_raw(&tx, records[i].raw, records[i].n), MR_OK);
        if (tx.chain_id == chain_id) {
            reaches_all(&r, &records[i], r.names++);
            taken++;
        }
    }
    print_message("%zu transactions of chain %llu\n", taken, (unsigned long long)chain_id);
    crowd_expect_unharmed(&r.crowd, 60000);
    assert_int_equal(process_stat_now(&r.p, "bodies_out"), 0);
    assert_int_equal(process_stat(&r.p, "blob_ok"), taken);
    rig_stop(&r);
    for (size_t i = 0; i < n; i++)
        sample_free(&records[i]);
    process_remove_dir(net.dir);
}

static void blobs_with_one_proof_each_reach_all_before_osaka(void **state)
{
    v0_reaches_all(*state, PRAGUE_CHAIN);
}

static void blobs_with_one_proof_each_reach_all_on_another_chain(void **state)
{
    v0_reaches_all(*state, DEVNET_CHAIN);
}

/* The source loses its session and nobody hears of it. */
static void reaches_nobody(struct rig *r, const struct sample *s, uint64_t name)
{
    struct mr_client source;

    source_open_as(&source, r, name);
    sample_announce(&source, s);
    assert_true(sample_serve(&source, s, CHECK_MS));
    peer_expect_end(&source, MR_REASON_SUBPROTOCOL, CHECK_MS);
    mr_client_close(&source);
    crowd_pump(&r->crowd, 100);
    assert_int_equal(r->crowd.foreign, 0);
}

static void a_wrong_sidecar_reaches_nobody(void **state)
{
    struct sample records[RECORDS_MAX], bare;
    size_t n = records_read(records, "blob_txs_network_v1_invalid"), from = n;
    struct rig *r = rig_sepolia(*state);
    uint64_t bad;
    uint8_t *bytes;

    if (made.kzg) { /* a blob with an element over the order; the other blob's proofs */
        bytes = malloc(MR_BLOB_SIZE);
        assert_non_null(bytes);
        memcpy(bytes, made.blobs, MR_BLOB_SIZE);
        memset(bytes, 0xff, 32);
        blobs_build(&bare, &made, 1, SEPOLIA_CHAIN, 30, 0);
        blobs_wrap(&records[n++], &bare, MR_WRAPPER_V1, mr_span(bytes, MR_BLOB_SIZE),
                   mr_span(made.commitments, 48), mr_span(made.cell_proofs, 128 * 48));
        sample_free(&bare);
        free(bytes);
        blobs_build(&bare, &made, 1, SEPOLIA_CHAIN, 31, 0);
        blobs_wrap(&records[n++], &bare, MR_WRAPPER_V1, mr_span(made.blobs, MR_BLOB_SIZE),
                   mr_span(made.commitments, 48), mr_span(made.cell_proofs + 128 * 48, 128 * 48));
        sample_free(&bare);
    }
    if (n == 0)
        skip();
    rig_ready(r);
    bad = process_stat_now(&r->p, "blob_bad");
    for (size_t i = 0; i < n; i++)
        reaches_nobody(r, &records[i], i < from ? TRUSTED_FIRST + 8 + i : r->names++);
    assert_int_equal(process_stat_now(&r->p, "blob_bad"), bad + n);
    for (size_t i = from; i < n; i++) { /* the hash is nobody's fault */
        blobs_build(&bare, &made, 1, SEPOLIA_CHAIN, 30 + (i - from), 0);
        sample_free(&records[i]);
        blobs_wrap_right(&records[i], &bare, MR_WRAPPER_V1, &made, 1);
        reaches_all(r, &records[i], r->names++);
        sample_free(&bare);
    }
    crowd_expect_unharmed(&r->crowd, 60000);
    for (size_t i = 0; i < n; i++)
        sample_free(&records[i]);
}

enum wrong { WRONG_PROOF, WRONG_COMMITMENT, WRONG_FORM, WRONG_COUNT, WRONGS };

static void wrong_make(struct sample *out, const struct sample *bare, enum wrong how)
{
    const struct mr_span blob = mr_span(made.blobs, MR_BLOB_SIZE),
                         commitment = mr_span(made.commitments, 48),
                         cells = mr_span(made.cell_proofs, 128 * 48);

    switch (how) {
    case WRONG_PROOF:
        blobs_wrap(out, bare, MR_WRAPPER_V1, blob, commitment,
                   mr_span(made.cell_proofs + 128 * 48, 128 * 48));
        break;
    case WRONG_COMMITMENT:
        blobs_wrap(out, bare, MR_WRAPPER_V1, blob, mr_span(made.commitments + 48, 48), cells);
        break;
    case WRONG_FORM:
        blobs_wrap(out, bare, MR_WRAPPER_V0, blob, commitment, mr_span(made.proofs, 48));
        break;
    case WRONG_COUNT:
    default:
        blobs_wrap(out, bare, MR_WRAPPER_V1, blob, commitment, mr_span(made.cell_proofs, 127 * 48));
        break;
    }
}

/* The honest source had announced the hash before the cheat answered: it is asked next, whatever
 * the cheat had said of the size. */
static void a_wrong_sidecar_does_not_keep_the_right_one_out(void **state)
{
    struct rig *r = rig_sepolia(*state);

    if (!made.kzg)
        skip();
    rig_ready(r);
    for (int how = 0; how < WRONGS; how++) {
        struct mr_client cheat, honest;
        struct sample bare, good, wrong, told;
        uint64_t id, second;
        bool asked;

        blobs_build(&bare, &made, 1, SEPOLIA_CHAIN, 40 + (unsigned)how, 0);
        blobs_wrap_right(&good, &bare, MR_WRAPPER_V1, &made, 1);
        wrong_make(&wrong, &bare, how);
        source_open(&cheat, r);
        source_open(&honest, r);
        crowd_expect(&r->crowd, NOBODY, &good);
        told = good;
        told.n = wrong.n; /* what it will deliver, or the size would give it away */
        sample_announce(&cheat, &told);
        id = source_asked(&cheat, &good);
        sample_announce(&honest, &good);
        asked = source_sync(&honest, &good, &second); /* by another shard, perhaps */
        source_answer(&cheat, id, &wrong);
        peer_expect_end(&cheat, MR_REASON_SUBPROTOCOL, CHECK_MS);
        if (!asked)
            second = source_asked(&honest, &good);
        source_answer(&honest, second, &good);
        crowd_settle(&r->crowd, CHECK_MS);
        assert_int_equal(mr_client_sync(&honest, 2000), MR_CLIENT_MESSAGE);
        mr_client_close(&cheat);
        mr_client_close(&honest);
        sample_free(&bare);
        sample_free(&good);
        sample_free(&wrong);
    }
    crowd_expect_unharmed(&r->crowd, 60000);
}

/* The service checks slowly and each peer has its share of it: what it brings meanwhile waits. */
static void one_peer_may_have_many(void **state)
{
    enum { MANY = 12 };
    struct sample all[MANY], bare;
    struct mr_client source;
    struct rig *r = rig_sepolia(*state);

    if (!made.kzg)
        skip();
    rig_ready(r);
    source_open(&source, r);
    for (unsigned i = 0; i < MANY; i++) {
        blobs_build(&bare, &made, 1, SEPOLIA_CHAIN, 100 + i, 0);
        blobs_wrap_right(&all[i], &bare, MR_WRAPPER_V1, &made, 1);
        sample_free(&bare);
        crowd_expect(&r->crowd, NOBODY, &all[i]);
        sample_announce(&source, &all[i]);
    }
    for (unsigned i = 0; i < MANY; i++) /* one a request, in its order */
        if (!sample_serve(&source, &all[i], CHECK_MS))
            fail_msg("nobody asks for the blob transaction %u", i);
    crowd_settle(&r->crowd, 2 * CHECK_MS);
    crowd_expect_unharmed(&r->crowd, 60000);
    mr_client_close(&source);
    for (unsigned i = 0; i < MANY; i++)
        sample_free(&all[i]);
}

/* While proofs cannot be checked nothing is asked for; afterwards the hash is as good as new. */
static void blobs_wait_for_the_trusted_setup(void **state)
{
    struct sample bare, good;
    struct mr_client early, late;
    struct rig *r = rig_sepolia(*state); /* its first test: it has just started */

    if (!made.kzg)
        skip();
    blobs_build(&bare, &made, 1, SEPOLIA_CHAIN, 60, 0);
    blobs_wrap_right(&good, &bare, MR_WRAPPER_V1, &made, 1);
    source_open(&early, r);
    sample_announce(&early, &good);
    assert_false(sample_serve(&early, &good, 300));
    assert_int_equal(process_stat_now(&r->p, "blob_unready"), 1);
    process_await(&r->p, "proof_ready", 1, 60000);
    source_open(&late, r);
    crowd_expect(&r->crowd, NOBODY, &good);
    sample_announce(&late, &good);
    assert_true(sample_serve(&late, &good, CHECK_MS));
    crowd_settle(&r->crowd, CHECK_MS);
    mr_client_close(&early);
    mr_client_close(&late);
    sample_free(&bare);
    sample_free(&good);
}

static int setup(void **state)
{
    (void)state;
    if (!blobs_make(&made))
        print_message("this build has no c-kzg: blob transactions of our own are left out\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        if (sepolia[i].p.pid)
            rig_stop(&sepolia[i]);
    blobs_free(&made);
    return 0;
}

#define WITH(f, shards)                                                                            \
    {                                                                                              \
#f ", " shards, f, NULL, NULL, (void *)(uintptr_t)shards                                   \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(blobs_wait_for_the_trusted_setup, "1"),
        WITH(blobs_with_cell_proofs_reach_all, "1"),
        WITH(a_wrong_sidecar_reaches_nobody, "1"),
        WITH(a_wrong_sidecar_does_not_keep_the_right_one_out, "1"),
        WITH(one_peer_may_have_many, "1"),
        WITH(blobs_wait_for_the_trusted_setup, "3"),
        WITH(blobs_with_cell_proofs_reach_all, "3"),
        WITH(a_wrong_sidecar_reaches_nobody, "3"),
        WITH(a_wrong_sidecar_does_not_keep_the_right_one_out, "3"),
        WITH(one_peer_may_have_many, "3"),
        WITH(blobs_with_one_proof_each_reach_all_before_osaka, "1"),
        WITH(blobs_with_one_proof_each_reach_all_on_another_chain, "3"),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
