/* eth_messages.json: messages of EIP-2481, geth and reth, and ones made from caps/eth.md over real
 * mainnet objects; the file names the source of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "net/eth/announce.h"
#include "net/eth/cells.h"
#include "net/eth/eth_json.h"
#include "net/eth/header.h"
#include "net/eth/message.h"
#include "net/eth/status.h"
#include "tests/net/eth/helper_corpus.h"
#include "tests/net/eth/helper_wire.h"

static struct mr_json *file;

static int load(void **state)
{
    (void)state;
    file = vectors_load("eth_messages.json");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    mr_json_free(file);
    return 0;
}

/* Its bytes are those of GetBlockHeaders: as Receipts of eth/69 they hold no lists of receipts. */
static bool mislabelled(const char *name)
{
    return strcmp(name, "ReceiptsPacket69") == 0;
}

struct entry {
    const char *name;
    const struct mr_json *json;
    struct mr_span rlp;
    unsigned version;
    uint64_t id;
    bool invalid;
};

/* Every message in each of the versions that we speak. */
static size_t for_each(void (*visit)(const struct entry *e))
{
    const struct mr_json *messages = mr_json_get(file, "messages");
    size_t visited = 0;

    for (size_t i = 0; i < mr_json_count(messages); i++) {
        const struct mr_json *m = mr_json_at(messages, i), *versions;
        struct entry e = {.json = m, .name = mr_json_string(mr_json_get(m, "name"), NULL)};
        uint64_t version;

        e.rlp = wire_json_hex(mr_json_get(m, "rlp"));
        (void)mr_json_bool(mr_json_get(m, "invalid"), &e.invalid);
        if (mr_json_u64(mr_json_get(m, "msg_id"), &e.id) != MR_OK)
            continue; /* -1: no message at all */
        versions = mr_json_get(m, "eth_versions");
        for (size_t v = 0; v < mr_json_count(versions); v++) {
            assert_int_equal(mr_json_u64(mr_json_at(versions, v), &version), MR_OK);
            if (!mr_eth_version_known((unsigned)version))
                continue;
            e.version = (unsigned)version;
            visit(&e);
            visited++;
        }
    }
    return visited;
}

static void visit_check(const struct entry *e)
{
    enum mr_err got = mr_eth_message_check(e->version, e->id, true, e->rlp);
    bool refuse = e->invalid || mislabelled(e->name);

    if ((got != MR_OK) != refuse)
        fail_msg("%s, eth/%u: %s", e->name, e->version, mr_err_name(got));
}

static void valid_messages_are_taken_and_invalid_ones_refused(void **state)
{
    (void)state;
    assert_true(for_each(visit_check) >= 70);
}

static void visit_prefixes(const struct entry *e)
{
    if (e->invalid || mislabelled(e->name))
        return;
    for (size_t n = 0; n < e->rlp.n; n++) {
        uint8_t *cut = wire_copy(mr_span(e->rlp.p, n));

        if (mr_eth_message_check(e->version, e->id, true, mr_span(cut, n)) == MR_OK)
            fail_msg("%s, eth/%u: %zu bytes taken", e->name, e->version, n);
        free(cut);
    }
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for_each(visit_prefixes);
}

/* ---- writing what was read ---- */

static enum mr_err again_status(struct mr_writer *w, const struct entry *e)
{
    struct mr_eth_status s;

    assert_int_equal(mr_eth_status_decode(&s, e->version, e->rlp), MR_OK);
    return mr_eth_status_encode(w, &s);
}

static enum mr_err again_get_headers(struct mr_writer *w, const struct entry *e)
{
    struct mr_get_block_headers q;
    uint64_t id;

    assert_int_equal(mr_get_block_headers_decode(&q, &id, e->rlp), MR_OK);
    return mr_get_block_headers_encode(w, id, &q);
}

static enum mr_err again_hashes(struct mr_writer *w, const struct entry *e)
{
    struct mr_hash hashes[16];
    struct mr_hash_request q;

    assert_int_equal(mr_hash_request_decode(&q, e->rlp), MR_OK);
    assert_true(q.hashes.n <= 16);
    for (size_t i = 0; i < q.hashes.n; i++)
        memcpy(hashes[i].b, mr_items_at(&q.hashes, i), 32);
    return mr_hash_request_encode(w, q.request_id, hashes, q.hashes.n);
}

static enum mr_err again_response(struct mr_writer *w, const struct entry *e)
{
    struct mr_span items[16];
    struct mr_eth_items got;
    size_t n = 0;

    assert_int_equal(mr_response_decode(&got, e->rlp, 16), MR_OK);
    while (mr_eth_items_next(&got, &items[n]))
        n++;
    return mr_response_encode(w, got.request_id, items, n);
}

static enum mr_err again_announce(struct mr_writer *w, const struct entry *e)
{
    uint8_t types[16];
    uint32_t sizes[16];
    struct mr_hash hashes[16];
    struct mr_announce a;
    struct mr_announce_item item;
    size_t n = 0;

    assert_int_equal(mr_announce_decode(&a, e->version, e->rlp), MR_OK);
    assert_true(a.count <= 16);
    for (; mr_announce_next(&a, &item); n++)
        types[n] = item.type, sizes[n] = item.size, hashes[n] = item.hash;
    return mr_announce_encode(w, e->version, types, sizes, hashes, n, &a.cells);
}

static enum mr_err again_get_cells(struct mr_writer *w, const struct entry *e)
{
    struct mr_hash hashes[16];
    struct mr_get_cells q;

    assert_int_equal(mr_get_cells_decode(&q, e->rlp), MR_OK);
    for (size_t i = 0; i < q.hashes.n; i++)
        memcpy(hashes[i].b, mr_items_at(&q.hashes, i), 32);
    return mr_get_cells_encode(w, q.request_id, hashes, q.hashes.n, &q.mask);
}

static enum mr_err again_cells(struct mr_writer *w, const struct entry *e)
{
    struct mr_cells c;

    assert_int_equal(mr_cells_decode(&c, e->rlp), MR_OK);
    assert_int_equal(c.hashes.n, 0);
    return mr_cells_encode(w, c.request_id, NULL, 0, &c.mask);
}

static void visit_again(const struct entry *e)
{
    struct mr_writer w = mr_writer(wire_fill(0, e->rlp.n), e->rlp.n);
    enum mr_err got;

    if (e->invalid)
        return;
    switch (e->id) {
    case MR_ETH_STATUS:
        got = again_status(&w, e);
        break;
    case MR_ETH_GET_BLOCK_HEADERS:
        got = again_get_headers(&w, e);
        break;
    case MR_ETH_BLOCK_HEADERS:
    case MR_ETH_BLOCK_BODIES:
    case MR_ETH_POOLED_TRANSACTIONS:
        got = again_response(&w, e);
        break;
    case MR_ETH_NEW_POOLED_TRANSACTION_HASHES:
        got = again_announce(&w, e);
        break;
    case MR_ETH_GET_BLOCK_ACCESS_LISTS:
        got = again_hashes(&w, e);
        break;
    case MR_ETH_GET_CELLS:
        got = again_get_cells(&w, e);
        break;
    case MR_ETH_CELLS:
        got = again_cells(&w, e);
        break;
    default: /* NewBlock, Receipts: never written here */
        return;
    }
    if (got != MR_OK || w.n != e->rlp.n || memcmp(w.p, e->rlp.p, w.n) != 0)
        fail_msg("%s, eth/%u is written differently", e->name, e->version);
}

static void what_is_read_is_written_back_unchanged(void **state)
{
    (void)state;
    for_each(visit_again);
}

/* ---- JSON ---- */

/* Whether want's members are in got, with equal values, for those that got has at all; the
 * difference is named. Fields that a message does not hold (a log's block, a receipt's transaction)
 * are in the vectors, but not shown. */
static bool same(const struct mr_json *got, const struct mr_json *want, size_t *compared)
{
    void *it = NULL;
    const char *key;
    const struct mr_json *v;
    char *a, *b;
    bool equal;

    if (mr_json_kind(want) == MR_JSON_OBJECT) {
        while (mr_json_next(want, &it, &key, &v)) {
            if (mr_json_get(got, key) != NULL && !same(mr_json_get(got, key), v, compared)) {
                print_error("at %s\n", key);
                return false;
            }
        }
        return true;
    }
    if (mr_json_kind(want) == MR_JSON_ARRAY) {
        if (mr_json_count(want) != mr_json_count(got))
            return false;
        for (size_t i = 0; i < mr_json_count(want); i++) {
            if (!same(mr_json_at(got, i), mr_json_at(want, i), compared))
                return false;
        }
        return true;
    }
    a = mr_json_dump(got, NULL);
    b = mr_json_dump(want, NULL);
    equal = strcmp(a, b) == 0;
    if (!equal)
        print_error("%s, wanted %s\n", a, b);
    free(a);
    free(b);
    ++*compared;
    return equal;
}

static size_t compared_total;

static void visit_json(const struct entry *e)
{
    enum mr_err error;
    size_t offset, compared = 0;
    struct mr_json *got = mr_eth_json(&error, &offset, e->version, e->id, true, e->rlp);
    const struct mr_json *data = mr_json_get(e->json, "data");
    void *it = NULL;
    const char *key;
    const struct mr_json *v;
    uint64_t number;

    if (e->invalid || mislabelled(e->name)) {
        assert_null(got);
        assert_int_not_equal(error, MR_OK);
        assert_true(offset <= e->rlp.n);
        return;
    }
    if (got == NULL)
        fail_msg("%s, eth/%u: %s at %zu", e->name, e->version, mr_err_name(error), offset);
    assert_non_null(mr_json_string(mr_json_get(got, "name"), NULL));
    assert_int_equal(mr_json_u64(mr_json_get(got, "version"), &number), MR_OK);
    assert_int_equal(number, e->version);
    assert_int_equal(mr_json_u64(mr_json_get(got, "id"), &number), MR_OK);
    assert_int_equal(number, e->id);
    while (mr_json_next(data, &it, &key, &v)) /* none of the outer ones may be missing */
        assert_non_null(mr_json_get(got, key));
    if (data != NULL && !same(got, data, &compared))
        fail_msg("%s, eth/%u is shown differently", e->name, e->version);
    compared_total += compared;
    mr_json_free(got);
}

static void messages_are_shown_as_the_vectors_show_them(void **state)
{
    (void)state;
    compared_total = 0;
    for_each(visit_json);
    assert_true(compared_total > 200);
}

/* ---- facts that stand beside the bytes ---- */

static void visit_facts(const struct entry *e)
{
    const struct mr_json *hash = mr_json_get(e->json, "block_hash");
    struct mr_reader r = mr_reader_of(e->rlp), list, block;
    struct mr_header h;
    uint64_t id;

    if (hash == NULL)
        return;
    assert_int_equal(mr_rlp_list(&r, &list), MR_OK);
    if (e->id == MR_ETH_BLOCK_HEADERS)
        assert_int_equal(mr_rlp_u64(&list, &id), MR_OK);
    assert_int_equal(mr_rlp_list(&list, &block), MR_OK);
    assert_int_equal(mr_header_read(&block, &h), MR_OK);
    assert_memory_equal(h.hash.b, wire_json_hex(hash).p, 32);
}

static void headers_have_the_stated_hashes(void **state)
{
    (void)state;
    for_each(visit_facts);
}

/* The status vectors' fields, in order, as they stand in the RLP. */
static void the_status_of_reth_has_its_stated_fields(void **state)
{
    const struct mr_json *messages = mr_json_get(file, "messages");
    struct mr_eth_status s;
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < mr_json_count(messages); i++) {
        const struct mr_json *m = mr_json_at(messages, i);

        if (strcmp(mr_json_string(mr_json_get(m, "name"), NULL), "Status eth/69") != 0)
            continue;
        assert_int_equal(mr_eth_status_decode(&s, 69, wire_json_hex(mr_json_get(m, "rlp"))), MR_OK);
        assert_int_equal(s.network_id, 1);
        assert_int_equal(s.fork_id.hash, 0xb715077d);
        assert_int_equal(s.fork_id.next, 0);
        assert_int_equal(s.earliest, 0xed14f2);
        assert_int_equal(s.latest, 0x0112a880);
        assert_int_equal(s.latest_hash.b[0], 0xfe);
        seen++;
    }
    assert_int_equal(seen, 1);
}

/* A vector that is no message at all: an inner list that overruns the outer one. */
static void a_list_that_overruns_its_message_is_refused_under_every_id(void **state)
{
    struct mr_span bad = wire_hex("c5820539c20505");

    (void)state;
    for (unsigned v = MR_ETH_VERSION_MIN; v <= MR_ETH_VERSION_MAX; v++) {
        for (uint64_t id = 0; id < MR_ETH_IDS_MAX; id++)
            assert_int_not_equal(mr_eth_message_check(v, id, true, bad), MR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_messages_are_taken_and_invalid_ones_refused),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(what_is_read_is_written_back_unchanged),
        cmocka_unit_test(messages_are_shown_as_the_vectors_show_them),
        cmocka_unit_test(headers_have_the_stated_hashes),
        cmocka_unit_test(the_status_of_reth_has_its_stated_fields),
        cmocka_unit_test(a_list_that_overruns_its_message_is_refused_under_every_id),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
