#include "net/rlpx/handshake.h"

#include "crypto/ct.h"
#include "crypto/ecies.h"
#include "crypto/keccak.h"

#define HANDSHAKE_VERSION 4
#define NONCE_SIZE        32

/* The shortest lists: [sig 65, key 64, nonce 32, version] and [key 64, nonce 32, version], and what
 * the envelope adds. */
#define AUTH_LIST_MIN 169
#define ACK_LIST_MIN  102

_Static_assert(MR_RLPX_HANDSHAKE_SIZE_LEN + MR_ECIES_OVERHEAD + AUTH_LIST_MIN +
                       MR_RLPX_HANDSHAKE_PAD_MAX <=
                   MR_RLPX_HANDSHAKE_OUT_MAX,
               "our longest packet fits");

static const char *const fault_texts[] = {
#define MR_RLPX_HANDSHAKE_FAULT_TEXT(name, err, text) text,
    MR_RLPX_HANDSHAKE_FAULT_MAP(MR_RLPX_HANDSHAKE_FAULT_TEXT)};
static const enum mr_err fault_errs[] = {
#define MR_RLPX_HANDSHAKE_FAULT_ERR(name, err, text) err,
    MR_RLPX_HANDSHAKE_FAULT_MAP(MR_RLPX_HANDSHAKE_FAULT_ERR)};

const char *mr_rlpx_handshake_fault_text(enum mr_rlpx_handshake_fault f)
{
    return (unsigned)f < MR_COUNT_OF(fault_texts) ? fault_texts[f] : "?";
}

void mr_rlpx_ephemerals_make(const struct mr_secp *secp, struct mr_rlpx_ephemerals *out,
                             mr_entropy_fn entropy, void *entropy_ctx)
{
    mr_secp_keypair_make(secp, &out->session, entropy, entropy_ctx);
    mr_secp_keypair_make(secp, &out->ecies, entropy, entropy_ctx);
}

static bool is_null(const struct mr_node_id *id)
{
    static const struct mr_node_id null;

    return mr_node_id_equal(id, &null);
}

MR_COLD static enum mr_err fail(struct mr_rlpx_handshake *hs, enum mr_rlpx_handshake_fault fault)
{
    mr_wipe(hs, sizeof *hs);
    hs->phase = MR_RLPX_HANDSHAKE_FAILED;
    hs->fault = fault;
    return fault_errs[fault];
}

static void init(struct mr_rlpx_handshake *hs, const struct mr_secp *secp,
                 const struct mr_secp_keypair *self, const struct mr_rlpx_ephemerals *ephemerals,
                 mr_entropy_fn entropy, void *entropy_ctx)
{
    memset(hs, 0, sizeof *hs);
    hs->secp = secp;
    hs->self = self;
    hs->entropy = entropy;
    hs->entropy_ctx = entropy_ctx;
    hs->in_need = MR_RLPX_HANDSHAKE_SIZE_LEN;
    if (ephemerals) {
        hs->ours = *ephemerals;
        hs->has_ephemerals = true;
    }
}

enum mr_err mr_rlpx_handshake_init_initiator(struct mr_rlpx_handshake *hs,
                                             const struct mr_secp *secp,
                                             const struct mr_secp_keypair *self,
                                             const struct mr_node_id *remote,
                                             const struct mr_rlpx_ephemerals *ephemerals,
                                             mr_entropy_fn entropy, void *entropy_ctx)
{
    init(hs, secp, self, ephemerals, entropy, entropy_ctx);
    if (is_null(remote))
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_NULL_ID);
    if (mr_node_id_equal(remote, &self->pub))
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_OWN_ID);
    if (!mr_secp_point_valid(secp, remote))
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_KEY);
    hs->remote = *remote;
    hs->is_initiator = true;
    hs->phase = MR_RLPX_HANDSHAKE_START;
    return MR_OK;
}

void mr_rlpx_handshake_init_recipient(struct mr_rlpx_handshake *hs, const struct mr_secp *secp,
                                      const struct mr_secp_keypair *self,
                                      const struct mr_rlpx_ephemerals *ephemerals,
                                      mr_entropy_fn entropy, void *entropy_ctx)
{
    init(hs, secp, self, ephemerals, entropy, entropy_ctx);
    hs->phase = MR_RLPX_HANDSHAKE_AWAIT_SIZE;
}

void mr_rlpx_handshake_fini(struct mr_rlpx_handshake *hs)
{
    fail(hs, MR_RLPX_HANDSHAKE_FAULT_NONE);
}

size_t mr_rlpx_handshake_need(const struct mr_rlpx_handshake *hs)
{
    if (hs->phase != MR_RLPX_HANDSHAKE_AWAIT_SIZE && hs->phase != MR_RLPX_HANDSHAKE_AWAIT_PACKET)
        return 0;
    return (size_t)(hs->in_need - hs->in_n);
}

static bool lacks_room(const struct mr_writer *out)
{
    return !out || out->cap - out->n < MR_RLPX_HANDSHAKE_OUT_MAX;
}

/* ---- what we send ---- */

static void prepare(struct mr_rlpx_handshake *hs)
{
    if (!hs->has_ephemerals)
        mr_rlpx_ephemerals_make(hs->secp, &hs->ours, hs->entropy, hs->entropy_ctx);
    hs->has_ephemerals = true;
    hs->entropy(hs->entropy_ctx, hs->nonce, sizeof hs->nonce);
}

/* Pads and seals list for the remote node into hs->sent, its size in front. The size is the
 * envelope's mac_data (EIP-8). */
static bool seal_packet(struct mr_rlpx_handshake *hs, struct mr_writer *list)
{
    uint8_t draw[1 + MR_ECIES_IV_SIZE];
    size_t pad, size;

    hs->entropy(hs->entropy_ctx, draw, sizeof draw);
    pad = MR_RLPX_HANDSHAKE_PAD_MIN +
          draw[0] % (MR_RLPX_HANDSHAKE_PAD_MAX - MR_RLPX_HANDSHAKE_PAD_MIN + 1);
    MR_ASSERT(list->cap - list->n >= pad);
    memset(list->p + list->n, 0, pad);
    list->n += pad;
    size = list->n + MR_ECIES_OVERHEAD;
    mr_store_be16(hs->sent, (uint16_t)size);
    if (!mr_ecies_encrypt(hs->secp, hs->sent + MR_RLPX_HANDSHAKE_SIZE_LEN, &hs->remote,
                          &hs->ours.ecies, draw + 1, mr_writer_span(list),
                          mr_span(hs->sent, MR_RLPX_HANDSHAKE_SIZE_LEN)))
        return false;
    hs->sent_n = (uint16_t)(MR_RLPX_HANDSHAKE_SIZE_LEN + size);
    return true;
}

/* The last step: out has the room, or the handshake would not have been begun. */
static void send_packet(const struct mr_rlpx_handshake *hs, struct mr_writer *out)
{
    enum mr_err e = mr_rlp_put_raw(out, hs->sent, hs->sent_n);

    MR_ASSERT(e == MR_OK);
}

/* What the initiator signs: the static shared secret xor its nonce. Only the two nodes know it, so
 * that a recovered ephemeral key is tied to the initiator's static one. */
static bool signed_value(const struct mr_rlpx_handshake *hs, struct mr_hash *out,
                         const uint8_t initiator_nonce[NONCE_SIZE])
{
    if (!mr_secp_ecdh_x(hs->secp, out->b, &hs->remote, hs->self->key))
        return false;
    for (size_t i = 0; i < NONCE_SIZE; i++)
        out->b[i] ^= initiator_nonce[i];
    return true;
}

/* [sig, initiator-pubk, initiator-nonce, auth-vsn] */
static bool write_auth(struct mr_rlpx_handshake *hs, struct mr_writer *list)
{
    struct mr_hash value;
    uint8_t sig[MR_SECP_SIG_SIZE];
    size_t mark = mr_rlp_open(list);
    bool ok = signed_value(hs, &value, hs->nonce) &&
              mr_secp_sign(hs->secp, sig, &value, hs->ours.session.key);

    ok = ok && mr_rlp_put_bytes(list, sig, sizeof sig) == MR_OK;
    ok = ok && mr_rlp_put_bytes(list, hs->self->pub.b, sizeof hs->self->pub.b) == MR_OK;
    ok = ok && mr_rlp_put_bytes(list, hs->nonce, sizeof hs->nonce) == MR_OK;
    ok = ok && mr_rlp_put_u64(list, HANDSHAKE_VERSION) == MR_OK;
    mr_wipe(&value, sizeof value);
    return ok && mr_rlp_close(list, mark) == MR_OK;
}

/* [recipient-ephemeral-pubk, recipient-nonce, ack-vsn] */
static bool write_ack(struct mr_rlpx_handshake *hs, struct mr_writer *list)
{
    size_t mark = mr_rlp_open(list);
    bool ok =
        mr_rlp_put_bytes(list, hs->ours.session.pub.b, sizeof hs->ours.session.pub.b) == MR_OK;

    ok = ok && mr_rlp_put_bytes(list, hs->nonce, sizeof hs->nonce) == MR_OK;
    ok = ok && mr_rlp_put_u64(list, HANDSHAKE_VERSION) == MR_OK;
    return ok && mr_rlp_close(list, mark) == MR_OK;
}

enum mr_err mr_rlpx_handshake_start(struct mr_rlpx_handshake *hs, struct mr_writer *out)
{
    uint8_t plain[AUTH_LIST_MIN + MR_RLPX_HANDSHAKE_PAD_MAX];
    struct mr_writer list = mr_writer(plain, sizeof plain);
    bool ok;

    MR_ASSERT(hs->phase == MR_RLPX_HANDSHAKE_START);
    if (lacks_room(out))
        return MR_FULL;
    prepare(hs);
    ok = write_auth(hs, &list) && seal_packet(hs, &list);
    mr_wipe(plain, sizeof plain);
    if (!ok)
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_LIBRARY);
    send_packet(hs, out);
    hs->phase = MR_RLPX_HANDSHAKE_AWAIT_SIZE;
    return MR_OK;
}

/* ---- session keys ---- */

static void hash_two(uint8_t out[32], const uint8_t a[32], const uint8_t b[32])
{
    struct mr_keccak k;

    mr_keccak_init(&k);
    mr_keccak_update(&k, a, 32);
    mr_keccak_update(&k, b, 32);
    mr_keccak_digest(&k, out);
    mr_wipe(&k, sizeof k);
}

/* keccak256.init((mac-secret ^ nonce) || packet) */
static void init_mac(struct mr_keccak *k, const uint8_t mac[32], const uint8_t nonce[NONCE_SIZE],
                     const uint8_t *packet, size_t n)
{
    uint8_t start[32];

    for (size_t i = 0; i < sizeof start; i++)
        start[i] = mac[i] ^ nonce[i];
    mr_keccak_init(k);
    mr_keccak_update(k, start, sizeof start);
    mr_keccak_update(k, packet, n);
    mr_wipe(start, sizeof start);
}

/* rlpx.md: "Secrets generated following the exchange of handshake messages". False when the
 * remote's ephemeral key is no point. */
static bool derive(struct mr_rlpx_handshake *hs)
{
    const uint8_t *initiator_nonce = hs->is_initiator ? hs->nonce : hs->remote_nonce;
    const uint8_t *recipient_nonce = hs->is_initiator ? hs->remote_nonce : hs->nonce;
    uint8_t agreed[32], value[32];

    if (!mr_secp_ecdh_x(hs->secp, agreed, &hs->remote_ephemeral, hs->ours.session.key))
        return false;
    hash_two(value, recipient_nonce, initiator_nonce);
    hash_two(value, agreed, value); /* shared-secret */
    hash_two(hs->secrets.aes, agreed, value);
    hash_two(hs->secrets.mac, agreed, hs->secrets.aes);
    init_mac(&hs->secrets.egress, hs->secrets.mac, hs->remote_nonce, hs->sent, hs->sent_n);
    init_mac(&hs->secrets.ingress, hs->secrets.mac, hs->nonce, hs->in, hs->in_n);
    mr_wipe(agreed, sizeof agreed);
    mr_wipe(value, sizeof value);
    mr_wipe(&hs->ours, sizeof hs->ours);
    hs->phase = MR_RLPX_HANDSHAKE_DONE;
    return true;
}

/* ---- what we receive ---- */

/* Version and further elements are not looked at, nor is what follows the list (EIP-8). */
static enum mr_err read_version(struct mr_reader *body)
{
    struct mr_span version;

    return mr_rlp_bytes(body, &version);
}

static bool read_auth(struct mr_rlpx_handshake *hs, struct mr_span plain)
{
    struct mr_reader r = mr_reader_of(plain), body;

    return mr_rlp_list(&r, &body) == MR_OK &&
           mr_rlp_fixed(&body, hs->signature, sizeof hs->signature) == MR_OK &&
           mr_rlp_fixed(&body, hs->remote.b, sizeof hs->remote.b) == MR_OK &&
           mr_rlp_fixed(&body, hs->remote_nonce, sizeof hs->remote_nonce) == MR_OK &&
           read_version(&body) == MR_OK;
}

static bool read_ack(struct mr_rlpx_handshake *hs, struct mr_span plain)
{
    struct mr_reader r = mr_reader_of(plain), body;

    return mr_rlp_list(&r, &body) == MR_OK &&
           mr_rlp_fixed(&body, hs->remote_ephemeral.b, sizeof hs->remote_ephemeral.b) == MR_OK &&
           mr_rlp_fixed(&body, hs->remote_nonce, sizeof hs->remote_nonce) == MR_OK &&
           read_version(&body) == MR_OK;
}

/* Opens the packet in hs->in and reads its list. */
static enum mr_err open_packet(struct mr_rlpx_handshake *hs)
{
    struct mr_span size = mr_span(hs->in, MR_RLPX_HANDSHAKE_SIZE_LEN);
    struct mr_span sealed = mr_span(hs->in + size.n, hs->in_n - size.n);
    uint8_t plain[MR_RLPX_HANDSHAKE_BODY_MAX - MR_ECIES_OVERHEAD];
    struct mr_span list = mr_span(plain, sealed.n - MR_ECIES_OVERHEAD);
    bool ok;

    if (!mr_ecies_decrypt(hs->secp, plain, hs->self->key, sealed, size))
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_ECIES);
    ok = hs->is_initiator ? read_ack(hs, list) : read_auth(hs, list);
    mr_wipe(plain, list.n);
    return ok ? MR_OK : fail(hs, MR_RLPX_HANDSHAKE_FAULT_BODY);
}

static enum mr_err on_size(struct mr_rlpx_handshake *hs)
{
    size_t size = mr_load_be16(hs->in);

#ifndef MR_SABOTAGE_H_05
    if (size > MR_RLPX_HANDSHAKE_BODY_MAX)
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_SIZE_BIG);
#endif
#ifndef MR_SABOTAGE_H_01
    if (size < MR_ECIES_OVERHEAD + (size_t)(hs->is_initiator ? ACK_LIST_MIN : AUTH_LIST_MIN))
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_SIZE_SMALL);
#endif
    hs->in_need = (uint16_t)(MR_RLPX_HANDSHAKE_SIZE_LEN + size);
    hs->phase = MR_RLPX_HANDSHAKE_AWAIT_PACKET;
    return MR_OK;
}

static enum mr_err on_auth(struct mr_rlpx_handshake *hs)
{
    enum mr_err e = open_packet(hs);

    if (e)
        return e;
    if (is_null(&hs->remote))
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_NULL_ID);
    if (!mr_secp_point_valid(hs->secp, &hs->remote))
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_KEY);
    hs->remote_is_self = mr_node_id_equal(&hs->remote, &hs->self->pub);
    hs->phase = MR_RLPX_HANDSHAKE_PEEKED;
    return MR_OK;
}

static enum mr_err on_ack(struct mr_rlpx_handshake *hs)
{
    enum mr_err e = open_packet(hs);

    if (e)
        return e;
    if (!derive(hs))
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_KEY);
    return MR_OK;
}

/* Takes bytes; *whole tells whether the phase now has all it wants. */
static enum mr_err take(struct mr_rlpx_handshake *hs, bool *whole, const uint8_t *p, size_t n)
{
    const size_t first = MR_RLPX_HANDSHAKE_SIZE_LEN;

    MR_ASSERT(n > 0);
    MR_ASSERT(n <= mr_rlpx_handshake_need(hs));
    if (p != hs->in + hs->in_n) /* else received in place */
        memcpy(hs->in + hs->in_n, p, n);
    hs->in_n = (uint16_t)(hs->in_n + n);
    *whole = hs->in_n == hs->in_need;
    /* Every envelope begins with 0x04. A plain auth or ack of old times, which has none, would
     * otherwise have us wait for bytes that never come. */
    if (hs->in_n > first && hs->in[first] != 0x04)
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_PLAIN);
    return MR_OK;
}

enum mr_err mr_rlpx_handshake_peek_initiator(struct mr_rlpx_handshake *hs, const uint8_t *p,
                                             size_t n)
{
    enum mr_rlpx_handshake_phase phase = hs->phase;
    bool whole;
    enum mr_err e = take(hs, &whole, p, n);

    if (e || !whole)
        return e;
    if (phase == MR_RLPX_HANDSHAKE_AWAIT_SIZE)
        return on_size(hs);
    MR_ASSERT(!hs->is_initiator);
    return on_auth(hs);
}

enum mr_err mr_rlpx_handshake_answer(struct mr_rlpx_handshake *hs, struct mr_writer *out)
{
    uint8_t plain[ACK_LIST_MIN + MR_RLPX_HANDSHAKE_PAD_MAX];
    struct mr_writer list = mr_writer(plain, sizeof plain);
    struct mr_hash value;
    bool ok;

    MR_ASSERT(hs->phase == MR_RLPX_HANDSHAKE_PEEKED);
    if (lacks_room(out))
        return MR_FULL;
    ok = signed_value(hs, &value, hs->remote_nonce);
    if (ok)
        ok = mr_secp_recover(hs->secp, &hs->remote_ephemeral, &value, hs->signature);
    mr_wipe(&value, sizeof value);
    if (!ok)
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_SIGNATURE);
    prepare(hs);
    ok = write_ack(hs, &list) && seal_packet(hs, &list) && derive(hs);
    mr_wipe(plain, sizeof plain);
    if (!ok)
        return fail(hs, MR_RLPX_HANDSHAKE_FAULT_LIBRARY);
    send_packet(hs, out);
    return MR_OK;
}

enum mr_err mr_rlpx_handshake_feed(struct mr_rlpx_handshake *hs, const uint8_t *p, size_t n,
                                   struct mr_writer *out)
{
    enum mr_rlpx_handshake_phase phase = hs->phase;
    bool whole;
    enum mr_err e;

    if (!hs->is_initiator) {
        if (lacks_room(out))
            return MR_FULL;
        e = mr_rlpx_handshake_peek_initiator(hs, p, n);
        return e || hs->phase != MR_RLPX_HANDSHAKE_PEEKED ? e : mr_rlpx_handshake_answer(hs, out);
    }
    e = take(hs, &whole, p, n);
    if (e || !whole)
        return e;
    return phase == MR_RLPX_HANDSHAKE_AWAIT_SIZE ? on_size(hs) : on_ack(hs);
}
