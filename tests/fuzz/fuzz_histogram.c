/* Whatever is read as a packed histogram is packed to the same, and into little room with the same
 * count and maximum. */
#include "base/histogram.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct histogram histogram;
    static struct histogram same;
    static uint8_t bytes[1 << 17];
    if (!histogram_unpack(&histogram, data, size))
        return 0;
    size_t length = histogram_pack(&histogram, bytes, sizeof bytes);
    must(length > 0 && histogram_unpack(&same, bytes, length));
    must(memcmp(&histogram, &same, sizeof same) == 0);
    length = histogram_pack(&histogram, bytes, HISTOGRAM_PACKED_MIN + size % 64);
    must(length > 0 && histogram_unpack(&same, bytes, length));
    must(same.count == histogram.count && same.max_us == histogram.max_us);
    must(histogram_percentile(&same, 1) == histogram.max_us);
    must(histogram_count_up_to(&same, UINT64_MAX) == histogram.count);
    return 0;
}
