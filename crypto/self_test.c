#include "crypto/self_test.h"

#include "crypto/aes.h"
#include "crypto/ecies.h"
#include "crypto/keccak.h"

/* The generator: the public key of 1 (SEC 2, section 2.4.1). */
static const uint8_t generator[64] = {
    0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
    0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
    0x48, 0x3a, 0xda, 0x77, 0x26, 0xa3, 0xc4, 0x65, 0x5d, 0xa4, 0xfb, 0xfc, 0x0e, 0x11, 0x08, 0xa8,
    0xfd, 0x17, 0xb4, 0x48, 0xa6, 0x85, 0x54, 0x19, 0x9c, 0x47, 0xd0, 0x8f, 0xfb, 0x10, 0xd4, 0xb8};
/* Of nothing. */
static const uint8_t keccak_empty[32] = {
    0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
    0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70};

static bool keccak_works(void)
{
    uint8_t bytes[300];
    struct mr_span in[9];
    struct mr_hash many[9], one;

    mr_keccak256(&one, NULL, 0);
    if (memcmp(one.b, keccak_empty, sizeof keccak_empty) != 0)
        return false;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < MR_COUNT_OF(in); i++)
        in[i] = mr_span(bytes + i, 30 * (i + 1));
    mr_keccak256_many(many, in, MR_COUNT_OF(in));
    for (unsigned i = 0; i < MR_COUNT_OF(in); i++) {
        mr_keccak256(&one, in[i].p, in[i].n);
        if (!mr_hash_equal(&one, &many[i]))
            return false;
    }
    return true;
}

/* Eight blocks side by side, as for MACs. */
static bool aes_blocks_work(const struct mr_aes256 *k)
{
    const struct mr_aes256 *keys[MR_AES_BATCH_MAX];
    uint8_t blocks[MR_AES_BATCH_MAX][MR_AES_BLOCK], portable[MR_AES_BLOCK];

    for (unsigned i = 0; i < MR_AES_BATCH_MAX; i++) {
        keys[i] = k;
        memset(blocks[i], (int)i, MR_AES_BLOCK);
    }
    mr_aes256_block_each(keys, blocks, MR_AES_BATCH_MAX);
    for (unsigned i = 0; i < MR_AES_BATCH_MAX; i++) {
        memset(portable, (int)i, sizeof portable);
        mr_aes256_block_portable(k, portable, portable);
        if (memcmp(blocks[i], portable, sizeof portable) != 0)
            return false;
    }
    return true;
}

static bool aes_works(void)
{
    /* as long as a kernel takes at once, and more */
    const uint8_t key[32] = {1, 2, 3}, in[300] = {4, 5, 6};
    struct mr_aes_ctr a = {.lo = 7}, b = a;
    uint8_t fast[sizeof in], portable[sizeof in];
    struct mr_aes256 k;

    mr_aes256_init(&k, key);
    mr_aes_ctr_xor(&k, &a, fast, in, sizeof in);
    mr_aes_ctr_xor_portable(&k, &b, portable, in, sizeof in);
    return memcmp(fast, portable, sizeof in) == 0 && memcmp(fast, in, sizeof in) != 0 &&
           aes_blocks_work(&k);
}

static bool curve_works(const struct mr_secp *s)
{
    const uint8_t one[32] = {[31] = 1}, two[32] = {[31] = 2};
    const struct mr_hash hash = {{9, 8, 7}};
    struct mr_node_id first, second, signer;
    uint8_t sig[MR_SECP_SIG_SIZE], x[32], y[32];

    return mr_secp_public(s, &first, one) && memcmp(first.b, generator, sizeof generator) == 0 &&
           mr_secp_public(s, &second, two) && mr_secp_ecdh_x(s, x, &second, one) &&
           mr_secp_ecdh_x(s, y, &first, two) && memcmp(x, y, sizeof x) == 0 &&
           memcmp(x, second.b, sizeof x) == 0 && mr_secp_sign(s, sig, &hash, two) &&
           mr_secp_recover(s, &signer, &hash, sig) &&
           memcmp(signer.b, second.b, sizeof signer.b) == 0;
}

static bool ecies_works(const struct mr_secp *s)
{
    static const uint8_t message[] = "sealed for one";
    const uint8_t iv[MR_ECIES_IV_SIZE] = {1};
    struct mr_secp_keypair ephemeral = {.key = {[31] = 3}}, to = {.key = {[31] = 4}};
    uint8_t sealed[sizeof message + MR_ECIES_OVERHEAD], opened[sizeof message];
    struct mr_span none = {NULL, 0};

    if (!mr_secp_public(s, &ephemeral.pub, ephemeral.key) || !mr_secp_public(s, &to.pub, to.key) ||
        !mr_ecies_encrypt(s, sealed, &to.pub, &ephemeral, iv, mr_span(message, sizeof message),
                          none) ||
        !mr_ecies_decrypt(s, opened, to.key, mr_span(sealed, sizeof sealed), none) ||
        memcmp(opened, message, sizeof message) != 0)
        return false;
    sealed[sizeof sealed - 1] ^= 1;
    return !mr_ecies_decrypt(s, opened, to.key, mr_span(sealed, sizeof sealed), none);
}

const char *mr_crypto_self_test(const struct mr_secp *s)
{
    if (!keccak_works())
        return "Keccak-256";
    if (!aes_works())
        return "AES-256";
    if (!curve_works(s))
        return "secp256k1";
    if (!ecies_works(s))
        return "ECIES";
    return NULL;
}
