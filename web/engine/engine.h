/**
 * engine: the search for a page, in WebAssembly: one thread's batches, without memory of its own
 * beyond one search. What a page calls is exported under these names; 64-bit numbers are BigInts
 * there. One instance is used by one thread.
 */
#ifndef DPOW_WEB_ENGINE_H
#define DPOW_WEB_ENGINE_H

#include <stdint.h>

/** Where the root's 32 bytes are to be written before dpow_prepare(). */
uint8_t *dpow_root(void);

/** Makes a search ready: the root, and any threshold. */
void dpow_prepare(uint64_t threshold);

/**
 * Tries nonces from start on, modulo 2^64, until one is found.
 * @param count at least 1; rounded up to a multiple of dpow_width()
 * @return how many were tried
 */
uint32_t dpow_search(uint64_t start, uint32_t count);

/** Whether the last dpow_search() found one. */
uint32_t dpow_found(void);

/** What it found: the first nonce of its range that meets the threshold. */
uint64_t dpow_nonce(void);

/** The value of a nonce for the root, by the plain function. */
uint64_t dpow_value(uint64_t nonce);

/** Nonces tried at a time. */
uint32_t dpow_width(void);

#endif
