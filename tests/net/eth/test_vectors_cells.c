/* cells_eth72.json: cells of a real blob transaction. Its answer is in the order in which
 * caps/eth.md can be read, index before blob; geth and reth send blob before index, and so do we:
 * the cells are put in that order here, and the file's own order is kept as spec_text_order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "crypto/keccak.h"
#include "net/eth/cells.h"
#include "tests/net/eth/helper_corpus.h"
#include "tests/net/eth/helper_wire.h"

#define BLOBS   2
#define COLUMNS 5

static struct mr_json *file;
static unsigned indices[COLUMNS];
static struct mr_cells spec_text_order;
static struct mr_cell_group spec_group;

static int load(void **state)
{
    uint64_t v;

    (void)state;
    file = vectors_load("cells_eth72.json");
    for (size_t i = 0; i < COLUMNS; i++) {
        assert_int_equal(mr_json_u64(mr_json_at(mr_json_get(file, "cell_indices"), i), &v), MR_OK);
        indices[i] = (unsigned)v;
    }
    assert_int_equal(
        mr_cells_decode(&spec_text_order, wire_json_hex(mr_json_get(file, "cells_rlp"))), MR_OK);
    assert_true(mr_cells_next(&spec_text_order, &spec_group));
    return 0;
}

static int unload(void **state)
{
    (void)state;
    mr_json_free(file);
    return 0;
}

static void hash_of_cell(uint8_t out[32], unsigned blob, unsigned index)
{
    const struct mr_json *b = mr_json_at(mr_json_get(file, "blobs"), blob);

    assert_int_equal(
        mr_json_hex_exact(mr_json_at(mr_json_get(b, "cells_keccak256"), index), out, 32), MR_OK);
}

static void the_request_is_read_and_written(void **state)
{
    struct mr_span raw = wire_json_hex(mr_json_get(file, "get_cells_rlp"));
    struct mr_span mask = wire_json_hex(mr_json_get(file, "mask"));
    struct mr_writer w = mr_writer(wire_fill(0, raw.n), raw.n);
    struct mr_get_cells q;
    struct mr_hash hash;

    (void)state;
    assert_int_equal(mr_get_cells_decode(&q, raw), MR_OK);
    assert_int_equal(q.request_id, 11);
    assert_int_equal(q.hashes.n, 1);
    memcpy(hash.b, mr_items_at(&q.hashes, 0), 32);
    assert_memory_equal(hash.b, wire_json_hex(mr_json_get(file, "tx_hash")).p, 32);
    assert_memory_equal(q.mask.b, mask.p, 16);
    assert_int_equal(mr_cell_mask_count(&q.mask), COLUMNS);
    for (unsigned i = 0; i < COLUMNS; i++) {
        assert_true(mr_cell_mask_has(&q.mask, indices[i]));
        assert_int_equal(mr_cell_mask_rank(&q.mask, indices[i]), i);
    }
    assert_int_equal(mr_get_cells_encode(&w, 11, &hash, 1, &q.mask), MR_OK);
    assert_memory_equal(w.p, raw.p, raw.n);
}

static void the_answer_keeps_to_its_request(void **state)
{
    struct mr_get_cells q;

    (void)state;
    assert_int_equal(mr_get_cells_decode(&q, wire_json_hex(mr_json_get(file, "get_cells_rlp"))),
                     MR_OK);
    assert_int_equal(mr_cells_check_answer(&spec_text_order, &q), MR_OK);
    assert_int_equal(spec_text_order.cells_count, BLOBS * COLUMNS);
    assert_int_equal(spec_group.blobs, BLOBS);
    assert_int_equal(spec_group.columns, COLUMNS);
}

static void the_file_has_index_before_blob(void **state)
{
    (void)state;
    for (unsigned k = 0; k < COLUMNS; k++) {
        for (unsigned b = 0; b < BLOBS; b++) {
            uint8_t want[32];
            struct mr_hash got;

            hash_of_cell(want, b, indices[k]);
            mr_keccak256(&got, mr_items_at(&spec_group.cells, k * BLOBS + b), MR_CELL_SIZE);
            assert_memory_equal(got.b, want, 32);
        }
    }
}

static void our_answer_has_blob_before_index(void **state)
{
    const uint8_t *cells[BLOBS * COLUMNS];
    struct mr_cells_group_in in = {.tx = spec_group.tx, .cells = cells, .count = BLOBS * COLUMNS};
    struct mr_span raw = wire_json_hex(mr_json_get(file, "cells_rlp"));
    struct mr_writer w = mr_writer(wire_fill(0, raw.n), raw.n);
    struct mr_cells ours;
    struct mr_cell_group g;

    (void)state;
    for (unsigned b = 0; b < BLOBS; b++) {
        for (unsigned k = 0; k < COLUMNS; k++)
            cells[b * COLUMNS + k] = mr_items_at(&spec_group.cells, k * BLOBS + b);
    }
    assert_int_equal(mr_cells_encode(&w, 11, &in, 1, &spec_text_order.mask), MR_OK);
    assert_int_equal(w.n, raw.n);
    assert_memory_not_equal(w.p, raw.p, raw.n);
    assert_int_equal(mr_cells_decode(&ours, mr_writer_span(&w)), MR_OK);
    assert_true(mr_cells_next(&ours, &g));
    for (unsigned b = 0; b < BLOBS; b++) {
        for (unsigned k = 0; k < COLUMNS; k++) {
            uint8_t want[32];
            struct mr_hash got;

            hash_of_cell(want, b, indices[k]);
            mr_keccak256(&got, mr_cell_at(&g, b, k), MR_CELL_SIZE);
            assert_memory_equal(got.b, want, 32);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_read_and_written),
        cmocka_unit_test(the_answer_keeps_to_its_request),
        cmocka_unit_test(the_file_has_index_before_blob),
        cmocka_unit_test(our_answer_has_blob_before_index),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
