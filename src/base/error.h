/**
 * error: how a function says why it failed.
 *
 * A function that can fail returns bool (true = done) and takes a `struct error *` last, which it
 * fills only on failure. The text is made where the cause is known; it names the field or file, the
 * class of the value and the limit, never a secret, and is shown to the user once, at the top.
 */
#ifndef DPOW_BASE_ERROR_H
#define DPOW_BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_INVALID,   /**< The input is malformed or out of range. */
    ERROR_LIMIT,     /**< A configured capacity is used up; trying again later can help. */
    ERROR_MEMORY,    /**< An allocation failed. */
    ERROR_SYSTEM,    /**< The operating system or a library refused; the text has its reason. */
    ERROR_NOT_FOUND, /**< What was named does not exist. */
    ERROR_EXISTS,    /**< What was to be created exists already. */
};

struct error {
    enum error_code code;
    char text[256]; /**< One line without a line end, NUL-terminated; cut if longer. */
};

/**
 * Fills an error and returns false, so that a failing function can `return error_set(...)`.
 * @param error what to fill; NULL when the caller does not want the reason
 * @param code the class
 * @param format printf format of the text
 */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
