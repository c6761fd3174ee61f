#include "base/hex.h"

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

static bool all_digits(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (digit_value(text.data[i]) < 0)
            return false;
    return true;
}

bool hex_decode(struct slice text, uint8_t *bytes, size_t size)
{
    if (text.length != 2 * size || !all_digits(text))
        return false;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((unsigned)digit_value(text.data[2 * i]) << 4 |
                             (unsigned)digit_value(text.data[2 * i + 1]));
    return true;
}

void hex_encode_upper(const uint8_t *bytes, size_t size, char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * size] = '\0';
}

bool hex_u64_parse(struct slice text, uint64_t *value)
{
    if (text.length != 16 || !all_digits(text))
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < text.length; i++)
        number = number << 4 | (uint64_t)digit_value(text.data[i]);
    *value = number;
    return true;
}

void hex_u64_format(uint64_t value, char text[17])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--) {
        text[i] = digits[value & 15];
        value >>= 4;
    }
    text[16] = '\0';
}
