/**
 * u128: unsigned 128-bit numbers with checked arithmetic and decimal text (raw amounts).
 */
#ifndef DPOW_BASE_U128_H
#define DPOW_BASE_U128_H

#include "base/bytes.h"

__extension__ typedef unsigned __int128 u128;

enum { U128_DECIMAL_MAX = 39 }; /**< Digits of 2^128 - 1. */

/** sum = a + b; false, and sum untouched, if it does not fit. */
bool u128_add(u128 a, u128 b, u128 *sum);

/** difference = a - b; false, and difference untouched, if b > a. */
bool u128_subtract(u128 a, u128 b, u128 *difference);

/** product = a * b; false, and product untouched, if it does not fit. */
bool u128_multiply(u128 a, u128 b, u128 *product);

/** Reads 1 to 39 decimal digits: no sign, no leading zero but "0" itself, at most 2^128 - 1. */
bool u128_parse(struct slice text, u128 *value);

/** Writes decimal digits and a NUL. */
void u128_format(u128 value, char text[U128_DECIMAL_MAX + 1]);

#endif
