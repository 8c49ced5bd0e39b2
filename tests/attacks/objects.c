#include "tests/attacks/objects.h"

#include <stdlib.h>

#define PARTS_MAX 20

const struct mr_u256 object_order = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
                                      0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
                                      0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41}};

void object_fields(struct mr_tx_fields *f, uint8_t type, uint64_t chain_id, uint64_t nonce)
{
    *f = (struct mr_tx_fields){.type = type,
                               .chain_id = chain_id,
                               .nonce = nonce,
                               .gas = 200000,
                               .tip = mr_u256_of(UINT64_C(2000000000)),
                               .fee_cap = mr_u256_of(UINT64_C(100000000000)),
                               .blob_fee_cap = mr_u256_of(UINT64_C(100000000000)),
                               .value = mr_u256_of(1),
                               .to = {{0x22}}};
}

void object_build(struct sample *out, const struct mr_tx_fields *f, uint64_t account)
{
    size_t room = f->data.n + f->access_list.n + 32 * f->blob_hashes_count +
                  256 * f->authorizations_count + 512;
    uint8_t *bytes = malloc(room), key[32] = {2};
    struct mr_writer w = mr_writer(bytes, room);

    assert_non_null(bytes);
    mr_store_be64(key + 24, account + 1);
    assert_int_equal(mr_tx_build(&w, f, peers_secp(), key), MR_OK);
    sample_of(out, w.p, w.n);
    free(bytes);
}

/* ---- editing ---- */

struct parts {
    size_t n;
    struct mr_span at[PARTS_MAX];
};

static void parts_of(struct parts *p, const struct sample *s)
{
    size_t head = s->raw[0] < 0xc0;
    struct mr_reader r = mr_reader(s->raw + head, s->n - head), list;

    p->n = 0;
    assert_int_equal(mr_rlp_list(&r, &list), MR_OK);
    while (!mr_reader_done(&list)) {
        assert_true(p->n < PARTS_MAX);
        assert_int_equal(mr_rlp_item(&list, &p->at[p->n++]), MR_OK);
    }
}

static size_t index_of(const struct parts *p, int i)
{
    size_t at = i < 0 ? p->n - (size_t)-i : (size_t)i;

    assert_true(at < p->n);
    return at;
}

static void put_parts(struct sample *s, const struct parts *p)
{
    size_t payload = 0, room;
    struct mr_writer w;
    struct sample old = *s;

    for (size_t k = 0; k < p->n; k++)
        payload += p->at[k].n;
    room = payload + 16;
    w = mr_writer(malloc(room), room);
    assert_non_null(w.p);
    if (old.raw[0] < 0xc0)
        assert_int_equal(mr_rlp_put_raw(&w, old.raw, 1), MR_OK);
    assert_int_equal(mr_rlp_put_list_head(&w, payload), MR_OK);
    for (size_t k = 0; k < p->n; k++)
        assert_int_equal(mr_rlp_put_raw(&w, p->at[k].p, p->at[k].n), MR_OK);
    sample_of(s, w.p, w.n);
    free(w.p);
    sample_free(&old);
}

void object_edit(struct sample *s, enum object_edit how, int i, const void *rlp, size_t n)
{
    struct parts p;
    size_t at;

    parts_of(&p, s);
    at = index_of(&p, i);
    if (how == OBJECT_REMOVE) {
        memmove(&p.at[at], &p.at[at + 1], (--p.n - at) * sizeof *p.at);
    } else {
        if (how == OBJECT_BEFORE) {
            assert_true(p.n < PARTS_MAX);
            memmove(&p.at[at + 1], &p.at[at], (p.n++ - at) * sizeof *p.at);
        }
        p.at[at] = mr_span(rlp, n);
    }
    put_parts(s, &p);
}

void object_number(const struct sample *s, int i, struct mr_u256 *out)
{
    struct parts p;
    struct mr_reader r;

    parts_of(&p, s);
    r = mr_reader_of(p.at[index_of(&p, i)]);
    assert_int_equal(mr_rlp_u256(&r, out), MR_OK);
}

void object_replace_number(struct sample *s, int i, const struct mr_u256 *v)
{
    uint8_t room[40];
    struct mr_writer w = mr_writer(room, sizeof room);

    assert_int_equal(mr_rlp_put_u256(&w, v), MR_OK);
    object_edit(s, OBJECT_REPLACE, i, w.p, w.n);
}

void object_append(struct sample *s, const void *p, size_t n)
{
    uint8_t *bytes = malloc(s->n + n);

    assert_non_null(bytes);
    memcpy(bytes, s->raw, s->n);
    memcpy(bytes + s->n, p, n);
    n += s->n;
    sample_free(s);
    sample_of(s, bytes, n);
    free(bytes);
}

void object_order_less(struct mr_u256 *out, const struct mr_u256 *v)
{
    int borrow = 0;

    for (int i = 31; i >= 0; i--) {
        int d = object_order.b[i] - v->b[i] - borrow;

        borrow = d < 0;
        out->b[i] = (uint8_t)d;
    }
}

/* ---- blobs ---- */

bool blobs_make(struct blobs *b)
{
    memset(b, 0, sizeof *b);
    if (!mr_kzg_available())
        return false;
    b->kzg = mr_kzg_load();
    b->blobs = malloc(OBJECT_BLOBS * MR_BLOB_SIZE);
    assert_non_null(b->kzg);
    assert_non_null(b->blobs);
    for (size_t i = 0; i < (size_t)OBJECT_BLOBS * MR_BLOB_SIZE; i++)
        b->blobs[i] = i % 32 == 0 ? 0 : (uint8_t)(i * 7 + i / 4096); /* elements below the order */
    for (size_t k = 0; k < OBJECT_BLOBS; k++) {
        const uint8_t *blob = b->blobs + k * MR_BLOB_SIZE;
        uint8_t *commitment = b->commitments + k * 48;

        assert_int_equal(
            mr_kzg_prove_blob(b->kzg, commitment, b->cell_proofs + k * 128 * 48, true, blob),
            MR_KZG_VALID);
        assert_int_equal(mr_kzg_prove_blob(b->kzg, commitment, b->proofs + k * 48, false, blob),
                         MR_KZG_VALID);
        assert_true(mr_versioned_hash(&b->hashes[k], commitment));
    }
    return true;
}

void blobs_free(struct blobs *b)
{
    mr_kzg_free(b->kzg);
    free(b->blobs);
}

void blobs_build(struct sample *out, const struct blobs *b, size_t n, uint64_t chain_id,
                 uint64_t account, uint64_t nonce)
{
    struct mr_tx_fields f;

    object_fields(&f, MR_TX_BLOB, chain_id, nonce);
    f.blob_hashes = b->hashes;
    f.blob_hashes_count = n;
    object_build(out, &f, account);
}

void blobs_wrap(struct sample *out, const struct sample *bare, enum mr_wrapper wrapper,
                struct mr_span blobs, struct mr_span commitments, struct mr_span proofs)
{
    size_t room = bare->n + blobs.n + commitments.n + proofs.n + blobs.n / MR_BLOB_SIZE * 8 +
                  (commitments.n + proofs.n) / 48 + 64;
    struct mr_writer w = mr_writer(malloc(room), room);

    assert_non_null(w.p);
    assert_int_equal(mr_tx_build_blob_wrapper(&w, wrapper, mr_span(bare->raw, bare->n), blobs,
                                              commitments, proofs),
                     MR_OK);
    sample_of(out, w.p, w.n);
    free(w.p);
}

void blobs_wrap_right(struct sample *out, const struct sample *bare, enum mr_wrapper wrapper,
                      const struct blobs *b, size_t n)
{
    struct mr_span proofs = wrapper == MR_WRAPPER_V1 ? mr_span(b->cell_proofs, n * 128 * 48)
                                                     : mr_span(b->proofs, n * 48);

    blobs_wrap(out, bare, wrapper, mr_span(b->blobs, n * MR_BLOB_SIZE),
               mr_span(b->commitments, n * 48), proofs);
}
