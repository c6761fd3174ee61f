#include "nano/message.h"

#include "base/hex.h"

#include <stdio.h>

static const char *const kind_names[] = {
    [MESSAGE_WORK] = "work",
    [MESSAGE_RESULT] = "result",
    [MESSAGE_CANCEL] = "cancel",
};

static const char *const type_names[WORK_TYPES] = {
    [WORK_PRECACHE] = "precache",
    [WORK_ONDEMAND] = "ondemand",
};

const char *work_type_name(enum work_type type)
{
    return type_names[type];
}

bool message_topic_parse(struct slice topic, enum message_kind *kind, enum work_type *type)
{
    for (int k = MESSAGE_WORK; k <= MESSAGE_CANCEL; k++) {
        for (int t = 0; t < WORK_TYPES; t++) {
            char known[MESSAGE_TOPIC_SIZE];
            message_topic_format((enum message_kind)k, (enum work_type)t, known);
            if (slice_is(topic, known)) {
                *kind = (enum message_kind)k;
                *type = (enum work_type)t;
                return true;
            }
        }
    }
    return false;
}

void message_topic_format(enum message_kind kind, enum work_type type,
                          char topic[MESSAGE_TOPIC_SIZE])
{
    (void)snprintf(topic, MESSAGE_TOPIC_SIZE, "%s/%s", kind_names[kind], type_names[type]);
}

/* The text up to a comma, which is taken too; false if there is none. */
static bool take_field(struct slice *rest, struct slice *field)
{
    const char *comma = rest->length > 0 ? memchr(rest->data, ',', rest->length) : NULL;
    if (comma == NULL)
        return false;
    *field = (struct slice){rest->data, (size_t)(comma - rest->data)};
    *rest = (struct slice){comma + 1, rest->length - field->length - 1};
    return true;
}

bool message_work_parse(struct slice payload, struct root *root, uint64_t *threshold)
{
    struct slice hash;
    struct root read;
    if (!take_field(&payload, &hash) || !root_parse(hash, &read) ||
        !hex_u64_parse(payload, threshold))
        return false;
    *root = read;
    return true;
}

size_t message_work_format(const struct root *root, uint64_t threshold,
                           char payload[MESSAGE_WORK_SIZE])
{
    root_format(root, payload);
    payload[64] = ',';
    hex_u64_format(threshold, payload + 65);
    return MESSAGE_WORK_SIZE - 1;
}

bool message_cancel_parse(struct slice payload, struct root *root)
{
    return root_parse(payload, root);
}

size_t message_cancel_format(const struct root *root, char payload[MESSAGE_CANCEL_SIZE])
{
    root_format(root, payload);
    return MESSAGE_CANCEL_SIZE - 1;
}

bool message_result_parse(struct slice payload, struct message_result *result)
{
    struct message_result read;
    struct slice hash;
    struct slice work;
    if (!take_field(&payload, &hash) || !take_field(&payload, &work) ||
        (payload.length > 0 && memchr(payload.data, ',', payload.length) != NULL))
        return false;
    if (!root_parse(hash, &read.root) || !hex_u64_parse(work, &read.nonce))
        return false;
    read.account = payload;
    *result = read;
    return true;
}

size_t message_result_format(const struct root *root, uint64_t nonce, const struct account *account,
                             char payload[MESSAGE_RESULT_SIZE])
{
    root_format(root, payload);
    payload[64] = ',';
    work_format(nonce, payload + 65);
    payload[81] = ',';
    account_format(account, payload + 82);
    return MESSAGE_RESULT_SIZE - 1;
}
