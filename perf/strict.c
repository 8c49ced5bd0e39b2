#include "perf/strict.h"

#include <stdlib.h>

#include "core/map.h"
#include "crypto/keccak.h"
#include "net/eth/announce.h"
#include "net/eth/fork_id.h"
#include "net/eth/message.h"
#include "net/eth/status.h"

#define HASH_CHUNK 256

/* What is known of one hash. */
struct entry {
    uint32_t stamp;        /* of the last message that held it */
    uint32_t size;         /* true, once delivered or vouched for; 0: not known */
    uint32_t announced[2]; /* size as announced up to eth/71, and in eth/72; 0: never */
    uint8_t type, type_announced;
    bool good; /* by the rules, as far as the hash covers it */
};

struct mr_strict {
    struct mr_strict_options o;
    struct mr_rules_now rules;
    struct mr_map numbers;
    struct entry *entries;
    struct mr_strict_item *items; /* of mr_strict_check */
    uint32_t stamp;
    uint64_t faults[MR_STRICT_RULES];
    uint64_t unremembered;
};

const char *mr_strict_rule_name(enum mr_strict_rule r)
{
    static const char *const names[] = {
#define NAME(name, who, text) #name,
        MR_STRICT_RULE_MAP(NAME)
#undef NAME
    };
    return r < MR_STRICT_RULES ? names[r] : "?";
}

const char *mr_strict_rule_who(enum mr_strict_rule r)
{
    static const char *const names[] = {
#define WHO(name, who, text) who,
        MR_STRICT_RULE_MAP(WHO)
#undef WHO
    };
    return r < MR_STRICT_RULES ? names[r] : "?";
}

const char *mr_strict_rule_text(enum mr_strict_rule r)
{
    static const char *const texts[] = {
#define TEXT(name, who, text) text,
        MR_STRICT_RULE_MAP(TEXT)
#undef TEXT
    };
    return r < MR_STRICT_RULES ? texts[r] : "?";
}

/* ---- making and ending ---- */

struct mr_strict *mr_strict_open_table(const struct mr_strict_options *o)
{
    struct mr_strict *s = calloc(1, sizeof *s);

    MR_ASSERT(o->transactions_max > 0 && o->transactions_max <= UINT32_C(1) << 26);
    if (!s)
        return NULL;
    s->o = *o;
    mr_rules_now(&s->rules, o->network, NULL, o->wall_s);
    s->entries = calloc(o->transactions_max, sizeof *s->entries);
    s->items = calloc(MR_STRICT_ITEMS_MAX, sizeof *s->items);
    if (!s->entries || !s->items ||
        mr_map_init(&s->numbers, o->transactions_max, sizeof(struct mr_hash), o->key) != MR_OK) {
        free(s->entries);
        free(s->items);
        free(s);
        return NULL;
    }
    return s;
}

void mr_strict_close_table(struct mr_strict *s)
{
    if (!s)
        return;
    mr_map_fini(&s->numbers);
    free(s->entries);
    free(s->items);
    free(s);
}

enum mr_err mr_strict_vouch(struct mr_strict *s, uint32_t *number, const struct mr_hash *hash,
                            uint8_t type, uint32_t size)
{
    uint32_t n = mr_map_count(&s->numbers);
    enum mr_err e = mr_map_put(&s->numbers, hash->b, n);

    if (e)
        return e;
    s->entries[n] = (struct entry){.size = size, .type = type, .good = true};
    *number = n;
    return MR_OK;
}

void mr_strict_peer_init(struct mr_strict_peer *p, unsigned version, uint64_t now_ms)
{
    *p = (struct mr_strict_peer){
        .version = (uint16_t)version, .begun_ms = now_ms, .heard_ms = now_ms};
}

bool mr_strict_asked(struct mr_strict_peer *p, uint8_t answer_id, uint64_t request_id,
                     uint16_t items)
{
    for (size_t i = 0; i < MR_STRICT_ASKED_MAX; i++)
        if (!p->asked[i].open) {
            p->asked[i] = (struct mr_strict_asked){
                .request_id = request_id, .items = items, .answer_id = answer_id, .open = true};
            return true;
        }
    return false;
}

void mr_strict_fault(struct mr_strict *s, struct mr_strict_peer *p, enum mr_strict_rule rule)
{
    if (rule == MR_STRICT_NONE)
        return;
    s->faults[rule]++;
    if (p->faults++ == 0)
        p->first_fault = (uint8_t)rule;
}

enum mr_strict_rule mr_strict_time(struct mr_strict *s, struct mr_strict_peer *p, uint64_t now_ms,
                                   uint64_t write_since_ms)
{
    enum mr_strict_rule r = MR_STRICT_NONE;

    if (now_ms > p->heard_ms + MR_STRICT_SILENT_MS)
        r = MR_STRICT_SILENT;
    else if (!p->has_status && now_ms > p->begun_ms + MR_STRICT_STATUS_MS)
        r = MR_STRICT_STATUS_LATE;
    else if (write_since_ms > 0 && now_ms > write_since_ms + MR_STRICT_STALLED_MS)
        r = MR_STRICT_STALLED;
    mr_strict_fault(s, p, r);
    return r;
}

/* ---- reading a message ---- */

static enum mr_strict_rule open_status(struct mr_strict *s, struct mr_strict_peer *p,
                                       struct mr_span payload)
{
    const struct mr_network *net = s->o.network;
    struct mr_chain_point at = mr_network_point(net, NULL, s->o.wall_s);
    struct mr_eth_status status;
    enum mr_err e;

    if (p->has_status)
        return MR_STRICT_STATUS_TWICE;
    if ((e = mr_eth_status_decode(&status, p->version, payload)) != MR_OK)
        return e == MR_INVALID ? MR_STRICT_STATUS_INVALID : MR_STRICT_MALFORMED;
    p->has_status = true;
    if (status.network_id != net->network_id ||
        !mr_hash_equal(&status.genesis, &net->genesis_hash) ||
        mr_fork_id_check(net, at, &status.fork_id) != MR_FORK_COMPATIBLE)
        return MR_STRICT_STATUS_OTHER_CHAIN;
    return MR_STRICT_NONE;
}

/* Items of Transactions or PooledTransactions: their bytes, type and size. */
static enum mr_strict_rule open_items(struct mr_strict_message *m, struct mr_eth_items *list)
{
    struct mr_span item, raw;

    while (mr_eth_items_next(list, &item)) {
        struct mr_reader r = mr_reader_of(item);
        struct mr_strict_item *to = &m->items[m->items_count];

        raw = item;
        if (item.p[0] < 0xc0 && (mr_rlp_bytes(&r, &raw) != MR_OK || raw.n == 0))
            return MR_STRICT_MALFORMED;
        *to = (struct mr_strict_item){.raw = raw,
                                      .number = MR_STRICT_NO_NUMBER,
                                      .size = (uint32_t)raw.n,
                                      .type = item.p[0] >= 0xc0 ? MR_TX_LEGACY : raw.p[0]};
        if (to->type == MR_TX_BLOB) { /* its hash does not cover the sidecar */
            struct mr_tx tx;

            if (mr_tx_decode_raw(&tx, raw.p, raw.n) != MR_OK)
                return MR_STRICT_MALFORMED;
            mr_tx_hash(&tx, &to->hash);
            to->hashed = true;
        }
        m->items_count++;
    }
    return MR_STRICT_NONE;
}

static enum mr_strict_rule open_transactions(struct mr_strict_message *m)
{
    struct mr_eth_items list;
    enum mr_err e = mr_transactions_decode(&list, m->payload);

    if (e)
        return e == MR_TOO_BIG ? MR_STRICT_TRANSACTIONS_MANY : MR_STRICT_MALFORMED;
    return open_items(m, &list);
}

static enum mr_strict_rule open_announcement(struct mr_strict_message *m)
{
    struct mr_announce a;
    struct mr_announce_item item;

    _Static_assert(MR_STRICT_ITEMS_MAX >= MR_ANNOUNCE_ITEMS_USED, "room for any announcement");
    if (mr_announce_decode(&a, m->peer->version, m->payload) != MR_OK)
        return MR_STRICT_ANNOUNCE_SHAPE;
    while (mr_announce_next(&a, &item))
        m->items[m->items_count++] = (struct mr_strict_item){.hash = item.hash,
                                                             .number = MR_STRICT_NO_NUMBER,
                                                             .size = item.size,
                                                             .type = item.type,
                                                             .hashed = true};
    return MR_STRICT_NONE;
}

/* The request that this answers, or NULL. */
static struct mr_strict_asked *find_asked(struct mr_strict_peer *p, uint8_t id, uint64_t request_id)
{
    for (size_t i = 0; i < MR_STRICT_ASKED_MAX; i++) {
        struct mr_strict_asked *a = &p->asked[i];

        if (a->open && a->answer_id == id && a->request_id == request_id)
            return a;
    }
    return NULL;
}

static enum mr_strict_rule open_response(struct mr_strict_message *m,
                                         const struct mr_eth_message *kind)
{
    struct mr_strict_asked *asked;
    struct mr_reader body;
    struct mr_eth_items list;
    enum mr_err e;

    if (mr_eth_request_id(m->payload, &m->request_id, &body) != MR_OK)
        return MR_STRICT_MALFORMED;
    asked = find_asked(m->peer, m->id, m->request_id);
    if (!asked)
        return MR_STRICT_UNREQUESTED;
    asked->open = false;
    if (m->id != MR_ETH_POOLED_TRANSACTIONS && m->id != MR_ETH_BLOCK_HEADERS)
        return kind->check(m->peer->version, m->payload) ? MR_STRICT_MALFORMED : MR_STRICT_NONE;
    e = mr_response_decode(&list, m->payload, asked->items);
    if (e)
        return e == MR_TOO_BIG ? MR_STRICT_RESPONSE_MANY : MR_STRICT_MALFORMED;
    if (m->id == MR_ETH_POOLED_TRANSACTIONS)
        return open_items(m, &list);
    return kind->check(m->peer->version, m->payload) ? MR_STRICT_MALFORMED : MR_STRICT_NONE;
}

static enum mr_strict_rule open_other(struct mr_strict_message *m,
                                      const struct mr_eth_message *kind)
{
    struct mr_reader body;
    enum mr_err e = kind->check(m->peer->version, m->payload);

    if (m->id == MR_ETH_BLOCK_RANGE_UPDATE && e == MR_INVALID)
        return MR_STRICT_RANGE;
    if (e == MR_OK && kind->kind == MR_ETH_REQUEST)
        e = mr_eth_request_id(m->payload, &m->request_id, &body);
    return e ? MR_STRICT_MALFORMED : MR_STRICT_NONE;
}

void mr_strict_open(struct mr_strict_message *out, struct mr_strict *s, struct mr_strict_peer *p,
                    uint64_t id, struct mr_span payload, struct mr_strict_item *items,
                    uint64_t now_ms)
{
    const struct mr_eth_message *kind =
        mr_eth_message_find(p->version, id, s->o.network->consensus == MR_CONSENSUS_POW);

    *out = (struct mr_strict_message){
        .peer = p, .items = items, .id = (uint8_t)id, .payload = payload};
    mr_strict_heard(p, now_ms);
    if (!kind)
        out->fault = MR_STRICT_UNKNOWN_ID;
    else if (payload.n > MR_ETH_MESSAGE_MAX)
        out->fault = MR_STRICT_MESSAGE_TOO_BIG;
    else if (id == MR_ETH_STATUS)
        out->fault = (uint8_t)open_status(s, p, payload);
    else if (!p->has_status)
        out->fault = MR_STRICT_STATUS_MISSING;
    else if (id == MR_ETH_TRANSACTIONS)
        out->fault = (uint8_t)open_transactions(out);
    else if (id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES)
        out->fault = (uint8_t)open_announcement(out);
    else if (kind->kind == MR_ETH_RESPONSE)
        out->fault = (uint8_t)open_response(out, kind);
    else
        out->fault = (uint8_t)open_other(out, kind);
}

void mr_strict_hash(struct mr_strict *s, struct mr_strict_item *items, size_t n)
{
    struct mr_span in[HASH_CHUNK];
    struct mr_hash out[HASH_CHUNK];
    size_t at[HASH_CHUNK], k = 0;

    (void)s;
    for (size_t i = 0; i < n; i++) {
        if (!items[i].hashed)
            in[k] = items[i].raw, at[k++] = i;
        if (k == HASH_CHUNK || (i + 1 == n && k > 0)) {
            mr_keccak256_many(out, in, k);
            for (size_t j = 0; j < k; j++) {
                items[at[j]].hash = out[j];
                items[at[j]].hashed = true;
            }
            k = 0;
        }
    }
}

/* ---- judging its transactions ---- */

/* The item's entry, made if it is new; NULL when the table is full. */
static struct entry *remember(struct mr_strict *s, struct mr_strict_item *item)
{
    uint32_t n;

    if (!mr_map_find(&s->numbers, &n, item->hash.b)) {
        n = mr_map_count(&s->numbers);
        if (n == s->o.transactions_max || mr_map_put(&s->numbers, item->hash.b, n) != MR_OK) {
            s->unremembered++;
            return NULL;
        }
        s->entries[n] = (struct entry){0};
    }
    item->number = n;
    return &s->entries[n];
}

static bool sizes_agree(uint32_t a, uint32_t b)
{
    return (a > b ? a - b : b - a) <= MR_STRICT_SIZE_TOLERANCE;
}

static enum mr_strict_rule judge_announced(struct entry *e, const struct mr_strict_item *item,
                                           unsigned version)
{
    uint32_t *announced = &e->announced[version >= MR_ETH_72];
    bool comparable = version < MR_ETH_72 || item->type != MR_TX_BLOB;

    if (e->size > 0 && e->type != item->type)
        return MR_STRICT_ANNOUNCED_TYPE;
    if ((e->announced[0] > 0 || e->announced[1] > 0) && e->type_announced != item->type)
        return MR_STRICT_ANNOUNCED_TYPE;
    if (e->size > 0 && comparable && !sizes_agree(e->size, item->size))
        return MR_STRICT_ANNOUNCED_SIZE;
    if (*announced > 0 && !sizes_agree(*announced, item->size))
        return MR_STRICT_ANNOUNCED_SIZE;
    *announced = item->size;
    e->type_announced = item->type;
    return MR_STRICT_NONE;
}

static enum mr_strict_rule rule_of_verdict(enum mr_tx_verdict v)
{
    switch (v) {
    case MR_TX_VERDICT_OK:
        return MR_STRICT_NONE;
    case MR_TX_VERDICT_BLOBS_MISSING:
        return MR_STRICT_BLOB_BARE;
    case MR_TX_VERDICT_SIDECAR_VERSION:
        return MR_STRICT_BLOB_FORM;
    case MR_TX_VERDICT_SIDECAR_COUNT:
    case MR_TX_VERDICT_SIDECAR_HASH:
        return MR_STRICT_BLOB_COMMITMENT;
    default:
        return MR_STRICT_TRANSACTION_INVALID;
    }
}

static bool proofs_hold(struct mr_strict *s, const struct mr_sidecar *c)
{
    struct mr_kzg_items blobs = {c->blobs.first, c->blobs.stride};
    struct mr_kzg_items commitments = {c->commitments.first, c->commitments.stride};
    struct mr_kzg_items proofs = {c->proofs.first, c->proofs.stride};

    if (!s->o.kzg)
        return true;
    return (c->wrapper == MR_WRAPPER_V1
                ? mr_kzg_verify_cells(s->o.kzg, c->blobs.n, blobs, commitments, proofs)
                : mr_kzg_verify_blobs(s->o.kzg, c->blobs.n, blobs, commitments, proofs)) ==
           MR_KZG_VALID;
}

/* What lies in the sidecar: judged at each delivery, since the hash does not cover it. */
static enum mr_strict_rule judge_sidecar(struct mr_strict *s, const struct mr_tx *tx,
                                         unsigned version)
{
    for (size_t i = 0; i < s->rules.n; i++) {
        enum mr_tx_verdict v;

        if (version >= MR_ETH_72 && tx->sidecar.wrapper != MR_WRAPPER_NONE &&
            !mr_sidecar_elided(&tx->sidecar))
            return MR_STRICT_BLOB_FORM;
        v = version >= MR_ETH_72 ? mr_tx_check_sidecar_elided(tx, &s->rules.rules[i])
                                 : mr_tx_check_sidecar(tx, &s->rules.rules[i]);
        if (v != MR_TX_VERDICT_OK)
            return rule_of_verdict(v);
    }
    if (version < MR_ETH_72 && !proofs_hold(s, &tx->sidecar))
        return MR_STRICT_BLOB_PROOF;
    return MR_STRICT_NONE;
}

/* What the hash covers. */
static bool signed_part_holds(struct mr_strict *s, const struct mr_tx *tx)
{
    struct mr_address sender;

    for (size_t i = 0; i < s->rules.n; i++)
        if (mr_tx_check(tx, &s->rules.rules[i]) != MR_TX_VERDICT_OK)
            return false;
    return !s->o.secp || mr_tx_sender(tx, &sender, s->o.secp);
}

static enum mr_strict_rule judge_delivered(struct mr_strict *s, struct entry *e,
                                           const struct mr_strict_item *item, unsigned version)
{
    struct mr_tx tx;
    uint32_t announced = e ? e->announced[version >= MR_ETH_72] : 0;
    enum mr_strict_rule r;

    if (!e || !e->good || item->type == MR_TX_BLOB) {
        if (mr_tx_decode_raw(&tx, item->raw.p, item->raw.n) != MR_OK)
            return MR_STRICT_MALFORMED;
        if (!signed_part_holds(s, &tx))
            return MR_STRICT_TRANSACTION_INVALID;
        if (e)
            e->good = true;
        if (item->type == MR_TX_BLOB && (r = judge_sidecar(s, &tx, version)) != MR_STRICT_NONE)
            return r;
    }
    if (!e)
        return MR_STRICT_NONE;
    if ((e->announced[0] > 0 || e->announced[1] > 0) && e->type_announced != item->type)
        return MR_STRICT_ANNOUNCED_TYPE;
    if (announced > 0 && !sizes_agree(announced, item->size))
        return MR_STRICT_ANNOUNCED_SIZE;
    if (version < MR_ETH_72 || item->type != MR_TX_BLOB)
        e->size = item->size;
    e->type = item->type;
    return MR_STRICT_NONE;
}

enum mr_strict_rule mr_strict_judge(struct mr_strict *s, struct mr_strict_message *m)
{
    enum mr_strict_rule fault = (enum mr_strict_rule)m->fault;
    bool announcement = m->id == MR_ETH_NEW_POOLED_TRANSACTION_HASHES;

    s->stamp++;
    for (uint32_t i = 0; i < m->items_count && fault == MR_STRICT_NONE; i++) {
        struct mr_strict_item *item = &m->items[i];
        struct entry *e = remember(s, item);

        if (announcement) { /* one hash twice in it is pointless, but nobody minds */
            if (e)
                fault = judge_announced(e, item, m->peer->version);
            continue;
        }
        if (e && e->stamp == s->stamp)
            fault = MR_STRICT_TRANSACTION_TWICE;
        else if (m->id == MR_ETH_TRANSACTIONS && item->type == MR_TX_BLOB)
            fault = MR_STRICT_BLOB_BROADCAST;
        else
            fault = judge_delivered(s, e, item, m->peer->version);
        if (e)
            e->stamp = s->stamp;
    }
    m->fault = (uint8_t)fault;
    mr_strict_fault(s, m->peer, fault);
    return fault;
}

enum mr_strict_rule mr_strict_check(struct mr_strict *s, struct mr_strict_peer *p, uint64_t id,
                                    struct mr_span payload, uint64_t now_ms)
{
    struct mr_strict_message m;

    mr_strict_open(&m, s, p, id, payload, s->items, now_ms);
    if (m.fault == MR_STRICT_NONE)
        mr_strict_hash(s, s->items, m.items_count);
    return mr_strict_judge(s, &m);
}

const uint64_t *mr_strict_faults(const struct mr_strict *s)
{
    return s->faults;
}

uint64_t mr_strict_faults_sum(const struct mr_strict *s)
{
    uint64_t sum = 0;

    for (size_t i = 1; i < MR_STRICT_RULES; i++)
        sum += s->faults[i];
    return sum;
}

uint64_t mr_strict_unremembered(const struct mr_strict *s)
{
    return s->unremembered;
}
