#include "base/utf8.h"

/* What the first byte says the length is; 0 for bytes that begin nothing: continuations, and those
 * that only overlong forms or numbers beyond U+10FFFF would begin with. */
static size_t announced_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    if (first >= 0xf0 && first <= 0xf4)
        return 4;
    return 0;
}

size_t utf8_length(const char *data, size_t available)
{
    const unsigned char *byte = (const unsigned char *)data;
    const size_t length = announced_length(byte[0]);
    if (length > available)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    if (length < 3)
        return length;
    const bool overlong =
        (byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xf0 && byte[1] < 0x90);
    const bool surrogate = byte[0] == 0xed && byte[1] > 0x9f;
    const bool beyond = byte[0] == 0xf4 && byte[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

bool utf8_is_control(const char *data, size_t length)
{
    const unsigned char *byte = (const unsigned char *)data;
    if (length == 1)
        return byte[0] < 0x20 || byte[0] == 0x7f;
    return length == 2 && byte[0] == 0xc2 && byte[1] <= 0x9f;
}
