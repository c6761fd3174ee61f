/**
 * bytes: slices of text from outside, and integers as bytes in a stated order.
 */
#ifndef DPOW_BASE_BYTES_H
#define DPOW_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * Text or bytes from outside: borrowed, with a length, not NUL-terminated, perhaps with NULs.
 * With length 0 the data may be NULL.
 */
struct slice {
    const char *data;
    size_t length;
};

/** The slice of a NUL-terminated string, without the NUL. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

/** Whether a slice holds exactly the characters of a NUL-terminated string. */
static inline bool slice_is(struct slice slice, const char *text)
{
    return slice.length == strlen(text) &&
           (slice.length == 0 || memcmp(slice.data, text, slice.length) == 0);
}

/** Reads 8 bytes as a little-endian number. */
static inline uint64_t load_le64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

/** Writes a number as 8 little-endian bytes. */
static inline void store_le64(uint8_t *bytes, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(bytes, &value, sizeof value);
}

#endif
