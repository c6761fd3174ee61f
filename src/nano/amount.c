#include "nano/amount.h"

#include <stdio.h>

enum { NANO_DECIMALS = 30 };

static u128 power_of_ten(unsigned exponent)
{
    u128 power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

bool amount_parse_raw(struct slice text, u128 *raw)
{
    return u128_parse(text, raw);
}

/* 1 to 30 digits after the point, as raw. */
static bool parse_fraction(struct slice digits, u128 *raw)
{
    if (digits.length == 0 || digits.length > NANO_DECIMALS)
        return false;
    u128 value = 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        value = value * 10 + (u128)(digits.data[i] - '0');
    }
    *raw = value * power_of_ten(NANO_DECIMALS - (unsigned)digits.length);
    return true;
}

bool amount_parse_nano(struct slice text, u128 *raw)
{
    const char *point = text.length > 0 ? memchr(text.data, '.', text.length) : NULL;
    struct slice whole = text;
    u128 total;
    u128 fraction = 0;
    if (point != NULL) {
        whole.length = (size_t)(point - text.data);
        if (!parse_fraction((struct slice){point + 1, text.length - whole.length - 1}, &fraction))
            return false;
    }
    if (!u128_parse(whole, &total) || !u128_multiply(total, power_of_ten(NANO_DECIMALS), &total) ||
        !u128_add(total, fraction, &total))
        return false;
    *raw = total;
    return true;
}

/* Writes nano with exactly `decimals` digits after the point, then takes trailing zeros off. */
static void format(u128 raw, unsigned decimals, char text[AMOUNT_NANO_TEXT_SIZE])
{
    char whole[U128_DECIMAL_MAX + 1];
    char digits[U128_DECIMAL_MAX + 1];
    const u128 unit = power_of_ten(NANO_DECIMALS);
    const u128 fraction = raw % unit / power_of_ten(NANO_DECIMALS - decimals);
    u128_format(raw / unit, whole);
    u128_format(fraction, digits);
    if (fraction == 0) {
        (void)snprintf(text, AMOUNT_NANO_TEXT_SIZE, "%s", whole);
        return;
    }
    int length = snprintf(text, AMOUNT_NANO_TEXT_SIZE, "%.9s.%0*d%s", whole,
                          (int)(decimals - strlen(digits)), 0, digits);
    if (decimals == strlen(digits))
        length = snprintf(text, AMOUNT_NANO_TEXT_SIZE, "%.9s.%s", whole, digits);
    while (text[length - 1] == '0')
        text[--length] = '\0';
}

void amount_format_nano(u128 raw, char text[AMOUNT_NANO_TEXT_SIZE])
{
    format(raw, NANO_DECIMALS, text);
}

void amount_display_nano(u128 raw, unsigned decimals, char text[AMOUNT_NANO_TEXT_SIZE])
{
    if (decimals > NANO_DECIMALS)
        decimals = NANO_DECIMALS;
    const u128 smallest = power_of_ten(NANO_DECIMALS - decimals);
    if (raw == 0 || raw >= smallest) {
        format(raw, decimals, text);
        return;
    }
    char shown[AMOUNT_NANO_TEXT_SIZE];
    format(smallest, decimals, shown);
    (void)snprintf(text, AMOUNT_NANO_TEXT_SIZE, "< %.44s", shown);
}
