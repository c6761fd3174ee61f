#include "cli/payout_node.h"

#include "base/hex.h"
#include "net/http_client.h"

#include <stdio.h>
#include <stdlib.h>

enum { RESPONSE_MAX = 65536, BODY_SIZE = 1024 };

bool payout_node_open(struct payout_node *node, const char *url, uint64_t timeout_ms,
                      struct error *error)
{
    struct error reason;
    node->text = NULL;
    node->timeout_ms = timeout_ms;
    if (!url_parse(url, &node->url, &reason))
        return error_set(error, ERROR_INVALID, "--node-rpc: %s", reason.text);
    if (strcmp(node->url.scheme, "http") != 0)
        return error_set(error, ERROR_INVALID, "--node-rpc must begin with http://");
    return uv_loop_init(&node->loop) == 0 ||
           error_set(error, ERROR_SYSTEM, "the system gives no event loop");
}

void payout_node_close(struct payout_node *node)
{
    (void)uv_run(&node->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&node->loop);
    free(node->text);
    explicit_bzero(&node->url, sizeof node->url);
}

static void on_response(void *context, int status, struct slice body)
{
    struct payout_node *node = context;
    if (status != 200) {
        (void)error_set(&node->failure, ERROR_SYSTEM, "the node answers with status %d", status);
        return;
    }
    node->text = malloc(body.length + 1);
    if (node->text == NULL) {
        (void)error_set(&node->failure, ERROR_MEMORY, "no memory for the node's answer");
        return;
    }
    memcpy(node->text, body.data, body.length);
    if (json_read_object((struct slice){node->text, body.length}, &node->reply) != JSON_OK)
        (void)error_set(&node->failure, ERROR_SYSTEM, "the node's answer is no JSON object");
}

static void on_failure(void *context, const char *reason)
{
    struct payout_node *node = context;
    (void)error_set(&node->failure, ERROR_SYSTEM, "the node does not answer: %s", reason);
}

/* A text of the reply, without NUL; false if there is none or it is longer. */
static bool read_text(const struct json_object *object, const char *name, char *text, size_t size)
{
    size_t length;
    return json_string(json_find(object, name), text, size, &length) && strlen(text) == length;
}

/* What the node refused with may be anything. */
static bool read_refusal(const struct payout_node *node, struct error *error)
{
    char text[120];
    const struct json_value value = json_find(&node->reply, "error");
    if (value.type == JSON_ABSENT)
        return true;
    if (!read_text(&node->reply, "error", text, sizeof text))
        (void)snprintf(text, sizeof text, "an error that cannot be shown");
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
            *at = '?';
    return error_set(error, ERROR_INVALID, "the node says: %s", text);
}

/* Sends a request and waits for its reply, which is no error. */
static bool ask(struct payout_node *node, struct json_writer *body, struct error *error)
{
    const struct http_call_options options = {
        .url = &node->url,
        .method = "POST",
        .content_type = "application/json",
        .body = {body->data, body->length},
        .timeout_ms = node->timeout_ms,
        .response_max = RESPONSE_MAX,
        .on_response = on_response,
        .on_failure = on_failure,
        .context = node,
    };
    free(node->text);
    node->text = NULL;
    node->failure.code = ERROR_NONE;
    if (body->overflow)
        return error_set(error, ERROR_SYSTEM, "the request is too long");
    if (http_call_start(&node->loop, &options, error) == NULL)
        return false;
    (void)uv_run(&node->loop, UV_RUN_DEFAULT);
    if (node->failure.code != ERROR_NONE)
        return error_set(error, node->failure.code, "%s", node->failure.text);
    return read_refusal(node, error);
}

static void begin(struct json_writer *writer, char body[BODY_SIZE], const char *action)
{
    json_writer_init(writer, body, BODY_SIZE);
    json_begin_object(writer);
    json_key(writer, "action");
    json_write_text(writer, action);
}

static void add(struct json_writer *writer, const char *name, const char *text)
{
    json_key(writer, name);
    json_write_text(writer, text);
}

static bool ask_done(struct payout_node *node, struct json_writer *writer, struct error *error)
{
    json_end_object(writer);
    return ask(node, writer, error);
}

bool payout_node_check(struct payout_node *node, const char *genesis, struct error *error)
{
    struct json_writer writer;
    char body[BODY_SIZE];
    char told[80];
    uint8_t wanted[32];
    uint8_t network[32];
    begin(&writer, body, "version");
    if (!ask_done(node, &writer, error))
        return false;
    if (!read_text(&node->reply, "network_identifier", told, sizeof told) ||
        !hex_decode(slice_of(told), network, sizeof network))
        return error_set(error, ERROR_SYSTEM, "the node does not tell its network");
    return (hex_decode(slice_of(genesis), wanted, sizeof wanted) &&
            memcmp(wanted, network, sizeof wanted) == 0) ||
           error_set(error, ERROR_INVALID,
                     "the node is on another network: its genesis block is %s (see --network)",
                     told);
}

bool payout_node_balance(struct payout_node *node, const char *account, u128 *balance,
                         struct error *error)
{
    struct json_writer writer;
    char body[BODY_SIZE];
    char text[U128_DECIMAL_MAX + 2];
    begin(&writer, body, "account_balance");
    add(&writer, "account", account);
    add(&writer, "include_only_confirmed", "false");
    if (!ask_done(node, &writer, error))
        return false;
    return (read_text(&node->reply, "balance", text, sizeof text) &&
            u128_parse(slice_of(text), balance)) ||
           error_set(error, ERROR_SYSTEM, "the node's answer has no balance");
}

bool payout_node_send(struct payout_node *node, const struct payout_wallet *wallet,
                      const struct payout_item *item, char block[BLOCK_TEXT_SIZE],
                      struct error *error)
{
    static const uint8_t zeros[32];
    struct json_writer writer;
    char body[BODY_SIZE];
    char amount[U128_DECIMAL_MAX + 1];
    char text[80];
    uint8_t hash[32];
    u128_format(item->amount, amount);
    begin(&writer, body, "send");
    add(&writer, "id", item->send_id);
    add(&writer, "wallet", wallet->id);
    add(&writer, "source", wallet->source);
    add(&writer, "destination", item->account_text);
    add(&writer, "amount", amount);
    if (!ask_done(node, &writer, error))
        return false;
    if (!read_text(&node->reply, "block", text, sizeof text) ||
        !hex_decode(slice_of(text), hash, sizeof hash) || memcmp(hash, zeros, sizeof hash) == 0)
        return error_set(error, ERROR_SYSTEM, "the node's answer names no block");
    hex_encode_upper(hash, sizeof hash, block);
    return true;
}

/* Whether the block of the reply sends the item's amount to the item's account. */
static bool pays(const struct json_object *reply, const struct payout_item *item)
{
    const struct json_value contents = json_find(reply, "contents");
    struct json_object block;
    char text[80];
    uint8_t link[32];
    u128 amount;
    return read_text(reply, "amount", text, sizeof text) && u128_parse(slice_of(text), &amount) &&
           amount == item->amount && read_text(reply, "subtype", text, sizeof text) &&
           strcmp(text, "send") == 0 && contents.type == JSON_OBJECT &&
           json_read_object(contents.text, &block) == JSON_OK &&
           read_text(&block, "link", text, sizeof text) &&
           hex_decode(slice_of(text), link, sizeof link) &&
           memcmp(link, item->account.key, sizeof link) == 0;
}

bool payout_node_confirmed(struct payout_node *node, const struct payout_item *item,
                           bool *confirmed, struct error *error)
{
    struct json_writer writer;
    char body[BODY_SIZE];
    char text[8] = "";
    begin(&writer, body, "block_info");
    add(&writer, "json_block", "true");
    add(&writer, "hash", item->block);
    if (!ask_done(node, &writer, error))
        return false;
    if (!pays(&node->reply, item))
        return error_set(error, ERROR_SYSTEM, "block %s does not pay this amount to this account",
                         item->block);
    *confirmed =
        json_find(&node->reply, "confirmed").type == JSON_TRUE ||
        (read_text(&node->reply, "confirmed", text, sizeof text) && strcmp(text, "true") == 0);
    return true;
}

bool payout_node_confirm(struct payout_node *node, const struct payout_item *item,
                         struct error *error)
{
    struct json_writer writer;
    char body[BODY_SIZE];
    begin(&writer, body, "block_confirm");
    add(&writer, "hash", item->block);
    return ask_done(node, &writer, error);
}
