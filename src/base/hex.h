/**
 * hex: bytes and 64-bit numbers as hexadecimal text.
 *
 * Nano writes 32-byte values in upper case and work and difficulty in lower case; either case is
 * read (nano.md, first paragraph). Nothing here accepts a prefix, a sign or white space.
 */
#ifndef DPOW_BASE_HEX_H
#define DPOW_BASE_HEX_H

#include "base/bytes.h"

/**
 * Decodes exactly 2 * size hexadecimal digits of any case.
 * @param text the digits
 * @param bytes where size bytes go; written only on success
 * @return false if the length or a digit is wrong
 */
bool hex_decode(struct slice text, uint8_t *bytes, size_t size);

/** Writes size bytes as 2 * size upper-case digits and a NUL. */
void hex_encode_upper(const uint8_t *bytes, size_t size, char *text);

/**
 * Reads a number of exactly 16 digits of any case, most significant digit first.
 * @return false if the length or a digit is wrong; value is then untouched
 */
bool hex_u64_parse(struct slice text, uint64_t *value);

/** Writes a number as 16 lower-case digits and a NUL. */
void hex_u64_format(uint64_t value, char text[17]);

#endif
