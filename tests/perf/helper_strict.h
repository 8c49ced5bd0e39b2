/* helper_strict.h: a strict peer on mainnet's rules of late 2026, and messages for it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "core/rlp.h"
#include "net/eth/tx_build.h"
#include "perf/strict.h"

#define WALL_S   UINT64_C(1795000000) /* behind Osaka and its blob forks */
#define NOW_MS   UINT64_C(1000000)
#define ROOM     (4u << 20)
#define TX_ROOM  (1u << 20)
#define ITEM_MAX 8

struct rig {
    const struct mr_network *net;
    struct mr_secp *secp;
    struct mr_strict_options options;
    struct mr_strict *s;
    struct mr_strict_peer peer;
    uint8_t *message; /* ROOM bytes */
};

/* version: of eth; the peer has had its Status. */
void rig_open(struct rig *r, unsigned version);
void rig_close(struct rig *r);
/* The verdict on a message. */
enum mr_strict_rule verdict(struct rig *r, uint64_t id, struct mr_span payload);

/* A valid transaction, different for each number, in new memory that the caller frees. */
struct mr_span tx_make(struct rig *r, uint64_t number);
/* A type 3 transaction of one blob in consensus form. */
struct mr_span tx_make_blob(struct rig *r, uint64_t number, const struct mr_hash *blob_hash);
/* Messages with n items, in r->message. */
struct mr_span transactions(struct rig *r, const struct mr_span *txs, size_t n);
struct mr_span pooled(struct rig *r, uint64_t request_id, const struct mr_span *txs, size_t n);
struct mr_span announcement(struct rig *r, struct mr_span tx, uint8_t type, uint32_t size);
