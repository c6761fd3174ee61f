/**
 * frame_internal: what the files that read a command line offer each other; commands do not need
 * it.
 */
#ifndef DPOW_CLI_FRAME_INTERNAL_H
#define DPOW_CLI_FRAME_INTERNAL_H

#include "cli/cli.h"

#include <stdio.h>

/** The options that every command has: config, log, log-level, help, version. */
extern const struct option_spec common_options[];

/** What a pass over the command line found. */
struct arguments {
    bool help;               /**< -h or --help. */
    bool version;            /**< --version. */
    size_t count;            /**< How many arguments are not options. */
    const char *const *list; /**< Those arguments; they stay in argv. */
};

/**
 * Reads options and sets them; argv is reordered so that what is not an option comes last.
 * @param argc, argv as main() has them
 * @param only_leading stop at the first argument that is not an option, and check names only: this
 *        finds the words of a subcommand, whose options are not known yet
 */
bool arguments_read(struct options *options, int argc, char **argv, bool only_leading,
                    struct arguments *arguments, struct error *error);

/**
 * Sets what a configuration file says for a command.
 * @param commands the sections it may have; every key of every section is checked by name
 * @param command whose section counts
 */
bool config_read(struct options *options, const char *path, const struct command *const *commands,
                 const struct command *command, struct error *error);

/** Sets what the environment says: DPOW_<COMMAND>_<OPTION>. */
bool environment_read(struct options *options, const struct command *command, struct error *error);

/**
 * Prints the help of a command or group.
 * @param name its words: "dpow admin service add"
 */
void help_print(FILE *out, const char *name, const struct command *command,
                const struct option_spec *const *tables);

/** Writes a line to standard error: the name of the command and what is wrong. */
void report_problem(const char *name, const char *text);

/** Likewise, with a hint to --help. @return EXIT_USAGE */
int report_misuse(const char *name, const char *text);

/** How many characters must be inserted, deleted or replaced to make one text of the other. */
size_t text_distance(const char *a, const char *b);

/** Whether a name is so near to what was typed that it is worth asking whether it was meant. */
bool text_resembles(const char *name, const char *typed);

#endif
