/* Whatever is read as hexadecimal or decimal digits is written back as the same number. */
#include "base/hex.h"
#include "nano/amount.h"
#include "nano/work.h"

#include <stdlib.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = {(const char *)data, size};
    uint8_t bytes[32];
    uint64_t number;
    u128 raw;
    u128 same;
    char written[65];
    char nano[AMOUNT_NANO_TEXT_SIZE];
    if (hex_decode(text, bytes, sizeof bytes)) {
        hex_encode_upper(bytes, sizeof bytes, written);
        must(size == 64 && strncasecmp(written, text.data, 64) == 0);
    }
    if (hex_u64_parse(text, &number)) {
        hex_u64_format(number, written);
        must(size == 16 && strncasecmp(written, text.data, 16) == 0);
    }
    if (work_parse(text, &number)) {
        work_format(number, written);
        must(size <= 16 && strncasecmp(written + 16 - size, text.data, size) == 0);
    }
    if (amount_parse_raw(text, &raw)) {
        u128_format(raw, written);
        must(slice_is(text, written));
    }
    if (amount_parse_nano(text, &raw)) {
        amount_format_nano(raw, nano);
        must(amount_parse_nano(slice_of(nano), &same) && same == raw);
    }
    return 0;
}
