#include "cli/frame_internal.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* getopt_long() wants its own table and keeps its state in globals; both stay in this file. */

enum { FILE_NAME_SIZE = 64, FOUND_LONG = 1 };

/* The table, and the names of secrets' files, which it points to. */
struct getopt_table {
    struct option *options;
    char (*file_names)[FILE_NAME_SIZE];
    size_t count;
    size_t files;
};

static void destroy_table(struct getopt_table *table)
{
    free(table->options);
    free(table->file_names);
}

static void add_option(struct getopt_table *table, const struct option_spec *spec)
{
    const int argument = spec->kind == OPTION_FLAG ? no_argument : required_argument;
    table->options[table->count++] = (struct option){spec->name, argument, NULL, FOUND_LONG};
    if (!spec->secret)
        return;
    char *name = table->file_names[table->files++];
    const int length = snprintf(name, FILE_NAME_SIZE, "%s-file", spec->name);
    assert(length > 0 && length < FILE_NAME_SIZE);
    (void)length;
    table->options[table->count++] = (struct option){name, required_argument, NULL, FOUND_LONG};
}

static bool create_table(struct getopt_table *table, const struct option_spec *const *specs,
                         struct error *error)
{
    size_t count = 0;
    for (size_t i = 0; specs[i] != NULL; i++)
        for (const struct option_spec *spec = specs[i]; spec->name != NULL; spec++)
            count++;
    *table = (struct getopt_table){
        .options = calloc(2 * count + 1, sizeof *table->options),
        .file_names = calloc(count + 1, sizeof *table->file_names),
    };
    if (table->options == NULL || table->file_names == NULL) {
        destroy_table(table);
        error_set(error, ERROR_MEMORY, "no memory for options");
        return false;
    }
    for (size_t i = 0; specs[i] != NULL; i++)
        for (const struct option_spec *spec = specs[i]; spec->name != NULL; spec++)
            add_option(table, spec);
    return true;
}

/* The text is a secret's value perhaps: it is quoted up to the equals sign only. */
static bool unknown_option(const struct getopt_table *table, const char *typed, struct error *error)
{
    const int length = (int)strcspn(typed, "=");
    if (strncmp(typed, "--", 2) != 0)
        return error_set(error, ERROR_INVALID, "unknown option -%c", optopt);
    char name[FILE_NAME_SIZE];
    (void)snprintf(name, sizeof name, "%.*s", length - 2, typed + 2);
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->options[i].name, name) == 0)
            return error_set(error, ERROR_INVALID, "--%s takes no value", name);
    for (size_t i = 0; i < table->count; i++)
        if (text_resembles(table->options[i].name, name))
            return error_set(error, ERROR_INVALID, "unknown option --%s (did you mean --%s?)", name,
                             table->options[i].name);
    return error_set(error, ERROR_INVALID, "unknown option --%s", name);
}

static bool take_option(struct options *options, const char *name, bool names_only,
                        struct arguments *arguments, struct error *error)
{
    assert(name != NULL);
    if (strcmp(name, "help") == 0)
        arguments->help = true;
    else if (strcmp(name, "version") == 0)
        arguments->version = true;
    if (names_only)
        return true;
    char where[FILE_NAME_SIZE + 2];
    (void)snprintf(where, sizeof where, "--%s", name);
    return options_set(options, name, optarg, SOURCE_COMMAND_LINE, where, error);
}

static bool read_options(struct options *options, const struct getopt_table *table, int argc,
                         char **argv, bool only_leading, struct arguments *arguments,
                         struct error *error)
{
    const char *const short_options = only_leading ? "+:h" : ":h";
    int found;
    int index = 0;
    optind = 0;
    opterr = 0;
    while ((found = getopt_long(argc, argv, short_options, table->options, &index)) != -1) {
        if (found == 'h')
            arguments->help = true;
        else if (found == ':')
            return error_set(error, ERROR_INVALID, "%s needs a value", argv[optind - 1]);
        else if (found != FOUND_LONG)
            return unknown_option(table, argv[optind - 1], error);
        else if (!take_option(options, table->options[index].name, only_leading, arguments, error))
            return false;
    }
    arguments->list = (const char *const *)(argv + optind);
    arguments->count = (size_t)(argc - optind);
    return true;
}

bool arguments_read(struct options *options, int argc, char **argv, bool only_leading,
                    struct arguments *arguments, struct error *error)
{
    struct getopt_table table;
    if (!create_table(&table, options_tables(options), error))
        return false;
    struct arguments read = {.count = 0};
    const bool done = read_options(options, &table, argc, argv, only_leading, &read, error);
    destroy_table(&table);
    if (done)
        *arguments = read;
    return done;
}
