/**
 * work: the proof of work of a Nano block (nano.md 3).
 *
 * The root is the hash of the account's head block, or the account's public key for its first
 * block. value(nonce, root) is BLAKE2b with an 8-byte digest over the nonce (8 bytes,
 * little-endian) and the root (32 bytes), read as a little-endian number; work is valid when the
 * value is at least the threshold. As text a nonce is 16 hexadecimal digits, most significant
 * first.
 */
#ifndef DPOW_NANO_WORK_H
#define DPOW_NANO_WORK_H

#include "base/bytes.h"

/** The 32 bytes that work is for. */
struct root {
    uint8_t bytes[32];
};

/** The value of a nonce for a root: one compression. Any thread. */
uint64_t work_value(uint64_t nonce, const struct root *root);

/** Whether a nonce's value reaches the threshold (inclusive). */
bool work_valid(uint64_t nonce, const struct root *root, uint64_t threshold);

/** Reads 64 hexadecimal digits of any case. */
bool root_parse(struct slice text, struct root *root);

/** Writes 64 upper-case digits and a NUL. */
void root_format(const struct root *root, char text[65]);

/** Whether all 32 bytes are zero. */
bool root_is_zero(const struct root *root);

/** Reads a nonce of 1 to 16 hexadecimal digits of any case, as the node does (padded at the
 * left).*/
bool work_parse(struct slice text, uint64_t *nonce);

/** Writes a nonce as 16 lower-case digits and a NUL. */
void work_format(uint64_t nonce, char text[17]);

#endif
