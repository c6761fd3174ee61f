#include "nano/blake2b.h"

#include "base/bytes.h"

static const uint64_t initial[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Which message words each round takes, in order (RFC 7693 2.7); rounds 10 and 11 repeat 0 and 1.
 */
static const uint8_t schedule[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

static uint64_t rotate_right(uint64_t value, int bits)
{
    return value >> bits | value << (64 - bits);
}

static void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
    *a += *b + x;
    *d = rotate_right(*d ^ *a, 32);
    *c += *d;
    *b = rotate_right(*b ^ *c, 24);
    *a += *b + y;
    *d = rotate_right(*d ^ *a, 16);
    *c += *d;
    *b = rotate_right(*b ^ *c, 63);
}

static void compress(struct blake2b *hash, bool last)
{
    uint64_t m[16];
    uint64_t v[16];
    for (int i = 0; i < 16; i++)
        m[i] = load_le64(hash->block + 8 * i);
    for (int i = 0; i < 8; i++) {
        v[i] = hash->state[i];
        v[i + 8] = initial[i];
    }
    v[12] ^= hash->length;
    if (last)
        v[14] = ~v[14];
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = schedule[round];
        for (int i = 0; i < 4; i++)
            mix(&v[i], &v[i + 4], &v[i + 8], &v[i + 12], m[s[2 * i]], m[s[2 * i + 1]]);
        for (int i = 0; i < 4; i++)
            mix(&v[i], &v[(i + 1) % 4 + 4], &v[(i + 2) % 4 + 8], &v[(i + 3) % 4 + 12],
                m[s[2 * i + 8]], m[s[2 * i + 9]]);
    }
    for (int i = 0; i < 8; i++)
        hash->state[i] ^= v[i] ^ v[i + 8];
}

void blake2b_init(struct blake2b *hash, size_t digest_size)
{
    memset(hash, 0, sizeof *hash);
    memcpy(hash->state, initial, sizeof hash->state);
    hash->state[0] ^= 0x01010000 ^ digest_size; /* sequential, no key (RFC 7693 2.5) */
    hash->digest_size = digest_size;
}

void blake2b_update(struct blake2b *hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    while (size > 0) {
        /* A full block waits for more: the last one is compressed differently. */
        if (hash->used == sizeof hash->block) {
            hash->length += sizeof hash->block;
            compress(hash, false);
            hash->used = 0;
        }
        const size_t room = sizeof hash->block - hash->used;
        const size_t taken = size < room ? size : room;
        memcpy(hash->block + hash->used, bytes, taken);
        hash->used += taken;
        bytes += taken;
        size -= taken;
    }
}

void blake2b_final(struct blake2b *hash, uint8_t *digest)
{
    uint8_t full[64];
    hash->length += hash->used;
    memset(hash->block + hash->used, 0, sizeof hash->block - hash->used);
    compress(hash, true);
    for (int i = 0; i < 8; i++)
        store_le64(full + 8 * i, hash->state[i]);
    memcpy(digest, full, hash->digest_size);
}

void blake2b(const void *data, size_t size, uint8_t *digest, size_t digest_size)
{
    struct blake2b hash;
    blake2b_init(&hash, digest_size);
    blake2b_update(&hash, data, size);
    blake2b_final(&hash, digest);
}
