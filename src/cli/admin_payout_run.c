#include "cli/payout_node.h"

#include "base/clock.h"
#include "base/hex.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#define LIVE_GENESIS "991CF190094C00F0B68E2E5F75F6BEE95A2E0BD93CEAA4A6734DB9F19B728948"

enum { POLL_MS = 500 };

static const struct option_spec run_options[] = {
    {.name = "node-rpc",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "The RPC of the node with the wallet. Always the same: it is the node that knows what "
             "it has sent already.",
     .fallback = "http://[::1]:7076",
     .secret = true},
    {.name = "wallet",
     .kind = OPTION_TEXT,
     .argument = "ID",
     .help = "The wallet that pays, 64 hexadecimal digits."},
    {.name = "account",
     .kind = OPTION_TEXT,
     .argument = "ACCOUNT",
     .help = "The account of the wallet that pays."},
    {.name = "network",
     .kind = OPTION_TEXT,
     .argument = "NAME",
     .help = "The network the node must be on: live, or the hash of its genesis block.",
     .fallback = "live"},
    {.name = "max-lines",
     .kind = OPTION_U64,
     .argument = "N",
     .minimum = 1,
     .maximum = 1000000000,
     .help = "How many payments are sent at most; by default all."},
    {.name = "timeout",
     .kind = OPTION_U64,
     .argument = "SECONDS",
     .minimum = 1,
     .maximum = 3600,
     .help = "How long an answer may take: the node may have to make the work of a block.",
     .fallback = "120"},
    {.name = "wait",
     .kind = OPTION_U64,
     .argument = "SECONDS",
     .maximum = 86400,
     .help = "How long confirmations are waited for at the end.",
     .fallback = "60"},
    {.name = "keep-going",
     .kind = OPTION_FLAG,
     .help = "Goes on with the next payment after one that fails."},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .help = "Asks the node for its network and the balance, prints the plan and sends nothing."},
    {.name = NULL},
};

/* A run. Every payment goes through: it is made durable that it is tried; the node sends it; the
 * block is made durable. Killed at any moment, the next run begins with what was tried, under the
 * same send ids, so that the node answers with the blocks it has made already. */
struct run {
    const struct invocation *invocation;
    struct payout_book book;
    struct payout_node node;
    struct payout_wallet wallet;
    const char *genesis;
    uint64_t lines_left; /* That may be sent in this run. */
    size_t sent;
    size_t confirmed;
    size_t failed;
};

static bool read_options(struct run *run, struct error *error)
{
    const struct options *options = run->invocation->options;
    struct account account;
    uint8_t bytes[32];
    const char *network = options_text(options, "network");
    run->wallet.id = options_text(options, "wallet");
    run->wallet.source = options_text(options, "account");
    run->genesis = strcmp(network, "live") == 0 ? LIVE_GENESIS : network;
    run->lines_left =
        options_given(options, "max-lines") ? options_u64(options, "max-lines") : UINT64_MAX;
    if (run->wallet.id == NULL || !hex_decode(slice_of(run->wallet.id), bytes, sizeof bytes))
        return error_set(error, ERROR_INVALID, "--wallet must be 64 hexadecimal digits");
    if (run->wallet.source == NULL ||
        account_parse(slice_of(run->wallet.source), &account) != ACCOUNT_OK)
        return error_set(error, ERROR_INVALID, "--account must be an account of the wallet");
    return hex_decode(slice_of(run->genesis), bytes, sizeof bytes) ||
           error_set(error, ERROR_INVALID, "--network must be live or 64 hexadecimal digits");
}

/* Whether a failure ends the run; it is told at the end or, if the run goes on, at once. */
static bool ends(struct run *run, const struct payout_item *item, struct error *error)
{
    const struct error reason = *error;
    (void)error_set(error, reason.code, "%s: %s", item->account_text, reason.text);
    run->failed++;
    if (!options_flag(run->invocation->options, "keep-going"))
        return true;
    log_write(&run->invocation->log, LOG_WARNING, "%s", error->text);
    return false;
}

static bool send_item(struct run *run, struct payout_item *item, struct error *error)
{
    char block[BLOCK_TEXT_SIZE];
    if (!payout_try(run->invocation, &run->book, item, run->wallet.source, error) ||
        !payout_node_send(&run->node, &run->wallet, item, block, error) ||
        !payout_sent(run->invocation, &run->book, item, block, error))
        return false;
    log_write(&run->invocation->log, LOG_INFO, "%s is paid by block %s", item->account_text, block);
    run->sent++;
    return true;
}

/* Sends what was tried before, or what was not. */
static bool send_items(struct run *run, bool tried, struct error *error)
{
    for (size_t i = 0; i < run->book.count && run->lines_left > 0; i++) {
        struct payout_item *item = &run->book.items[i];
        if (item->state != PAYOUT_PLANNED || item->tried != tried)
            continue;
        run->lines_left--;
        if (!send_item(run, item, error) && ends(run, item, error))
            return false;
    }
    return true;
}

/* What was tried is not counted: it may have left the balance already. */
static u128 untried_amount(const struct payout_book *book)
{
    u128 sum = 0;
    for (size_t i = 0; i < book->count; i++)
        if (book->items[i].state == PAYOUT_PLANNED && !book->items[i].tried)
            sum += book->items[i].amount;
    return sum;
}

static bool check_balance(struct run *run, struct error *error)
{
    const u128 needed = untried_amount(&run->book);
    char balance_text[U128_DECIMAL_MAX + 1];
    char needed_text[U128_DECIMAL_MAX + 1];
    u128 balance;
    if (needed == 0)
        return true;
    if (!payout_node_balance(&run->node, run->wallet.source, &balance, error))
        return false;
    u128_format(balance, balance_text);
    u128_format(needed, needed_text);
    return balance >= needed ||
           error_set(error, ERROR_INVALID, "the account has %s raw, but %s raw are left to pay",
                     balance_text, needed_text);
}

static bool confirm_item(struct run *run, struct payout_item *item, bool first, struct error *error)
{
    bool confirmed = false;
    if (!payout_node_confirmed(&run->node, item, &confirmed, error))
        return false;
    if (!confirmed)
        return !first || payout_node_confirm(&run->node, item, error);
    run->confirmed++;
    return payout_confirmed(run->invocation, &run->book, item, error);
}

/* One look at every block that is not confirmed; sets how many still are not. */
static bool confirm_items(struct run *run, bool first, size_t *left, struct error *error)
{
    *left = 0;
    for (size_t i = 0; i < run->book.count; i++) {
        struct payout_item *item = &run->book.items[i];
        if (item->state != PAYOUT_SENT)
            continue;
        if (!confirm_item(run, item, first, error) && ends(run, item, error))
            return false;
        *left += item->state == PAYOUT_SENT ? 1 : 0;
    }
    return true;
}

static bool confirm_all(struct run *run, size_t *left, struct error *error)
{
    static const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    const uint64_t end_us =
        clock_monotonic_us() + options_u64(run->invocation->options, "wait") * 1000000;
    for (bool first = true;; first = false) {
        const size_t failed = run->failed;
        if (!confirm_items(run, first, left, error))
            return false;
        if (*left == 0 || run->failed > failed || clock_monotonic_us() >= end_us)
            return true;
        (void)nanosleep(&pause, NULL);
    }
}

static bool pay(struct run *run, size_t *unconfirmed, struct error *error)
{
    return send_items(run, true, error) && check_balance(run, error) &&
           send_items(run, false, error) && confirm_all(run, unconfirmed, error);
}

static size_t planned(const struct payout_book *book)
{
    size_t count = 0;
    for (size_t i = 0; i < book->count; i++)
        count += book->items[i].state == PAYOUT_PLANNED ? 1 : 0;
    return count;
}

static int tell(const struct run *run, size_t unconfirmed)
{
    char text[256];
    struct error error;
    (void)snprintf(text, sizeof text,
                   "{\"id\":%s,\"sent\":%zu,\"confirmed\":%zu,\"unconfirmed\":%zu,\"left\":%zu}",
                   run->book.id, run->sent, run->confirmed, unconfirmed, planned(&run->book));
    const int status =
        admin_print(run->invocation, (struct json_value){JSON_OBJECT, slice_of(text)});
    if (run->failed == 0 && unconfirmed == 0)
        return status;
    (void)error_set(&error, ERROR_SYSTEM, "%zu failures, %zu blocks not confirmed yet: run again",
                    run->failed, unconfirmed);
    return command_fail(run->invocation, &error);
}

static int run_open(struct run *run)
{
    const struct invocation *invocation = run->invocation;
    size_t unconfirmed = 0;
    struct error error;
    if (!payout_book_read(invocation, invocation->arguments[0], &run->book, &error))
        return command_fail(invocation, &error);
    if (run->book.cancelled) {
        (void)error_set(&error, ERROR_INVALID, "payout %s is cancelled", run->book.id);
        return command_fail(invocation, &error);
    }
    if (!payout_node_check(&run->node, run->genesis, &error))
        return command_fail(invocation, &error);
    if (options_flag(invocation->options, "dry-run"))
        return check_balance(run, &error) ? payout_book_print(invocation, &run->book)
                                          : command_fail(invocation, &error);
    if (pay(run, &unconfirmed, &error))
        return tell(run, unconfirmed);
    const struct error reason = error;
    (void)error_set(&error, reason.code, "%s (%zu sent, %zu left: run again)", reason.text,
                    run->sent, planned(&run->book));
    return command_fail(invocation, &error);
}

static int run_run(const struct invocation *invocation)
{
    struct run run = {.invocation = invocation};
    struct error error;
    const uint64_t timeout_ms = options_u64(invocation->options, "timeout") * 1000;
    (void)signal(SIGPIPE, SIG_IGN);
    if (!read_options(&run, &error) ||
        !payout_node_open(&run.node, options_text(invocation->options, "node-rpc"), timeout_ms,
                          &error))
        return command_misused(invocation, "%s", error.text);
    const int status = run_open(&run);
    payout_book_free(&run.book);
    payout_node_close(&run.node);
    return status;
}

const struct command command_payout_run = {
    .name = "payout run",
    .summary = "Pay a plan with a node's wallet",
    .synopsis = "ID --wallet ID --account ACCOUNT [OPTIONS]",
    .description =
        "Has the node send each amount of the plan, one after the other, and waits until the "
        "network has confirmed the blocks. It may be ended, even killed, at any moment and run "
        "again: amounts never change, and nobody is paid twice by the same node. It stops at the "
        "first failure.",
    .examples = "dpow admin payout run 3 --wallet "
                "000D1BAEC8EC208142C99059B393051BAC8380F9B5A2E6B2489A277D81789F3F --account "
                "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7 --dry-run",
    .options = run_options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_run,
};
