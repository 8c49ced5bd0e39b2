/* Which transactions a load run uses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/keccak.h"
#include "net/eth/tx_build.h"
#include "perf/corpus.h"

#define WALL_S UINT64_C(1795000000) /* behind Osaka and its blob forks */

static struct mr_secp *secp;

static void corpus_open(struct mr_corpus *c, const char *network)
{
    mr_corpus_init(c, mr_network_find(network), secp, WALL_S);
}

/* A file of n records, each a u32 length and bytes; the last is cut by `cut` bytes. */
static void write_file(char path[32], const struct mr_span *records, size_t n, size_t cut)
{
    FILE *f;
    int fd;

    strcpy(path, "/tmp/corpus.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    f = fdopen(fd, "wb");
    for (size_t i = 0; i < n; i++) {
        uint32_t size = (uint32_t)records[i].n;

        assert_int_equal(fwrite(&size, 1, 4, f), 4);
        assert_int_equal(fwrite(records[i].p, 1, size, f), size);
    }
    fflush(f);
    assert_int_equal(ftruncate(fd, ftell(f) - (long)cut), 0);
    fclose(f);
}

static enum mr_err read_file(struct mr_corpus *c, const struct mr_span *records, size_t n,
                             size_t cut, char *sentence, size_t cap)
{
    char path[32];
    enum mr_err e;

    write_file(path, records, n, cut);
    e = mr_corpus_read(c, path, sentence, cap);
    unlink(path);
    return e;
}

static void real_ones_are_accepted_and_counted(void **state)
{
    const char *path = MR_SHARED_DATA "/corpora/mainnet_txs.bin";
    uint32_t refused = 0;
    char sentence[256];
    struct mr_corpus c;

    (void)state;
    if (access(path, R_OK) != 0) {
        print_message("skipped: no %s\n", path);
        return;
    }
    corpus_open(&c, "mainnet");
    assert_int_equal(mr_corpus_read(&c, path, sentence, sizeof sentence), MR_OK);
    assert_int_equal(c.read, 29282);
    assert_int_equal(c.accepted, 29192);
    assert_int_equal(c.refused[MR_TX_VERDICT_GAS_CAP], 6);
    assert_int_equal(c.refused[MR_TX_VERDICT_GAS_FLOOR], 51);
    assert_int_equal(c.refused[MR_TX_VERDICT_SIGNATURE_HIGH_S], 4);
    assert_int_equal(c.refused[MR_TX_VERDICT_BLOBS_MISSING], 29);
    for (unsigned v = 0; v < MR_TX_VERDICTS; v++)
        refused += c.refused[v];
    assert_int_equal(refused + c.accepted, c.read);
    assert_int_equal(c.undecodable, 0);
    assert_int_equal(c.count, c.accepted - c.under_fee_floor);
    assert_int_equal(mr_corpus_draw(&c, 1000, 1), MR_OK);
    assert_int_equal(c.drawn, 1000);
    assert_int_equal(c.twice, 0);
    mr_corpus_fini(&c);
}

/* The hashes of what is drawn, all together. */
static struct mr_hash drawing(struct mr_corpus *c)
{
    struct mr_keccak k;
    struct mr_hash h;

    mr_keccak_init(&k);
    for (uint32_t i = 0; i < c->count; i++)
        mr_keccak_update(&k, c->txs[i].hash.b, 32);
    mr_keccak_digest(&k, h.b);
    return h;
}

static void generate(struct mr_corpus *c, uint32_t n, uint64_t seed)
{
    corpus_open(c, "mainnet");
    assert_int_equal(mr_corpus_generate(c, n, seed), MR_OK);
}

/* Reads c's transactions back from a file, each `times` over. */
static void read_back(struct mr_corpus *out, const struct mr_corpus *c, size_t times)
{
    struct mr_span *records = calloc(times * c->count, sizeof *records);
    char sentence[256];

    for (size_t i = 0; i < times * c->count; i++)
        records[i] = mr_corpus_bytes(c, (uint32_t)(i % c->count));
    corpus_open(out, "mainnet");
    assert_int_equal(read_file(out, records, times * c->count, 0, sentence, sizeof sentence),
                     MR_OK);
    free(records);
}

static void drawing_depends_on_the_seed_only(void **state)
{
    struct mr_corpus made, a, b, c;
    struct mr_hash x, y, z;

    (void)state;
    generate(&made, 50, 3);
    read_back(&a, &made, 1);
    read_back(&b, &made, 1);
    read_back(&c, &made, 1);
    assert_int_equal(mr_corpus_draw(&a, 20, 1), MR_OK);
    assert_int_equal(mr_corpus_draw(&b, 20, 1), MR_OK);
    assert_int_equal(mr_corpus_draw(&c, 20, 2), MR_OK);
    assert_int_equal(a.count, 20);
    x = drawing(&a), y = drawing(&b), z = drawing(&c);
    assert_true(mr_hash_equal(&x, &y));
    assert_false(mr_hash_equal(&x, &z));
    mr_corpus_fini(&made);
    mr_corpus_fini(&a);
    mr_corpus_fini(&b);
    mr_corpus_fini(&c);
}

static void a_transaction_is_drawn_once(void **state)
{
    struct mr_corpus made, c;

    (void)state;
    generate(&made, 40, 3);
    read_back(&c, &made, 3);
    assert_int_equal(mr_corpus_draw(&c, UINT32_MAX, 1), MR_OK);
    assert_int_equal(c.count, 40);
    assert_int_equal(c.twice, 80);
    for (uint32_t i = 0; i < 40; i++)
        for (uint32_t k = 0; k < i; k++)
            assert_false(mr_hash_equal(&c.txs[i].hash, &c.txs[k].hash));
    mr_corpus_fini(&made);
    mr_corpus_fini(&c);
}

static void generated_ones_pass_todays_rules_on_every_network(void **state)
{
    (void)state;
    for (size_t net = 0; mr_network_preset(net); net++) {
        struct mr_corpus c;

        mr_corpus_init(&c, mr_network_preset(net), secp, WALL_S);
        assert_int_equal(mr_corpus_generate(&c, 300, 1), MR_OK);
        assert_int_equal(c.generated, 300);
        for (uint32_t i = 0; i < c.count; i++) {
            struct mr_span raw = mr_corpus_bytes(&c, i);
            struct mr_address sender;
            struct mr_hash hash;
            struct mr_tx tx;

            assert_int_equal(mr_tx_decode_raw(&tx, raw.p, raw.n), MR_OK);
            assert_int_equal(mr_tx_check_now(&tx, &c.rules), MR_TX_VERDICT_OK);
            assert_true(mr_tx_sender(&tx, &sender, secp));
            mr_tx_hash(&tx, &hash);
            assert_true(mr_hash_equal(&hash, &c.txs[i].hash));
            assert_int_equal(tx.type, c.txs[i].type);
        }
        mr_corpus_fini(&c);
    }
}

static void no_generated_account_is_busy(void **state)
{
    struct mr_address *senders = calloc(2000, sizeof *senders);
    struct mr_corpus c;

    (void)state;
    generate(&c, 2000, 1);
    for (uint32_t i = 0; i < c.count; i++) {
        struct mr_span raw = mr_corpus_bytes(&c, i);
        uint32_t before = 0;
        struct mr_tx tx;

        assert_int_equal(mr_tx_decode_raw(&tx, raw.p, raw.n), MR_OK);
        assert_true(mr_tx_sender(&tx, &senders[i], secp));
        for (uint32_t k = 0; k < i; k++)
            if (memcmp(&senders[k], &senders[i], sizeof *senders) == 0) {
                before++;
                assert_true(i - k >= 256); /* neighbours in time are of different accounts */
            }
        assert_true(before < MR_CORPUS_PER_ACCOUNT);
        assert_int_equal(tx.nonce, before); /* its transactions are in order */
    }
    free(senders);
    mr_corpus_fini(&c);
}

static void generated_ones_follow_what_was_drawn(void **state)
{
    struct mr_corpus made, c;

    (void)state;
    generate(&made, 10, 3);
    read_back(&c, &made, 1);
    assert_int_equal(mr_corpus_draw(&c, 30, 1), MR_OK);
    assert_int_equal(mr_corpus_generate(&c, 30, 1), MR_OK);
    assert_int_equal(c.drawn, 10);
    assert_int_equal(c.generated, 20);
    assert_int_equal(c.count, 30);
    mr_corpus_fini(&made);
    mr_corpus_fini(&c);
}

static void broken_files_are_refused_by_name(void **state)
{
    const struct mr_span one = mr_span("\xc0", 1), empty = mr_span("", 0);
    struct mr_corpus c;
    char sentence[256];

    (void)state;
    corpus_open(&c, "mainnet");
    assert_int_equal(read_file(&c, &one, 1, 0, sentence, sizeof sentence), MR_OK);
    assert_int_equal(c.undecodable, 1);
    assert_int_equal(read_file(&c, &one, 0, 0, sentence, sizeof sentence), MR_OK);
    for (size_t cut = 1; cut < 5; cut++) { /* every prefix */
        assert_int_equal(read_file(&c, &one, 1, cut, sentence, sizeof sentence), MR_MALFORMED);
        assert_non_null(strstr(sentence, "/tmp/corpus."));
    }
    assert_int_equal(read_file(&c, &empty, 1, 0, sentence, sizeof sentence), MR_MALFORMED);
    assert_int_equal(mr_corpus_read(&c, "/nowhere/x.bin", sentence, sizeof sentence), MR_SYSTEM);
    assert_string_equal(sentence, "cannot read /nowhere/x.bin: No such file or directory");
    assert_int_equal(c.count, 0);
    mr_corpus_fini(&c);
}

static void nothing_that_no_block_can_take_is_used(void **state)
{
    static const uint8_t key[32] = {5};
    struct mr_span records[2];
    struct mr_corpus c;
    uint8_t raw[2][512];
    char sentence[256];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct mr_tx_fields f = {
            .type = MR_TX_DYNAMIC_FEE, .chain_id = 1, .gas = 21000, .fee_cap = mr_u256_of(6 + i)};
        struct mr_writer w = mr_writer(raw[i], sizeof raw[i]);

        assert_int_equal(mr_tx_build(&w, &f, secp, key), MR_OK);
        records[i] = mr_writer_span(&w);
    }
    corpus_open(&c, "mainnet");
    assert_int_equal(read_file(&c, records, 2, 0, sentence, sizeof sentence), MR_OK);
    assert_int_equal(c.accepted, 2);
    assert_int_equal(c.under_fee_floor, 1);
    assert_int_equal(c.count, 1);
    assert_memory_equal(mr_corpus_bytes(&c, 0).p, records[1].p, records[1].n);
    mr_corpus_fini(&c);
}

int main(void)
{
    static const uint8_t seed[32] = {1};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_ones_are_accepted_and_counted),
        cmocka_unit_test(drawing_depends_on_the_seed_only),
        cmocka_unit_test(a_transaction_is_drawn_once),
        cmocka_unit_test(generated_ones_pass_todays_rules_on_every_network),
        cmocka_unit_test(no_generated_account_is_busy),
        cmocka_unit_test(generated_ones_follow_what_was_drawn),
        cmocka_unit_test(broken_files_are_refused_by_name),
        cmocka_unit_test(nothing_that_no_block_can_take_is_used),
    };
    int failed;

    secp = mr_secp_create(seed);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    mr_secp_destroy(secp);
    return failed;
}
