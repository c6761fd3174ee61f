#include "cli/admin_internal.h"

#include "store/store.h"

#include <errno.h>
#include <stdlib.h>

static const struct option_spec credit_add_options[] = {
    {.name = "kind",
     .kind = OPTION_CHOICE,
     .choices = "bought|granted|corrected",
     .help = "How the credits came; only a correction may be negative.",
     .fallback = "bought"},
    {.name = "note",
     .kind = OPTION_TEXT,
     .argument = "TEXT",
     .help = "What the line says, such as the number of a payment."},
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

static const struct option_spec client_ban_options[] = {
    {.name = "reason",
     .kind = OPTION_TEXT,
     .argument = "TEXT",
     .help = "Why, for the operator's own records."},
    {.name = "for",
     .kind = OPTION_U64,
     .argument = "SECONDS",
     .minimum = 1,
     .maximum = 4000000000,
     .help = "How long; by default for good."},
    {.name = NULL},
};

static void write_argument(struct admin_request *request, const struct invocation *invocation,
                           size_t index, const char *member)
{
    if (index >= invocation->argument_count)
        return;
    json_key(&request->writer, member);
    json_write_text(&request->writer, invocation->arguments[index]);
}

static int run_list_command(const struct invocation *invocation, const char *command)
{
    struct admin_request request;
    admin_request_begin(&request, command);
    write_argument(&request, invocation, 0, "name");
    json_key(&request.writer, "limit");
    json_write_u64(&request.writer, options_u64(invocation->options, "limit"));
    return admin_run(invocation, &request);
}

static int run_credit_add(const struct invocation *invocation)
{
    struct admin_request request;
    const char *text = invocation->arguments[1];
    char *end;
    errno = 0;
    const long long amount = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return command_misused(invocation, "AMOUNT must be a whole number");
    admin_request_begin(&request, "credit add");
    write_argument(&request, invocation, 0, "name");
    json_key(&request.writer, "amount");
    json_write_i64(&request.writer, amount);
    admin_request_text(&request, invocation, "kind", "kind");
    admin_request_text(&request, invocation, "note", "note");
    return admin_run(invocation, &request);
}

static int run_credit_list(const struct invocation *invocation)
{
    return run_list_command(invocation, "credit list");
}

static int run_client_list(const struct invocation *invocation)
{
    return run_list_command(invocation, "client list");
}

static int run_audit(const struct invocation *invocation)
{
    return run_list_command(invocation, "audit");
}

static int run_client(const struct invocation *invocation, const char *command, bool ban)
{
    struct admin_request request;
    admin_request_begin(&request, command);
    write_argument(&request, invocation, 0, "account");
    if (ban) {
        admin_request_text(&request, invocation, "reason", "reason");
        admin_request_u64(&request, invocation, "for", "seconds");
    }
    return admin_run(invocation, &request);
}

static int run_client_show(const struct invocation *invocation)
{
    return run_client(invocation, "client show", false);
}

static int run_client_ban(const struct invocation *invocation)
{
    return run_client(invocation, "client ban", true);
}

static int run_client_unban(const struct invocation *invocation)
{
    return run_client(invocation, "client unban", false);
}

static int run_stats(const struct invocation *invocation)
{
    struct admin_request request;
    admin_request_begin(&request, "stats");
    return admin_run(invocation, &request);
}

static int run_check(const struct invocation *invocation)
{
    struct admin_request request;
    admin_request_begin(&request, "check");
    json_key(&request.writer, "limit");
    json_write_u64(&request.writer, 1000);
    return admin_run_check(invocation, &request, "every total is the sum of its rows");
}

static int run_backup(const struct invocation *invocation)
{
    char url[4096];
    char text[4200];
    struct error error;
    struct json_writer writer;
    if (!admin_store_url(invocation, url, sizeof url, &error) ||
        !store_backup(url, invocation->arguments[0], &error))
        return command_fail(invocation, &error);
    if (!options_flag(invocation->options, "json"))
        return command_print(invocation, invocation->arguments[0]);
    json_writer_init(&writer, text, sizeof text);
    json_begin_object(&writer);
    json_key(&writer, "backup");
    json_write_text(&writer, invocation->arguments[0]);
    json_end_object(&writer);
    return command_print(invocation, text);
}

const struct command command_credit_add = {
    .name = "credit add",
    .summary = "Add credits to a service",
    .synopsis = "NAME AMOUNT [OPTIONS]",
    .description = "Adds a line to the credit account of a service. A work costs it one credit, if "
                   "it is not unlimited; errors, time-outs and the same work again cost nothing.",
    .examples = "dpow admin credit add wallet 10000 --note \"invoice 17\"\n"
                "dpow admin credit add wallet --kind corrected -- -500",
    .options = credit_add_options,
    .arguments_min = 2,
    .arguments_max = 2,
    .run = run_credit_add,
};

const struct command command_credit_list = {
    .name = "credit list",
    .summary = "List the lines of credit accounts",
    .synopsis = "[NAME] [OPTIONS]",
    .examples = "dpow admin credit list wallet",
    .options = list_options,
    .arguments_max = 1,
    .run = run_credit_list,
};

const struct command command_client_list = {
    .name = "client list",
    .summary = "List the workers' accounts",
    .synopsis = "[OPTIONS]",
    .description = "Lists the accounts that were rewarded, the last one first.",
    .examples = "dpow admin client list --limit 20",
    .options = list_options,
    .run = run_client_list,
};

const struct command command_client_show = {
    .name = "client show",
    .summary = "Show a worker's account",
    .synopsis = "ACCOUNT [OPTIONS]",
    .examples = "dpow admin client show "
                "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_client_show,
};

const struct command command_client_ban = {
    .name = "client ban",
    .summary = "Take no more works from an account",
    .synopsis = "ACCOUNT [OPTIONS]",
    .description =
        "Results that name the account are dropped from now on. What it has earned stays "
        "its own.",
    .examples =
        "dpow admin client ban nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7 "
        "--reason \"wrong works\" --for 86400",
    .options = client_ban_options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_client_ban,
};

const struct command command_client_unban = {
    .name = "client unban",
    .summary = "Take works from a banned account again",
    .synopsis = "ACCOUNT [OPTIONS]",
    .examples = "dpow admin client unban "
                "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_client_unban,
};

const struct command command_audit = {
    .name = "audit",
    .summary = "List the operator's commands",
    .synopsis = "[OPTIONS]",
    .description = "Lists every command that changed anything: when, who, and what it said.",
    .examples = "dpow admin audit --limit 20",
    .options = list_options,
    .run = run_audit,
};

const struct command command_check = {
    .name = "check",
    .summary = "Recompute every total",
    .synopsis = "[OPTIONS]",
    .description = "Recomputes credits, counters and rewards from the rows that are only ever "
                   "added, and lists each total that differs; the exit status is then 1.",
    .examples = "dpow admin check",
    .run = run_check,
};

const struct command command_stats = {
    .name = "stats",
    .summary = "Show the statistics",
    .synopsis = "[OPTIONS]",
    .examples = "dpow admin stats --json",
    .run = run_stats,
};

const struct command command_backup = {
    .name = "backup",
    .summary = "Copy the store to a new file",
    .synopsis = "FILE [OPTIONS]",
    .description =
        "Copies the store of a running or a stopped hub: what was durable at one moment, "
        "checked. To go back to it, stop the hub and put the file in the place of "
        "dpow.db, without dpow.db-wal and dpow.db-shm.",
    .examples = "dpow admin backup /var/backups/dpow-2026-11-21.db",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_backup,
};
