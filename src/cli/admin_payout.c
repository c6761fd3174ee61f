#include "cli/payout_book.h"

#include "nano/amount.h"

#include <stdio.h>
#include <stdlib.h>

static const struct option_spec plan_options[] = {
    {.name = "budget",
     .kind = OPTION_TEXT,
     .argument = "AMOUNT",
     .help = "What is paid in all: nano, such as 12.5, or raw, such as 1000raw."},
    {.name = "rule",
     .kind = OPTION_CHOICE,
     .choices = "works|hashes",
     .help = "In proportion to what: works, each of which counts the same, as in the original; or "
             "the hashes that their difficulties were expected to take.",
     .fallback = "works"},
    {.name = "minimum",
     .kind = OPTION_TEXT,
     .argument = "AMOUNT",
     .help = "Whoever would get less is left out, and stays due.",
     .fallback = "0"},
    {.name = "threshold",
     .kind = OPTION_U64,
     .argument = "N",
     .maximum = 1000000000,
     .help = "Fewer works of a type, precached or on demand, stay due; 0 for none.",
     .fallback = "50"},
    {.name = "exclude",
     .kind = OPTION_LIST,
     .argument = "ACCOUNT",
     .help = "An account that is not paid, such as the pool's own; it stays due."},
    {.name = NULL},
};

static const struct option_spec list_options[] = {
    {.name = "limit",
     .kind = OPTION_U64,
     .argument = "N",
     .minimum = 1,
     .maximum = 10000,
     .help = "How many rows, the newest first.",
     .fallback = "100"},
    {.name = NULL},
};

static struct slice without_ending(const char *text, const char *ending, bool *had)
{
    const size_t length = strlen(text);
    const size_t end = strlen(ending);
    *had = length > end && strcmp(text + length - end, ending) == 0;
    return (struct slice){text, *had ? length - end : length};
}

/* Nano with or without its name, or raw with its name: a number alone is never raw. */
static bool read_amount(const char *text, u128 *raw)
{
    bool named;
    const struct slice digits = without_ending(text, "raw", &named);
    if (named)
        return amount_parse_raw(digits, raw);
    return amount_parse_nano(without_ending(text, "nano", &named), raw);
}

static bool write_amount(struct admin_request *request, const struct invocation *invocation,
                         const char *name)
{
    char text[U128_DECIMAL_MAX + 1];
    u128 raw;
    const char *given = options_text(invocation->options, name);
    if (given == NULL || !read_amount(given, &raw))
        return false;
    u128_format(raw, text);
    json_key(&request->writer, name);
    json_write_text(&request->writer, text);
    return true;
}

static int run_plan(const struct invocation *invocation)
{
    struct admin_request request;
    admin_request_begin(&request, "payout plan");
    if (!write_amount(&request, invocation, "budget"))
        return command_misused(invocation, "--budget must be nano (12.5) or raw (1000raw)");
    if (!write_amount(&request, invocation, "minimum"))
        return command_misused(invocation, "--minimum must be nano (0.01) or raw (1000raw)");
    admin_request_text(&request, invocation, "rule", "rule");
    json_key(&request.writer, "threshold");
    json_write_u64(&request.writer, options_u64(invocation->options, "threshold"));
    json_key(&request.writer, "exclude");
    json_begin_array(&request.writer);
    for (size_t i = 0; i < options_list_count(invocation->options, "exclude"); i++)
        json_write_text(&request.writer, options_list(invocation->options, "exclude", i));
    json_end_array(&request.writer);
    return admin_run(invocation, &request);
}

static int run_list(const struct invocation *invocation)
{
    struct admin_request request;
    admin_request_begin(&request, "payout list");
    json_key(&request.writer, "limit");
    json_write_u64(&request.writer, options_u64(invocation->options, "limit"));
    return admin_run(invocation, &request);
}

static int run_show(const struct invocation *invocation)
{
    struct payout_book book;
    struct error error;
    const int status = payout_book_read(invocation, invocation->arguments[0], &book, &error)
                           ? payout_book_print(invocation, &book)
                           : command_fail(invocation, &error);
    payout_book_free(&book);
    return status;
}

static int run_cancel(const struct invocation *invocation)
{
    struct admin_request request;
    if (!payout_id_valid(invocation->arguments[0]))
        return command_misused(invocation, "ID must be the number of a payout");
    payout_request_begin(&request, "payout cancel", invocation->arguments[0]);
    return admin_run(invocation, &request);
}

/* What is not sent yet. */
static void write_export(struct json_writer *writer, const struct payout_book *book)
{
    char amount[U128_DECIMAL_MAX + 1];
    json_begin_object(writer);
    for (size_t i = 0; i < book->count; i++) {
        const struct payout_item *item = &book->items[i];
        if (item->state != PAYOUT_PLANNED)
            continue;
        u128_format(item->amount, amount);
        json_key(writer, item->account_text);
        json_begin_object(writer);
        json_key(writer, "amount");
        json_write_text(writer, amount);
        json_key(writer, "id");
        json_write_text(writer, item->send_id);
        json_end_object(writer);
    }
    json_end_object(writer);
}

static int print_export(const struct invocation *invocation, const struct payout_book *book)
{
    const size_t size = 256 + book->count * 256;
    struct json_writer writer;
    struct error error;
    char *text = malloc(size);
    if (text == NULL) {
        (void)error_set(&error, ERROR_MEMORY, "no memory for %zu payments", book->count);
        return command_fail(invocation, &error);
    }
    json_writer_init(&writer, text, size);
    write_export(&writer, book);
    const int status = command_print(invocation, text);
    free(text);
    return status;
}

static int run_export(const struct invocation *invocation)
{
    struct payout_book book;
    struct error error;
    int status;
    if (payout_book_read(invocation, invocation->arguments[0], &book, &error) &&
        (!book.cancelled || error_set(&error, ERROR_INVALID,
                                      "payout %s is cancelled: nothing is to be sent", book.id)))
        status = print_export(invocation, &book);
    else
        status = command_fail(invocation, &error);
    payout_book_free(&book);
    return status;
}

const struct command command_payout_plan = {
    .name = "payout plan",
    .summary = "Divide a budget among the workers' accounts",
    .synopsis = "--budget AMOUNT [OPTIONS]",
    .description =
        "Freezes what every account has done since it was paid for last, and divides the budget in "
        "proportion, to the last raw. Nothing is sent yet; what the plan takes is no longer due, "
        "until the plan is cancelled.",
    .examples = "dpow admin payout plan --budget 100 --minimum 0.001\n"
                "dpow admin payout plan --budget 5000000raw --rule hashes --threshold 0",
    .options = plan_options,
    .run = run_plan,
};

const struct command command_payout_list = {
    .name = "payout list",
    .summary = "List the payouts",
    .synopsis = "[OPTIONS]",
    .examples = "dpow admin payout list --limit 5",
    .options = list_options,
    .run = run_list,
};

const struct command command_payout_show = {
    .name = "payout show",
    .summary = "Show a payout and its lines",
    .synopsis = "ID [OPTIONS]",
    .examples = "dpow admin payout show 3",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_show,
};

const struct command command_payout_cancel = {
    .name = "payout cancel",
    .summary = "Take back a plan of which nothing is sent",
    .synopsis = "ID [OPTIONS]",
    .description =
        "What the plan took is due again. A plan whose payment was begun cannot be taken back, as "
        "a payment may be on its way. Whoever has exported a plan must not pay it afterwards.",
    .examples = "dpow admin payout cancel 3",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_cancel,
};

const struct command command_payout_export = {
    .name = "payout export",
    .summary = "Print what is to be sent, for another wallet",
    .synopsis = "ID [OPTIONS]",
    .description =
        "Prints one JSON object: for each account that is not paid yet, the amount in raw and the "
        "send id. With the hash of each block added as \"block\" it is what payout import reads.",
    .examples = "dpow admin payout export 3 >payout-3.json",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_export,
};
