#include "crypto/secp.h"
#include "node/decode.h"

/* The first verdict against the transaction under the rules in force, sidecar aside. */
static enum mr_tx_verdict tx_judge(const struct mr_tx *tx, const struct mr_rules_now *now)
{
    enum mr_tx_verdict v = MR_TX_VERDICT_OK;

    for (size_t i = 0; i < now->n && v == MR_TX_VERDICT_OK; i++)
        v = mr_tx_check(tx, &now->rules[i]);
    return v;
}

static struct mr_kzg_items items_of(const struct mr_items *a)
{
    return (struct mr_kzg_items){a->first, a->stride};
}

static enum mr_tx_verdict proofs_judge(struct mr_tx_report *out, struct mr_tx_judge *j,
                                       const struct mr_sidecar *s)
{
    struct mr_kzg_items blobs = items_of(&s->blobs), proofs = items_of(&s->proofs);
    struct mr_kzg_items commitments = items_of(&s->commitments);
    enum mr_kzg_result result;

    if (!j->kzg_tried)
        j->kzg = mr_kzg_load();
    j->kzg_tried = true;
    out->proofs_unchecked = !j->kzg || s->blobs.n > MR_KZG_BLOBS_MAX;
    if (out->proofs_unchecked)
        return MR_TX_VERDICT_OK;
    result = s->wrapper == MR_WRAPPER_V1
                 ? mr_kzg_verify_cells(j->kzg, s->blobs.n, blobs, commitments, proofs)
                 : mr_kzg_verify_blobs(j->kzg, s->blobs.n, blobs, commitments, proofs);
    out->proofs_unchecked = result == MR_KZG_FAILED;
    return result == MR_KZG_INVALID ? MR_TX_VERDICT_SIDECAR_PROOF : MR_TX_VERDICT_OK;
}

/* A blob transaction's sidecar: whole, without its blobs as eth/72 sends it, or absent. */
static enum mr_tx_verdict sidecar_judge(struct mr_tx_report *out, struct mr_tx_judge *j,
                                        const struct mr_tx *tx)
{
    const struct mr_rules_now *now = &j->now;
    enum mr_tx_verdict v = MR_TX_VERDICT_OK;
    bool elided = mr_sidecar_elided(&tx->sidecar);

    out->blobs_missing = elided || tx->sidecar.wrapper == MR_WRAPPER_NONE;
    if (tx->sidecar.wrapper == MR_WRAPPER_NONE)
        return v;
    for (size_t i = 0; i < now->n && v == MR_TX_VERDICT_OK; i++)
        v = elided ? mr_tx_check_sidecar_elided(tx, &now->rules[i])
                   : mr_tx_check_sidecar(tx, &now->rules[i]);
    return v != MR_TX_VERDICT_OK || elided ? v : proofs_judge(out, j, &tx->sidecar);
}

bool mr_decode_tx(struct mr_tx_report *out, struct mr_decode_error *error, struct mr_tx_judge *j,
                  struct mr_span input)
{
    struct mr_tx tx;
    enum mr_err e = mr_tx_decode_raw(&tx, input.p, input.n);

    if (e) {
        if (!mr_decode_tx_blame(error, input))
            mr_decode_fail(error, 0, "%s", mr_err_text(e));
        return false;
    }
    *out = (struct mr_tx_report){
        .chain_id = tx.chain_id,
        .has_chain_id = !tx.unprotected && !tx.chain_id_huge,
        .size = mr_tx_size_network(&tx),
        .type = tx.type,
    };
    mr_tx_hash(&tx, &out->hash);
    out->has_sender = mr_tx_sender(&tx, &out->sender, j->secp);
    out->verdict = tx_judge(&tx, &j->now);
    if (out->verdict == MR_TX_VERDICT_OK && !out->has_sender)
        out->verdict = MR_TX_VERDICT_SIGNATURE;
    if (out->verdict == MR_TX_VERDICT_OK && tx.type == MR_TX_BLOB)
        out->verdict = sidecar_judge(out, j, &tx);
    return true;
}

/* "gas_floor" */
static void verdict_name(char out[32], enum mr_tx_verdict v)
{
    const char *name = mr_tx_verdict_name(v);
    size_t n = 0;

    for (; name[n] && n < 31; n++)
        out[n] = name[n] >= 'A' && name[n] <= 'Z' ? (char)(name[n] | 0x20) : name[n];
    out[n] = 0;
}

void mr_tx_report_json(struct mr_json *object, const struct mr_tx_report *r)
{
    bool ok = r->verdict == MR_TX_VERDICT_OK;
    char name[32];

    verdict_name(name, r->verdict);
    mr_json_set_hex(object, "hash", r->hash.b, sizeof r->hash.b);
    mr_json_set(object, "sender",
                r->has_sender ? mr_json_new_hex(r->sender.b, sizeof r->sender.b)
                              : mr_json_new_null());
    mr_json_set_u64(object, "type", r->type);
    mr_json_set_u64(object, "size", r->size);
    mr_json_set(object, "chain_id",
                r->has_chain_id ? mr_json_new_u64(r->chain_id) : mr_json_new_null());
    mr_json_set_string(object, "verdict", name);
    mr_json_set_string(object, "relay",
                       !ok                   ? "no: refused"
                       : r->blobs_missing    ? "no: blobs missing"
                       : r->proofs_unchecked ? "no: blob proofs not checked"
                                             : "yes");
    if (ok)
        mr_json_set(object, "reason", mr_json_new_null());
    else
        mr_json_set_string(object, "reason", mr_tx_verdict_text(r->verdict));
}
