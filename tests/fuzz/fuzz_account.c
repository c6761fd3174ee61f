/* An account that is read is written back as the same text, save for the old prefix. */
#include "nano/account.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = {(const char *)data, size};
    struct account account;
    char written[ACCOUNT_TEXT_SIZE];
    if (account_parse(text, &account) == ACCOUNT_OK) {
        account_format(&account, written);
        const size_t prefix = size == 64 ? 4 : 5;
        if (memcmp(written + 5, text.data + prefix, 60) != 0)
            abort();
    }
    if (size >= sizeof account) {
        struct account same;
        memcpy(&account, data, sizeof account);
        account_format(&account, written);
        if (account_parse(slice_of(written), &same) != ACCOUNT_OK ||
            memcmp(&same, &account, sizeof same) != 0)
            abort();
    }
    return 0;
}
