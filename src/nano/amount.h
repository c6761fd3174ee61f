/**
 * amount: raw amounts as decimal text, and as nano (1 nano = 10^30 raw; nano.md 1).
 */
#ifndef DPOW_NANO_AMOUNT_H
#define DPOW_NANO_AMOUNT_H

#include "base/u128.h"

enum { AMOUNT_NANO_TEXT_SIZE = 48 }; /**< Room for any amount in nano, "< 0.…1" included. */

/** Reads raw: decimal digits as u128_parse(). */
bool amount_parse_raw(struct slice text, u128 *raw);

/** Reads nano: digits, optionally a point and 1 to 30 more digits. Exact. */
bool amount_parse_nano(struct slice text, u128 *raw);

/** Writes nano with as many decimals as needed, no trailing zeros. Exact. */
void amount_format_nano(u128 raw, char text[AMOUNT_NANO_TEXT_SIZE]);

/**
 * Writes nano for people: cut to some decimals, never rounded up; an amount that would show as zero
 * but is not shows as "< 0.01" (for two decimals).
 * @param decimals 0 to 30
 */
void amount_display_nano(u128 raw, unsigned decimals, char text[AMOUNT_NANO_TEXT_SIZE]);

#endif
