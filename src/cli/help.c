#include "cli/frame_internal.h"

#include <string.h>

enum { WIDTH = 80, HELP_COLUMN = 8 };

/* Prints text in lines of WIDTH at most, each indented; a line end in it begins a paragraph. */
static void print_wrapped(FILE *out, const char *text, size_t indent)
{
    size_t column = 0;
    while (*text != '\0') {
        const size_t length = strcspn(text, " \n");
        if (column > 0 && column + 1 + length > WIDTH) {
            (void)fputc('\n', out);
            column = 0;
        }
        if (column == 0) {
            (void)fprintf(out, "%*s", (int)indent, "");
            column = indent;
        } else {
            (void)fputc(' ', out);
            column++;
        }
        (void)fwrite(text, 1, length, out);
        column += length;
        text += length;
        if (*text == '\n') {
            (void)fputs("\n\n", out);
            column = 0;
        }
        text += strspn(text, " \n");
    }
    (void)fputc('\n', out);
}

/* Prints each line of a text behind a prefix. */
static void print_lines(FILE *out, const char *text, const char *prefix)
{
    while (*text != '\0') {
        const size_t length = strcspn(text, "\n");
        (void)fprintf(out, "%s%.*s\n", prefix, (int)length, text);
        text += length;
        if (*text == '\n')
            text++;
    }
}

static void print_option(FILE *out, const struct option_spec *spec)
{
    const char *argument = spec->argument != NULL ? spec->argument : spec->choices;
    const char *dots = spec->kind == OPTION_LIST ? "…" : "";
    if (strcmp(spec->name, "help") == 0)
        (void)fprintf(out, "  -h, --help\n");
    else if (spec->kind == OPTION_FLAG)
        (void)fprintf(out, "  --%s\n", spec->name);
    else if (spec->secret)
        (void)fprintf(out, "  --%s %s%s, --%s-file FILE\n", spec->name, argument, dots, spec->name);
    else
        (void)fprintf(out, "  --%s %s%s\n", spec->name, argument, dots);
    char text[512];
    const bool told = spec->fallback != NULL && spec->kind != OPTION_FLAG;
    (void)snprintf(text, sizeof text, "%s%s%s%s", spec->help, told ? " Default: " : "",
                   told ? spec->fallback : "", told ? "." : "");
    print_wrapped(out, text, HELP_COLUMN);
}

static void print_usage(FILE *out, const char *name, const char *synopsis)
{
    const char *lead = "Usage: ";
    while (*synopsis != '\0') {
        const size_t length = strcspn(synopsis, "\n");
        (void)fprintf(out, "%s%s %.*s\n", lead, name, (int)length, synopsis);
        synopsis += length;
        if (*synopsis == '\n')
            synopsis++;
        lead = "       ";
    }
}

static void print_subcommands(FILE *out, const struct command *const *subcommands)
{
    (void)fprintf(out, "\nSubcommands:\n");
    for (size_t i = 0; subcommands[i] != NULL; i++)
        (void)fprintf(out, "  %-23s %s\n", subcommands[i]->name, subcommands[i]->summary);
}

void help_print(FILE *out, const char *name, const struct command *command,
                const struct option_spec *const *tables)
{
    print_usage(out, name, command->synopsis);
    (void)fprintf(out, "\n%s.\n", command->summary);
    if (command->description != NULL) {
        (void)fputc('\n', out);
        print_wrapped(out, command->description, 0);
    }
    if (command->subcommands != NULL)
        print_subcommands(out, command->subcommands);
    (void)fprintf(out, "\nOptions:\n");
    for (size_t i = 0; tables[i] != NULL; i++)
        for (const struct option_spec *spec = tables[i]; spec->name != NULL; spec++)
            print_option(out, spec);
    (void)fprintf(out, "\nExamples:\n");
    print_lines(out, command->examples, "  ");
}
