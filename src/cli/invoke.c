#include "cli/frame_internal.h"

#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 64 };

const struct option_spec common_options[] = {
    {.name = "config",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Reads options from the section of this command in an INI file."},
    {.name = "log",
     .kind = OPTION_CHOICE,
     .choices = "text|json",
     .help = "How the log on standard error is written; by default text at a terminal, otherwise "
             "JSON."},
    {.name = "log-level",
     .kind = OPTION_CHOICE,
     .choices = "debug|info|warning|error",
     .help = "What is less than this is not logged.",
     .fallback = "info"},
    {.name = "help", .kind = OPTION_FLAG, .help = "Prints this text."},
    {.name = "version", .kind = OPTION_FLAG, .help = "Prints the version."},
    {.name = NULL},
};

/* How many words of a subcommand's name stand at the front of the arguments; 0 unless all do. */
static size_t matching_words(const char *name, const struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->count; i++) {
        const size_t length = strcspn(name, " ");
        if (strlen(arguments->list[i]) != length || strncmp(name, arguments->list[i], length) != 0)
            return 0;
        name += length;
        if (*name == '\0')
            return i + 1;
        name++;
    }
    return 0;
}

static const struct command *find_subcommand(const struct command *group,
                                             const struct arguments *arguments, size_t *words)
{
    for (size_t i = 0; group->subcommands[i] != NULL; i++) {
        *words = matching_words(group->subcommands[i]->name, arguments);
        if (*words > 0)
            return group->subcommands[i];
    }
    return NULL;
}

static struct log make_log(const struct options *options, const char *part)
{
    struct log log = {.descriptor = STDERR_FILENO, .part = part};
    const char *format = options_text(options, "log");
    if (format == NULL)
        log.format = isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON;
    else
        (void)log_format_parse(format, &log.format);
    (void)log_level_parse(options_text(options, "log-level"), &log.level);
    return log;
}

static bool read_other_sources(struct options *options, const struct command *const *commands,
                               const struct command *command, struct error *error)
{
    if (!environment_read(options, command, error))
        return false;
    const char *path = options_text(options, "config");
    return path == NULL || config_read(options, path, commands, command, error);
}

/* What the options of a call are read from. */
struct invocation_source {
    const struct option_spec *const *tables;
    const struct command *const *commands;
    const struct command *group;
    const struct command *command;
    int argc;
    char **argv;
};

struct options *command_reread(const struct invocation *invocation, struct error *error)
{
    const struct invocation_source *source = invocation->source;
    struct arguments arguments;
    struct options *options = options_create(source->tables, error);
    if (options == NULL)
        return NULL;
    if (arguments_read(options, source->argc, source->argv, false, &arguments, error) &&
        read_other_sources(options, source->commands, source->group, error))
        return options;
    options_destroy(options);
    return NULL;
}

static int run_checked(const char *name, const struct invocation_source *source,
                       const struct options *options, const struct arguments *arguments)
{
    const struct command *command = source->command;
    const struct invocation invocation = {
        .source = source,
        .name = name,
        .options = options,
        .arguments = arguments->list,
        .argument_count = arguments->count,
        .log = make_log(options, source->group->name),
    };
    if (arguments->count < command->arguments_min)
        return command_misused(&invocation, "an argument is missing");
    if (arguments->count > command->arguments_max)
        return command_misused(&invocation, "%s is one argument too many",
                               arguments->list[command->arguments_max]);
    return command->run(&invocation);
}

static int print_asked(const char *name, const struct command *command,
                       const struct options *options, const struct arguments *arguments)
{
    const struct invocation invocation = {.name = name, .options = options};
    if (!arguments->help)
        return command_print(&invocation, "dpow " DPOW_VERSION);
    help_print(stdout, name, command, options_tables(options));
    if (fflush(stdout) == 0)
        return EXIT_DONE;
    report_problem(name, "cannot write to standard output");
    return EXIT_FAILED;
}

static int read_and_run(const char *name, const struct invocation_source *source,
                        struct options *options)
{
    struct error error;
    struct arguments arguments;
    if (!arguments_read(options, source->argc, source->argv, false, &arguments, &error))
        return report_misuse(name, error.text);
    if (arguments.help || arguments.version)
        return print_asked(name, source->command, options, &arguments);
    if (!read_other_sources(options, source->commands, source->group, &error))
        return report_misuse(name, error.text);
    return run_checked(name, source, options, &arguments);
}

/* Runs a command, or a subcommand of a group, with the words of its name taken out of argv. */
static int run_command(const char *name, const struct command *const *commands,
                       const struct command *group, const struct command *command, int argc,
                       char **argv)
{
    const struct option_spec *tables[OPTION_TABLES_MAX + 1] = {NULL};
    size_t count = 0;
    if (command != group && command->options != NULL)
        tables[count++] = command->options;
    if (group->options != NULL && (command == group || group->run == NULL))
        tables[count++] = group->options;
    tables[count] = common_options;
    struct error error;
    struct options *options = options_create(tables, &error);
    if (options == NULL) {
        report_problem(name, error.text);
        return EXIT_FAILED;
    }
    const struct invocation_source source = {tables, commands, group, command, argc, argv};
    const int status = read_and_run(name, &source, options);
    options_destroy(options);
    return status;
}

/* Reads the options of a group up to the first word of a subcommand. */
static bool read_leading(const struct command *group, int argc, char **argv,
                         struct arguments *arguments, struct error *error)
{
    const struct option_spec *tables[OPTION_TABLES_MAX + 1] = {common_options, group->options};
    struct options *options = options_create(tables, error);
    if (options == NULL)
        return false;
    const bool done = arguments_read(options, argc, argv, true, arguments, error);
    options_destroy(options);
    return done;
}

static int unknown_subcommand(const char *name, const struct command *group,
                              const struct arguments *arguments)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s is no subcommand", arguments->list[0]);
    for (size_t i = 0; group->subcommands[i] != NULL; i++) {
        char typed[NAME_SIZE];
        (void)snprintf(typed, sizeof typed, "%s%s%s", arguments->list[0],
                       arguments->count > 1 ? " " : "",
                       arguments->count > 1 ? arguments->list[1] : "");
        if (!text_resembles(group->subcommands[i]->name, typed))
            continue;
        (void)snprintf(text, sizeof text, "%s is no subcommand (did you mean %s?)", typed,
                       group->subcommands[i]->name);
        break;
    }
    return report_misuse(name, text);
}

static int run_group(const char *name, const struct command *const *commands,
                     const struct command *group, int argc, char **argv)
{
    struct arguments leading;
    struct error error;
    if (!read_leading(group, argc, argv, &leading, &error))
        return report_misuse(name, error.text);
    if (leading.help || leading.version)
        return run_command(name, commands, group, group, argc - (int)leading.count, argv);
    size_t words = 0;
    const struct command *command =
        leading.count > 0 ? find_subcommand(group, &leading, &words) : NULL;
    if (command == NULL && group->run != NULL)
        return run_command(name, commands, group, group, argc, argv);
    if (leading.count == 0)
        return report_misuse(name, "a subcommand is missing");
    if (command == NULL)
        return unknown_subcommand(name, group, &leading);
    const size_t first = (size_t)argc - leading.count;
    memmove(argv + first, argv + first + words, (leading.count - words + 1) * sizeof *argv);
    char full_name[2 * NAME_SIZE];
    (void)snprintf(full_name, sizeof full_name, "%s %s", name, command->name);
    return run_command(full_name, commands, group, command, argc - (int)words, argv);
}

int command_invoke(const struct command *const *commands, const struct command *command, int argc,
                   char **argv)
{
    char name[NAME_SIZE];
    (void)snprintf(name, sizeof name, "dpow %s", command->name);
    if (command->subcommands != NULL)
        return run_group(name, commands, command, argc, argv);
    return run_command(name, commands, command, command, argc, argv);
}
