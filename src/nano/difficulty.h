/**
 * difficulty: thresholds, multipliers and the networks' minimums (nano.md 3).
 *
 * A threshold t is met by one nonce in 2^64 / (2^64 - t). A multiplier compares that with a base.
 * Every part of the program converts with these functions, so that a limit computed in one place
 * equals a value computed in another.
 */
#ifndef DPOW_NANO_DIFFICULTY_H
#define DPOW_NANO_DIFFICULTY_H

#include "base/bytes.h"

/** The smallest threshold of each kind of block on one network. */
struct network {
    const char *name; /**< "live", "beta", "dev" or "test". */
    uint64_t epoch_1; /**< Any block of an account still at epoch 1. */
    uint64_t send;    /**< Send and change at epoch 2; the base of multipliers. */
    uint64_t receive; /**< Receive, open and epoch at epoch 2. */
};

/** The network of that name, or NULL. The answer is constant and lives for ever. */
const struct network *network_find(const char *name);

/**
 * The threshold of a multiplier by the node's rule: 2^64 - trunc((2^64 - base) / multiplier), the
 * division in double. The truncation rounds the threshold up.
 * @param multiplier finite and positive
 * @param threshold in [1, 2^64 - 1] on success
 * @return false if the multiplier is not finite, not positive, or has no such threshold
 */
bool difficulty_from_multiplier(double multiplier, uint64_t base, uint64_t *threshold);

/**
 * The node's full rule, edges included, for a positive multiplier: what truncates to 0 becomes
 * 2^64 - 1, what exceeds 2^64 - 1 becomes 0. Use difficulty_from_multiplier() for input.
 */
uint64_t difficulty_from_multiplier_saturating(double multiplier, uint64_t base);

/** The multiplier of a threshold or value: (2^64 - base) / (2^64 - difficulty), in double. */
double difficulty_to_multiplier(uint64_t difficulty, uint64_t base);

/** How many nonces are expected to be tried until one meets the threshold; 1 for threshold 0. */
double difficulty_expected_hashes(uint64_t threshold);

/** The same in whole numbers, rounded down, at most 2^53: what is added up in accounts. */
uint64_t difficulty_whole_hashes(uint64_t threshold);

/** Historic: a multiplier against a lower threshold, expressed against the send threshold. */
double difficulty_normalize(double multiplier, uint64_t threshold, uint64_t base);

/** Historic: the inverse of difficulty_normalize(). */
double difficulty_denormalize(double normalized, uint64_t threshold, uint64_t base);

/** Writes a multiplier as the node's RPC does: fixed, 15 digits after the point. */
void multiplier_format_node(double multiplier, char *text, size_t size);

/**
 * Writes a multiplier as nano-work-server does: the shortest decimal text that reads back equal,
 * without an exponent; "1" for 1.
 * @param multiplier finite and positive
 * @param size enough for 400 characters
 */
void multiplier_format_shortest(double multiplier, char *text, size_t size);

#endif
