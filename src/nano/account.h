/**
 * account: public keys as `nano_…` text (nano.md 1).
 */
#ifndef DPOW_NANO_ACCOUNT_H
#define DPOW_NANO_ACCOUNT_H

#include "base/bytes.h"

enum { ACCOUNT_TEXT_SIZE = 66 }; /**< `nano_`, 60 characters and the NUL. */

/** An account: its public key. */
struct account {
    uint8_t key[32];
};

/** Why a text is not an account; the first fault from the left is the one told. */
enum account_fault {
    ACCOUNT_OK = 0,
    ACCOUNT_EMPTY,
    ACCOUNT_PREFIX,     /**< Does not begin with `nano_` or `xrb_`. */
    ACCOUNT_SHORT,      /**< Fewer than 60 characters after the prefix. */
    ACCOUNT_LONG,       /**< More than 60 characters after the prefix. */
    ACCOUNT_UPPER_CASE, /**< Has an upper-case letter. */
    ACCOUNT_CHARACTER, /**< Has another character outside the alphabet (0, 2, l, v, white space…).
                        */
    ACCOUNT_FIRST,     /**< The key part begins with something other than 1 or 3. */
    ACCOUNT_CHECKSUM,  /**< The last 8 characters do not fit the key. */
};

/**
 * Reads `nano_` or `xrb_` text.
 * @param account written only when ACCOUNT_OK is returned
 */
enum account_fault account_parse(struct slice text, struct account *account);

/** Writes `nano_` text and a NUL. */
void account_format(const struct account *account, char text[ACCOUNT_TEXT_SIZE]);

/** What a fault means, as the end of a sentence: "the checksum does not fit (mistyped?)". */
const char *account_fault_text(enum account_fault fault);

#endif
