/**
 * blake2b: BLAKE2b without a key (RFC 7693), for digests of any length from 1 to 64 bytes.
 *
 * The distribution's crypto library refuses digests under 16 bytes, and Nano needs 5 (checksums)
 * and 8 (work). Thread-safe.
 */
#ifndef DPOW_NANO_BLAKE2B_H
#define DPOW_NANO_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

/** A hash being computed. */
struct blake2b {
    uint64_t state[8];
    uint64_t length; /**< Bytes compressed so far; inputs stay far below 2^64. */
    uint8_t block[128];
    size_t used; /**< Bytes waiting in block. */
    size_t digest_size;
};

/** Starts a digest of 1 to 64 bytes. */
void blake2b_init(struct blake2b *hash, size_t digest_size);

/** Adds bytes; may be called any number of times. */
void blake2b_update(struct blake2b *hash, const void *data, size_t size);

/** Writes the digest, as many bytes as init was told. The hash must not be used afterwards. */
void blake2b_final(struct blake2b *hash, uint8_t *digest);

/** All three at once. */
void blake2b(const void *data, size_t size, uint8_t *digest, size_t digest_size);

#endif
