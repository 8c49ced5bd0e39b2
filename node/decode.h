/* decode.h: what `millrace decode` says about one input: the functions behind the command. Thread:
 * main; never a shard's: they allocate. */
#pragma once
#include <stdio.h>

#include "core/json.h"
#include "crypto/kzg.h"
#include "net/eth/tx_check.h"

/* Why an input was refused: one sentence, and the byte of the input at which it went wrong. */
struct mr_decode_error {
    char text[192];
    size_t offset;
};
void mr_decode_fail(struct mr_decode_error *error, size_t offset, const char *format, ...)
    MR_PRINTF(3, 4);

/* ---- rlp ---- */

#define MR_DECODE_DEPTH_MAX 1024

enum mr_decode_form {
    MR_DECODE_JSON,  /* nested arrays of "0x.." strings on one line */
    MR_DECODE_LINES, /* "0.3.1: 0x..": an item a line behind its path */
};

/* One item of canonical RLP that fills input: false, with the reason, for anything else, and then
 * nothing is written. out may be NULL: only to find the fault. */
bool mr_decode_rlp(struct mr_decode_error *error, FILE *out, enum mr_decode_form form,
                   struct mr_span input);

/* ---- tx ---- */

struct mr_tx_judge {
    const struct mr_secp *secp;
    struct mr_rules_now now; /* all of them must accept */
    struct mr_kzg *kzg;      /* loaded for the first blobs (2.5 s); the caller frees it */
    bool kzg_tried;
};

struct mr_tx_report {
    struct mr_hash hash;
    struct mr_address sender;
    uint64_t chain_id;
    size_t size; /* bytes as peers announce them */
    uint8_t type;
    bool has_sender, has_chain_id;
    enum mr_tx_verdict verdict; /* on the transaction, and on its blobs where they are there */
    bool blobs_missing;         /* ok, but cannot be relayed as it is */
    bool proofs_unchecked;      /* this build has no c-kzg */
};

/* Consensus form or network form. False: not a transaction at all, error says why. */
bool mr_decode_tx(struct mr_tx_report *out, struct mr_decode_error *error, struct mr_tx_judge *j,
                  struct mr_span input);
/* Which field of input keeps it from being a transaction. False if none is found. */
bool mr_decode_tx_blame(struct mr_decode_error *error, struct mr_span input);
/* {hash, sender, type, size, chain_id, verdict, relay, reason}; what is not known is null. */
void mr_tx_report_json(struct mr_json *object, const struct mr_tx_report *r);

/* ---- msg ---- */

/* A message of the eth capability as JSON, to be freed by the caller; NULL and the reason. */
struct mr_json *mr_decode_msg(struct mr_decode_error *error, unsigned version, uint64_t id,
                              bool legacy_blocks, struct mr_span message);
