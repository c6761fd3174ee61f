/* Topics and payloads of MQTT: what is read is written back as the same message. */
#include "nano/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_work(struct slice payload)
{
    struct root root;
    struct root same;
    uint64_t threshold;
    uint64_t same_threshold;
    char written[MESSAGE_WORK_SIZE];
    if (!message_work_parse(payload, &root, &threshold))
        return;
    const size_t length = message_work_format(&root, threshold, written);
    must(length == payload.length);
    must(message_work_parse((struct slice){written, length}, &same, &same_threshold));
    must(same_threshold == threshold && memcmp(&same, &root, sizeof root) == 0);
}

static void check_result(struct slice payload)
{
    struct message_result result;
    struct account account;
    char written[MESSAGE_RESULT_SIZE];
    if (!message_result_parse(payload, &result))
        return;
    must(result.account.data + result.account.length == payload.data + payload.length);
    must(memchr(result.account.data, ',', result.account.length) == NULL);
    if (account_parse(result.account, &account) != ACCOUNT_OK)
        return;
    must(message_result_format(&result.root, result.nonce, &account, written) ==
         MESSAGE_RESULT_SIZE - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = {(const char *)data, size};
    enum message_kind kind;
    enum work_type type;
    struct root root;
    char topic[MESSAGE_TOPIC_SIZE];
    check_work(text);
    check_result(text);
    if (message_cancel_parse(text, &root))
        must(size == 64);
    if (message_topic_parse(text, &kind, &type)) {
        message_topic_format(kind, type, topic);
        must(slice_is(text, topic));
    }
    return 0;
}
