#include "nano/blake2b.h"

#include "base/bytes.h"
#include "nano/blake2b_constants.h"

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
        v[i + 8] = blake2b_initial[i];
    }
    v[12] ^= hash->length;
    if (last)
        v[14] = ~v[14];
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = blake2b_schedule[round % 10];
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
    memcpy(hash->state, blake2b_initial, sizeof hash->state);
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
