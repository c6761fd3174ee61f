#include "base/u128.h"

#define U128_MAX (~(u128)0)

bool u128_add(u128 a, u128 b, u128 *sum)
{
    if (a > U128_MAX - b)
        return false;
    *sum = a + b;
    return true;
}

bool u128_subtract(u128 a, u128 b, u128 *difference)
{
    if (b > a)
        return false;
    *difference = a - b;
    return true;
}

bool u128_multiply(u128 a, u128 b, u128 *product)
{
    if (b != 0 && a > U128_MAX / b)
        return false;
    *product = a * b;
    return true;
}

bool u128_parse(struct slice text, u128 *value)
{
    if (text.length == 0 || text.length > U128_DECIMAL_MAX)
        return false;
    if (text.data[0] == '0' && text.length > 1)
        return false;
    u128 number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        if (!u128_multiply(number, 10, &number) ||
            !u128_add(number, (u128)(text.data[i] - '0'), &number))
            return false;
    }
    *value = number;
    return true;
}

void u128_format(u128 value, char text[U128_DECIMAL_MAX + 1])
{
    char reversed[U128_DECIMAL_MAX];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < count; i++)
        text[i] = reversed[count - 1 - i];
    text[count] = '\0';
}
