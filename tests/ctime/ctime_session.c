/* Handshakes and frames under memcheck with every secret marked undefined: static and ephemeral
 * private keys, and with them all that is derived: ECDH outputs, KDF keys, session keys, MAC
 * states. A report means that a branch or an address depends on a secret.
 *
 * What becomes public, and where (each wrapper below is one such point, and there are no others but
 * the wire and the frames' keystreams):
 *   - whether a private key is in range: it always is
 *   - the outcome of a comparison of tags
 *   - the content of an envelope, once its tag was found right
 *   - the value whose signature is recovered: the library's recovery is not constant-time in it. It
 *     is the static shared secret xor a nonce, and is used for nothing else
 *   - what goes through a frame's cipher: ciphertext is on the wire, plaintext was verified
 * With the argument "leak" one branch on a key is added, which memcheck must report. */
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_recovery.h>
#include <stdio.h>
#include <valgrind/memcheck.h>

#include "tests/net/rlpx/packets.h"

#define ROUNDS 100
#define LANES  8

#define SECRET(x)    VALGRIND_MAKE_MEM_UNDEFINED(&(x), sizeof(x))
#define PUBLIC(p, n) VALGRIND_MAKE_MEM_DEFINED(p, n)
/* No secret may get lost on its way by being declared public by mistake. */
#define STILL_SECRET(x) MR_ASSERT(is_secret(&(x), sizeof(x)))

/* Whether every byte at p is marked. */
static bool is_secret(const void *p, size_t n)
{
    uint8_t marks[MR_KECCAK_WORDS * 8];

    MR_ASSERT(n <= sizeof marks);
    MR_ASSERT(VALGRIND_GET_VBITS(p, marks, n) == 1);
    for (size_t i = 0; i < n; i++)
        if (marks[i] == 0)
            return false;
    return true;
}

bool __real_mr_ct_equal(const void *a, const void *b, size_t n);
bool __wrap_mr_ct_equal(const void *a, const void *b, size_t n);
bool __wrap_mr_ct_equal(const void *a, const void *b, size_t n)
{
    bool equal = __real_mr_ct_equal(a, b, n);

    PUBLIC(&equal, sizeof equal);
    return equal;
}

bool __real_mr_ecies_decrypt(const struct mr_secp *s, uint8_t *out, const uint8_t key[32],
                             struct mr_span sealed, struct mr_span mac_data);
bool __wrap_mr_ecies_decrypt(const struct mr_secp *s, uint8_t *out, const uint8_t key[32],
                             struct mr_span sealed, struct mr_span mac_data);
bool __wrap_mr_ecies_decrypt(const struct mr_secp *s, uint8_t *out, const uint8_t key[32],
                             struct mr_span sealed, struct mr_span mac_data)
{
    bool ok = __real_mr_ecies_decrypt(s, out, key, sealed, mac_data);

    if (ok)
        PUBLIC(out, sealed.n - MR_ECIES_OVERHEAD);
    return ok;
}

void __real_mr_aes_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                           const uint8_t *in, size_t n);
void __wrap_mr_aes_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                           const uint8_t *in, size_t n);
void __wrap_mr_aes_ctr_xor(const struct mr_aes256 *k, struct mr_aes_ctr *ctr, uint8_t *out,
                           const uint8_t *in, size_t n)
{
    __real_mr_aes_ctr_xor(k, ctr, out, in, n);
    PUBLIC(out, n);
}

int __real_secp256k1_ecdh(const secp256k1_context *c, unsigned char *out,
                          const secp256k1_pubkey *pub, const unsigned char *key,
                          secp256k1_ecdh_hash_function hash, void *data);
int __wrap_secp256k1_ecdh(const secp256k1_context *c, unsigned char *out,
                          const secp256k1_pubkey *pub, const unsigned char *key,
                          secp256k1_ecdh_hash_function hash, void *data);
int __wrap_secp256k1_ecdh(const secp256k1_context *c, unsigned char *out,
                          const secp256k1_pubkey *pub, const unsigned char *key,
                          secp256k1_ecdh_hash_function hash, void *data)
{
    int ok = __real_secp256k1_ecdh(c, out, pub, key, hash, data);

    PUBLIC(&ok, sizeof ok);
    return ok;
}

int __real_secp256k1_ecdsa_recover(const secp256k1_context *c, secp256k1_pubkey *out,
                                   const secp256k1_ecdsa_recoverable_signature *sig,
                                   const unsigned char *hash);
int __wrap_secp256k1_ecdsa_recover(const secp256k1_context *c, secp256k1_pubkey *out,
                                   const secp256k1_ecdsa_recoverable_signature *sig,
                                   const unsigned char *hash);
int __wrap_secp256k1_ecdsa_recover(const secp256k1_context *c, secp256k1_pubkey *out,
                                   const secp256k1_ecdsa_recoverable_signature *sig,
                                   const unsigned char *hash)
{
    unsigned char copy[32];

    memcpy(copy, hash, sizeof copy);
    PUBLIC(copy, sizeof copy);
    return __real_secp256k1_ecdsa_recover(c, out, sig, copy);
}

int __real_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *c,
                                            secp256k1_ecdsa_recoverable_signature *out,
                                            const unsigned char *hash, const unsigned char *key,
                                            secp256k1_nonce_function nonce, const void *data);
int __wrap_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *c,
                                            secp256k1_ecdsa_recoverable_signature *out,
                                            const unsigned char *hash, const unsigned char *key,
                                            secp256k1_nonce_function nonce, const void *data);
int __wrap_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *c,
                                            secp256k1_ecdsa_recoverable_signature *out,
                                            const unsigned char *hash, const unsigned char *key,
                                            secp256k1_nonce_function nonce, const void *data)
{
    int ok = __real_secp256k1_ecdsa_sign_recoverable(c, out, hash, key, nonce, data);

    PUBLIC(&ok, sizeof ok);
    return ok;
}

static struct packet_rig rig;

static void hide(struct mr_rlpx_ephemerals *e)
{
    mr_rlpx_ephemerals_make(rig.secp, e, packet_entropy, &rig.random);
    SECRET(e->session.key);
    SECRET(e->ecies.key);
}

static void handshake(struct mr_rlpx_session *sa, struct mr_rlpx_session *sb)
{
    struct mr_rlpx_ephemerals ea, eb;
    struct mr_rlpx_handshake a, b;
    uint8_t auth[PACKET_MAX], ack[PACKET_MAX];
    struct mr_writer w = mr_writer(auth, sizeof auth), out = mr_writer(ack, sizeof ack);

    hide(&ea);
    hide(&eb);
    MR_ASSERT(mr_rlpx_handshake_init_initiator(&a, rig.secp, &rig.a, &rig.b.pub, &ea,
                                               packet_entropy, &rig.random) == MR_OK);
    MR_ASSERT(mr_rlpx_handshake_start(&a, &w) == MR_OK);
    PUBLIC(auth, w.n); /* the wire */
    mr_rlpx_handshake_init_recipient(&b, rig.secp, &rig.b, &eb, packet_entropy, &rig.random);
    MR_ASSERT(packet_feed(&b, auth, w.n, PACKET_MAX, &out) == MR_OK);
    PUBLIC(ack, out.n); /* the wire */
    MR_ASSERT(packet_feed(&a, ack, out.n, PACKET_MAX, NULL) == MR_OK);
    STILL_SECRET(a.secrets.aes);
    STILL_SECRET(b.secrets.aes);
    STILL_SECRET(a.secrets.mac);
    STILL_SECRET(b.secrets.mac);
    STILL_SECRET(a.secrets.egress.a);
    STILL_SECRET(b.secrets.ingress.a);
    mr_rlpx_session_init(sa, &a.secrets);
    mr_rlpx_session_init(sb, &b.secrets);
    mr_rlpx_handshake_fini(&a);
    mr_rlpx_handshake_fini(&b);
}

/* A frame of every one of n sessions, by the code for one job or for many. */
static void frames(struct mr_rlpx_session *from, struct mr_rlpx_session *to, size_t n, bool many,
                   uint32_t size)
{
    static uint8_t text[1000], wire[LANES][MR_FRAME_WIRE_LEN(sizeof text)];
    struct mr_span span = mr_span(text, size);
    struct mr_frame frame = {.spans = &span, .spans_count = 1, .size = size};
    struct mr_seal_job seal[LANES];
    struct mr_unseal_job unseal[LANES];

    for (size_t i = 0; i < n; i++)
        seal[i] = (struct mr_seal_job){.session = &from[i],
                                       .frames = &frame,
                                       .frames_count = 1,
                                       .out = wire[i],
                                       .out_cap = sizeof wire[i]};
    if (many)
        mr_rlpx_seal(seal, n, NULL);
    for (size_t i = 0; i < n; i++) {
        if (!many)
            mr_rlpx_seal_one(&seal[i], NULL);
        MR_ASSERT(seal[i].frames_done == 1);
        PUBLIC(wire[i], seal[i].out_len); /* the wire */
        STILL_SECRET(from[i].egress.mac.a);
        unseal[i] = (struct mr_unseal_job){
            .session = &to[i], .in = wire[i], .in_len = seal[i].out_len, .size_max = sizeof text};
    }
    if (many)
        mr_rlpx_unseal(unseal, n, NULL);
    for (size_t i = 0; i < n; i++) {
        if (!many)
            mr_rlpx_unseal_one(&unseal[i], NULL);
        MR_ASSERT(unseal[i].result == MR_UNSEAL_FRAME);
        STILL_SECRET(to[i].ingress.mac.a);
    }
}

/* A byte that is out of place must be found without the MAC's secrets showing. */
static void damaged_frame(struct mr_rlpx_session *from, struct mr_rlpx_session *to)
{
    struct mr_span span = mr_span("ping", 4);
    struct mr_frame frame = {.spans = &span, .spans_count = 1, .size = 4};
    uint8_t wire[MR_FRAME_WIRE_LEN(4)];
    struct mr_seal_job seal = {
        .session = from, .frames = &frame, .frames_count = 1, .out = wire, .out_cap = sizeof wire};
    struct mr_unseal_job unseal = {.session = to, .in = wire, .in_len = sizeof wire, .size_max = 4};

    mr_rlpx_seal_one(&seal, NULL);
    PUBLIC(wire, sizeof wire);
    wire[MR_FRAME_HEADER_LEN] ^= 1;
    mr_rlpx_unseal_one(&unseal, NULL);
    MR_ASSERT(unseal.result == MR_UNSEAL_AUTH);
}

int main(int argc, char **argv)
{
    static struct mr_rlpx_session a[LANES], b[LANES];

    if (!RUNNING_ON_VALGRIND) {
        fputs("ctime: to be run under valgrind\n", stderr);
        return 1;
    }
    mr_keccak_select();
    packet_rig_init(&rig, 61);
    SECRET(rig.a.key);
    SECRET(rig.b.key);
    if (argc > 1 && strcmp(argv[1], "leak") == 0) {
        if (rig.a.key[0] == 0)
            puts("a key begins with zero");
        return 0;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        handshake(&a[i % LANES], &b[i % LANES]);
        if (i < LANES - 1)
            continue;
        frames(a, b, LANES, i % 2, 1 + i * 9);
        frames(b, a, LANES, !(i % 2), 1 + i * 9);
    }
    damaged_frame(&a[0], &b[0]);
    packet_rig_fini(&rig);
    return 0;
}
