#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "node/decode.h"

/* The tree that vectors give for an item, as the tool prints it. */
static struct mr_json *tree_of(const struct mr_json *decoded)
{
    struct mr_json *a;
    size_t n;
    uint8_t *bytes = mr_json_hex_dup(decoded, &n);

    if (bytes) {
        a = mr_json_new_hex(bytes, n);
        free(bytes);
        return a;
    }
    a = mr_json_new_array();
    for (size_t i = 0; i < mr_json_count(decoded); i++)
        mr_json_push(a, tree_of(mr_json_at(decoded, i))); /* our own vectors: shallow */
    return a;
}

static void rlp_vectors_are_printed_as_they_decode(void **state)
{
    struct mr_json *root = mr_json_load(NULL, MR_TEST_VECTORS "/rlp_valid.json");
    const struct mr_json *all = mr_json_get(root, "items");
    size_t compared = 0;

    (void)state;
    assert_non_null(root);
    for (size_t i = 0; i < mr_json_count(all); i++) {
        const struct mr_json *row = mr_json_at(all, i);
        struct mr_decode_error error;
        struct mr_json *tree;
        char *text = NULL, *wanted;
        size_t n, used;
        uint8_t *bytes = mr_json_hex_dup(mr_json_get(row, "rlp"), &n);
        FILE *out;

        if (!bytes || !mr_json_get(row, "decoded")) {
            free(bytes);
            continue;
        }
        out = open_memstream(&text, &used);
        assert_true(mr_decode_rlp(&error, out, MR_DECODE_JSON, mr_span(bytes, n)));
        fclose(out);
        tree = tree_of(mr_json_get(row, "decoded"));
        wanted = mr_json_dump(tree, NULL);
        text[strlen(text) - 1] = 0; /* the newline */
        assert_string_equal(text, wanted);
        compared++;
        mr_json_free(tree);
        free(wanted), free(text), free(bytes);
    }
    assert_true(compared >= 25);
    mr_json_free(root);
}

static void invalid_rlp_vectors_are_refused(void **state)
{
    struct mr_json *root = mr_json_load(NULL, MR_TEST_VECTORS "/rlp_invalid.json");
    const struct mr_json *all = mr_json_get(root, "items");

    (void)state;
    assert_true(mr_json_count(all) >= 30);
    for (size_t i = 0; i < mr_json_count(all); i++) {
        struct mr_decode_error error;
        size_t n;
        uint8_t *bytes = mr_json_hex_dup(mr_json_get(mr_json_at(all, i), "rlp"), &n);

        assert_non_null(bytes);
        assert_false(mr_decode_rlp(&error, NULL, MR_DECODE_JSON, mr_span(bytes, n)));
        assert_true(error.text[0] != 0);
        assert_true(error.offset <= n);
        free(bytes);
    }
    mr_json_free(root);
}

/* Records of a corpus: length, little-endian, and that many bytes. */
static struct mr_span record_next(FILE *f, uint8_t **buffer)
{
    uint8_t head[4];
    size_t n;

    if (fread(head, 1, 4, f) != 4)
        return mr_span(NULL, 0);
    n = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    *buffer = realloc(*buffer, n + 1);
    assert_non_null(*buffer);
    assert_int_equal(fread(*buffer, 1, n, f), n);
    return mr_span(*buffer, n);
}

/* Counts of real transactions by verdict; false when the corpus is not there. */
static bool corpus_judge(const char *file, struct mr_tx_judge *j, size_t verdicts[MR_TX_VERDICTS],
                         size_t *blobs_missing)
{
    FILE *f = fopen(file, "rb");
    uint8_t *buffer = NULL;
    struct mr_decode_error error;
    struct mr_tx_report r;
    struct mr_span s;

    memset(verdicts, 0, MR_TX_VERDICTS * sizeof *verdicts);
    *blobs_missing = 0;
    if (!f) {
        print_message("skipped: no %s\n", file);
        return false;
    }
    while ((s = record_next(f, &buffer)).p) {
        assert_true(mr_decode_tx(&r, &error, j, s));
        verdicts[r.verdict]++;
        *blobs_missing += r.blobs_missing;
    }
    free(buffer);
    fclose(f);
    return true;
}

static struct mr_tx_judge judge_make(struct mr_secp *secp, const char *network, const char *fork)
{
    struct mr_tx_judge j = {.secp = secp, .now.n = 1};

    assert_true(mr_rules_by_name(&j.now.rules[0], mr_network_find(network), fork));
    return j;
}

static void of_29282_real_transactions_29192_are_relayed(void **state)
{
    struct mr_tx_judge j = judge_make(*state, "mainnet", "bpo2");
    size_t v[MR_TX_VERDICTS], blobs_missing;

    if (!corpus_judge(MR_SHARED_DATA "/corpora/mainnet_txs.bin", &j, v, &blobs_missing))
        skip();
    assert_int_equal(v[MR_TX_VERDICT_OK], 29192 + 29);
    assert_int_equal(blobs_missing, 29);
    assert_int_equal(v[MR_TX_VERDICT_GAS_CAP], 6);
    assert_int_equal(v[MR_TX_VERDICT_GAS_FLOOR], 51);
    assert_int_equal(v[MR_TX_VERDICT_SIGNATURE_HIGH_S], 4);
}

static void real_blobs_pass_under_their_fork_and_no_other(void **state)
{
    struct mr_tx_judge j = judge_make(*state, "mainnet", "prague");
    size_t v[MR_TX_VERDICTS], blobs_missing;

    if (!mr_kzg_available()) {
        print_message("skipped: built without c-kzg\n");
        skip();
    }
    if (!corpus_judge(MR_SHARED_DATA "/corpora/blob_txs_network_v0.bin", &j, v, &blobs_missing))
        skip();
    assert_int_equal(v[MR_TX_VERDICT_OK], 10);
    assert_int_equal(v[MR_TX_VERDICT_CHAIN_ID], 1);
    assert_int_equal(blobs_missing, 0);
    assert_true(mr_rules_by_name(&j.now.rules[0], mr_network_find("mainnet"), "osaka"));
    corpus_judge(MR_SHARED_DATA "/corpora/blob_txs_network_v0.bin", &j, v, &blobs_missing);
    assert_int_equal(v[MR_TX_VERDICT_SIDECAR_VERSION], 10);
    assert_true(mr_rules_by_name(&j.now.rules[0], mr_network_find("sepolia"), "osaka"));
    corpus_judge(MR_SHARED_DATA "/corpora/blob_txs_network_v1.bin", &j, v, &blobs_missing);
    assert_int_equal(v[MR_TX_VERDICT_OK], 2);
    corpus_judge(MR_SHARED_DATA "/corpora/blob_txs_network_v1_invalid.bin", &j, v, &blobs_missing);
    assert_int_equal(v[MR_TX_VERDICT_OK], 0);
    assert_int_equal(v[MR_TX_VERDICT_SIDECAR_PROOF], 2);
    mr_kzg_free(j.kzg);
}

static int setup(void **state)
{
    static const uint8_t seed[32] = {1};

    mr_keccak_select();
    *state = mr_secp_create(seed);
    return *state == NULL;
}

static int teardown(void **state)
{
    mr_secp_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rlp_vectors_are_printed_as_they_decode),
        cmocka_unit_test(invalid_rlp_vectors_are_refused),
        cmocka_unit_test(of_29282_real_transactions_29192_are_relayed),
        cmocka_unit_test(real_blobs_pass_under_their_fork_and_no_other),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
