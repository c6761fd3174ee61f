#include "cli/frame_internal.h"

#include <string.h>

enum { LENGTH_MAX = 40, DISTANCE_MAX = 2 };

static size_t least(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance, row by row; longer texts are compared up to LENGTH_MAX. */
size_t text_distance(const char *a, const char *b)
{
    const size_t a_length = strnlen(a, LENGTH_MAX);
    const size_t b_length = strnlen(b, LENGTH_MAX);
    size_t row[LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_length];
}

bool text_resembles(const char *name, const char *typed)
{
    const size_t length = strlen(typed);
    if (length >= 3 && strncmp(name, typed, length) == 0)
        return true;
    return length > DISTANCE_MAX && text_distance(name, typed) <= DISTANCE_MAX;
}
