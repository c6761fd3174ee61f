#include "cli/admin_internal.h"

#define SERVICE_OPTIONS                                                                            \
    {.name = "display",                                                                            \
     .kind = OPTION_TEXT,                                                                          \
     .argument = "TEXT",                                                                           \
     .help = "The name shown to people; of a new service NAME by default."},                       \
        {.name = "website",                                                                        \
         .kind = OPTION_TEXT,                                                                      \
         .argument = "URL",                                                                        \
         .help = "Where people find the service."},                                                \
        {.name = "contact",                                                                        \
         .kind = OPTION_TEXT,                                                                      \
         .argument = "TEXT",                                                                       \
         .help = "How the operator reaches the service; never shown to others."},                  \
        {.name = "public",                                                                         \
         .kind = OPTION_FLAG,                                                                      \
         .help = "Lists the service by name in the public statistics."},                           \
        {.name = "terms",                                                                          \
         .kind = OPTION_FLAG,                                                                      \
         .help = "Notes that the service has accepted the terms."},                                \
        {.name = "weight",                                                                         \
         .kind = OPTION_NUMBER,                                                                    \
         .argument = "X",                                                                          \
         .low = 0.01,                                                                              \
         .high = 100,                                                                              \
         .help = "Its share where services compete; 1 is usual."},                                 \
        {.name = "precache",                                                                       \
         .kind = OPTION_CHOICE,                                                                    \
         .choices = "off|always|used",                                                             \
         .help = "When the next work of its accounts is made ahead: never, as soon as a block is " \
                 "confirmed, or only for accounts that were asked for lately."},                   \
        {.name = "precache-receive",                                                               \
         .kind = OPTION_CHOICE,                                                                    \
         .choices = "on|off",                                                                      \
         .help = "Whether what is made ahead is for receiving only, 64 times cheaper."},           \
        {.name = "precache-accounts",                                                              \
         .kind = OPTION_U64,                                                                       \
         .argument = "N",                                                                          \
         .maximum = 1000000,                                                                       \
         .help = "How many of its accounts are remembered."},                                      \
        {.name = "precache-per-hour",                                                              \
         .kind = OPTION_U64,                                                                       \
         .argument = "N",                                                                          \
         .maximum = 1000000,                                                                       \
         .help = "How many works an hour are made ahead for it."},                                 \
    {                                                                                              \
        .name = "precache-period", .kind = OPTION_U64, .argument = "SECONDS", .minimum = 1,        \
        .maximum = 31622400,                                                                       \
        .help = "With --precache used: how lately an account must have been asked for."            \
    }

static const struct option_spec add_options[] = {
    SERVICE_OPTIONS,
    {.name = "rate",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 0.01,
     .high = 1e6,
     .help = "How many requests a second it may make.",
     .fallback = "100"},
    {.name = "credits",
     .kind = OPTION_U64,
     .argument = "N",
     .maximum = 9007199254740992,
     .help = "Makes it pay one credit for each work, and grants it so many; otherwise it pays "
             "nothing."},
    {.name = NULL},
};

static const struct option_spec edit_options[] = {
    SERVICE_OPTIONS,
    {.name = "rate",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 0.01,
     .high = 1e6,
     .help = "How many requests a second it may make."},
    {.name = "private",
     .kind = OPTION_FLAG,
     .help = "Takes the service's name out of the public statistics."},
    {.name = "unlimited", .kind = OPTION_FLAG, .help = "It pays no credits any more."},
    {.name = "limited",
     .kind = OPTION_FLAG,
     .help = "It pays one credit for each work from now on, out of what it has."},
    {.name = NULL},
};

static const struct option_spec rotate_options[] = {
    {.name = "overlap",
     .kind = OPTION_U64,
     .argument = "SECONDS",
     .maximum = 31622400,
     .help = "How long the old keys still work.",
     .fallback = "86400"},
    {.name = NULL},
};

static const struct option_spec ban_options[] = {
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

static void write_flag(struct admin_request *request, const char *member, bool value)
{
    json_key(&request->writer, member);
    json_write_bool(&request->writer, value);
}

static void begin(struct admin_request *request, const struct invocation *invocation,
                  const char *command)
{
    admin_request_begin(request, command);
    json_key(&request->writer, "name");
    json_write_text(&request->writer, invocation->arguments[0]);
}

static void write_fields(struct admin_request *request, const struct invocation *invocation)
{
    const struct options *options = invocation->options;
    const char *receive = options_text(options, "precache-receive");
    admin_request_text(request, invocation, "display", "display");
    admin_request_text(request, invocation, "website", "website");
    admin_request_text(request, invocation, "contact", "contact");
    admin_request_text(request, invocation, "precache", "precache");
    admin_request_number(request, invocation, "weight", "weight");
    admin_request_u64(request, invocation, "precache-accounts", "precache_accounts");
    admin_request_u64(request, invocation, "precache-per-hour", "precache_per_hour");
    admin_request_u64(request, invocation, "precache-period", "precache_period");
    if (options_flag(options, "public"))
        write_flag(request, "public", true);
    if (options_flag(options, "terms"))
        write_flag(request, "terms", true);
    if (receive != NULL)
        write_flag(request, "precache_receive", strcmp(receive, "on") == 0);
}

static const char key_note[] = "The key is shown this once only.";

static int run_add(const struct invocation *invocation)
{
    struct admin_request request;
    begin(&request, invocation, "service add");
    write_fields(&request, invocation);
    json_key(&request.writer, "rate");
    json_write_double(&request.writer, options_number(invocation->options, "rate"));
    admin_request_u64(&request, invocation, "credits", "credits");
    return admin_run_noting(invocation, &request, key_note);
}

static int run_edit(const struct invocation *invocation)
{
    const struct options *options = invocation->options;
    struct admin_request request;
    if (options_flag(options, "public") && options_flag(options, "private"))
        return command_misused(invocation, "--public and --private exclude each other");
    if (options_flag(options, "unlimited") && options_flag(options, "limited"))
        return command_misused(invocation, "--unlimited and --limited exclude each other");
    begin(&request, invocation, "service edit");
    write_fields(&request, invocation);
    admin_request_number(&request, invocation, "rate", "rate");
    if (options_flag(options, "private"))
        write_flag(&request, "public", false);
    if (options_flag(options, "unlimited"))
        write_flag(&request, "unlimited", true);
    if (options_flag(options, "limited"))
        write_flag(&request, "unlimited", false);
    return admin_run(invocation, &request);
}

static int run_list(const struct invocation *invocation)
{
    struct admin_request request;
    admin_request_begin(&request, "service list");
    return admin_run(invocation, &request);
}

static int run_show(const struct invocation *invocation)
{
    struct admin_request request;
    begin(&request, invocation, "service show");
    return admin_run(invocation, &request);
}

static int run_rotate(const struct invocation *invocation)
{
    struct admin_request request;
    begin(&request, invocation, "service rotate-key");
    json_key(&request.writer, "overlap");
    json_write_u64(&request.writer, options_u64(invocation->options, "overlap"));
    return admin_run_noting(invocation, &request, key_note);
}

static int run_ban(const struct invocation *invocation)
{
    struct admin_request request;
    begin(&request, invocation, "service ban");
    admin_request_text(&request, invocation, "reason", "reason");
    admin_request_u64(&request, invocation, "for", "seconds");
    return admin_run(invocation, &request);
}

static int run_unban(const struct invocation *invocation)
{
    struct admin_request request;
    begin(&request, invocation, "service unban");
    return admin_run(invocation, &request);
}

static int run_remove(const struct invocation *invocation)
{
    struct admin_request request;
    begin(&request, invocation, "service remove");
    return admin_run(invocation, &request);
}

const struct command command_service_add = {
    .name = "service add",
    .summary = "Add a service and print its API key",
    .synopsis = "NAME [OPTIONS]",
    .description = "Adds a service and prints its API key, once: only a hash of it is kept.",
    .examples = "dpow admin service add wallet --display \"My Wallet\" --public",
    .options = add_options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_add,
};

const struct command command_service_list = {
    .name = "service list",
    .summary = "List the services",
    .synopsis = "[OPTIONS]",
    .description = "Lists the services: names, rates, credits, bans, and how many requests of each "
                   "were answered from the cache (precache) and after a search (ondemand).",
    .examples = "dpow admin --data-dir ./hub service list",
    .run = run_list,
};

const struct command command_service_show = {
    .name = "service show",
    .summary = "Show all about a service",
    .synopsis = "NAME [OPTIONS]",
    .description = "Shows all that is known of a service, with the sums of its credit account and "
                   "the ends of its keys.",
    .examples = "dpow admin service show wallet",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_show,
};

const struct command command_service_edit = {
    .name = "service edit",
    .summary = "Change a service",
    .synopsis = "NAME [OPTIONS]",
    .description = "Changes what is given and leaves all else. Takes effect at once.",
    .examples = "dpow admin service edit wallet --rate 50 --precache used",
    .options = edit_options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_edit,
};

const struct command command_service_rotate = {
    .name = "service rotate-key",
    .summary = "Give a service a new API key",
    .synopsis = "NAME [OPTIONS]",
    .description = "Prints a new API key, once. The old ones work on until the overlap is over.",
    .examples = "dpow admin service rotate-key wallet --overlap 3600",
    .options = rotate_options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_rotate,
};

const struct command command_service_ban = {
    .name = "service ban",
    .summary = "Refuse a service",
    .synopsis = "NAME [OPTIONS]",
    .description =
        "The service is told \"Service suspended\" from now on, on open connections too, "
        "and so is whatever it waits for.",
    .examples = "dpow admin service ban wallet --reason spam --for 86400",
    .options = ban_options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_ban,
};

const struct command command_service_unban = {
    .name = "service unban",
    .summary = "Serve a banned service again",
    .synopsis = "NAME [OPTIONS]",
    .examples = "dpow admin service unban wallet",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_unban,
};

const struct command command_service_remove = {
    .name = "service remove",
    .summary = "End a service",
    .synopsis = "NAME [OPTIONS]",
    .description = "Its keys end at once and its name becomes free. What it did stays counted.",
    .examples = "dpow admin service remove wallet",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_remove,
};
