/**
 * cli: the command line of dpow (cli.md): one file a command, and the frame they share.
 *
 * Start here. A command is a constant `struct command` in a file of its own: its options are a
 * table (options.h), its `run` gets them read and checked. To add one: write the file, declare it
 * in commands.h, add a line to the table in main.c, the file to meson.build, and a page to man/.
 * What happens between main() and `run`: main.c finds the command, invoke.c collects the values
 * from arguments.c (the only user of getopt), environment and config.c, and help.c prints --help.
 *
 * This folder may include every other one; none includes it.
 */
#ifndef DPOW_CLI_CLI_H
#define DPOW_CLI_CLI_H

#include "base/log.h"
#include "cli/options.h"

/** Exit statuses of the process. */
enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

struct invocation;
struct invocation_source; /**< Where the options of a call come from; invoke.c knows it. */

/** A command, or a group of subcommands: then its options are theirs too, and it has no run; or it
 * has one, for when no subcommand is named, and its options are for that alone. */
struct command {
    const char *name;     /**< "pow"; of a subcommand all its words: "service add". */
    const char *summary;  /**< For the list of commands: begins upper-case, no full stop. */
    const char *synopsis; /**< What follows the name in usage; several lines, one for each form. */
    const char *description;                  /**< Paragraphs, each one line; NULL for none. */
    const char *examples;                     /**< Whole commands, one a line. */
    const struct option_spec *options;        /**< Its table; NULL for none. */
    const struct command *const *subcommands; /**< NULL-terminated; NULL for none. */
    size_t arguments_min; /**< How many arguments, options not counted, it takes at least… */
    size_t arguments_max; /**< …and at most. */
    /** Does it. @return an exit_status; whatever went wrong has been told */
    int (*run)(const struct invocation *invocation);
};

/** One call of a command. Everything in it is borrowed for the call. */
struct invocation {
    const char *name; /**< For messages: "dpow admin service add". */
    const struct options *options;
    const char *const *arguments; /**< What is not an option, subcommand's words left out. */
    size_t argument_count;        /**< Within the command's limits. */
    struct log log;               /**< As --log and --log-level say; its part is the command. */
    const struct invocation_source *source; /**< For command_reread(). */
};

/**
 * Reads options and arguments and runs a command. Prints help or version if asked.
 * @param commands every command of the program, NULL-terminated: the sections of a configuration
 * @param command one of them
 * @param argc, argv argv[0] is the command's name
 * @return an exit_status
 */
int command_invoke(const struct command *const *commands, const struct command *command, int argc,
                   char **argv);

/**
 * Reads the options of a call once more: the same command line, the environment, and what the
 * configuration file says now.
 * @return owned by the caller (options_destroy()); NULL with the error filled
 */
struct options *command_reread(const struct invocation *invocation, struct error *error);

/** Says on standard error, in one line, why the command failed. @return EXIT_FAILED */
int command_fail(const struct invocation *invocation, const struct error *error);

/** Says on standard error that the command was used wrongly, and where help is. @return EXIT_USAGE
 */
int command_misused(const struct invocation *invocation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * Writes a result and a line end to standard output and flushes it.
 * @return EXIT_DONE, or EXIT_FAILED, which is told, when it cannot be written
 */
int command_print(const struct invocation *invocation, const char *text);

#endif
