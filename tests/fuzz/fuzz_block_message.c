/* What a Nano node says: whatever it is, it is refused, or a block is read whose hash is that of
 * its contents; the first byte chooses who says it. */
#include "base/json.h"
#include "node/block_message.h"
#include "node/frontiers_reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_block(const struct confirmed_block *block)
{
    if (root_is_zero(&block->hash))
        abort();
}

static void read_message(struct slice text)
{
    struct confirmed_block block;
    enum block_fault fault = BLOCK_FAULTS;
    const enum node_message kind = block_message_read(text, &block, &fault);
    if (fault >= BLOCK_FAULTS || (kind == NODE_UNUSABLE) != (fault != BLOCK_OK))
        abort();
    if (kind == NODE_CONFIRMATION)
        check_block(&block);
}

static void read_callback(struct slice text)
{
    struct confirmed_block block;
    const enum block_fault fault = block_callback_read(text, &block);
    if (fault >= BLOCK_FAULTS)
        abort();
    if (fault == BLOCK_OK)
        check_block(&block);
}

static void read_frontiers(struct slice text)
{
    static const char asked[] = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7";
    struct frontier_question questions[2] = {0};
    if (account_parse(slice_of(asked), &questions[1].account) != ACCOUNT_OK)
        abort();
    if (frontiers_read(text, questions, 2) == NULL && !json_valid(text))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct slice text = {(const char *)data + 1, size - 1};
    if (data[0] == 'm')
        read_message(text);
    else if (data[0] == 'c')
        read_callback(text);
    else
        read_frontiers(text);
    return 0;
}
