#include "cli/frame_internal.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 128 };

static void append_upper(char name[NAME_SIZE], const char *text)
{
    size_t length = strlen(name);
    for (; *text != '\0' && length + 1 < NAME_SIZE; text++) {
        if (*text >= 'a' && *text <= 'z')
            name[length++] = (char)(*text - 'a' + 'A');
        else
            name[length++] = (char)(*text == '-' ? '_' : *text);
    }
    name[length] = '\0';
}

static bool read_variable(struct options *options, const struct command *command,
                          const char *option, struct error *error)
{
    char name[NAME_SIZE] = "DPOW_";
    append_upper(name, command->name);
    append_upper(name, "_");
    append_upper(name, option);
    const char *value = getenv(name);
    if (value == NULL)
        return true;
    char where[NAME_SIZE + 16];
    (void)snprintf(where, sizeof where, "environment %s", name);
    return options_set(options, option, value, SOURCE_ENVIRONMENT, where, error);
}

static bool read_option(struct options *options, const struct command *command,
                        const struct option_spec *spec, struct error *error)
{
    if (!read_variable(options, command, spec->name, error))
        return false;
    if (!spec->secret)
        return true;
    char file_option[NAME_SIZE];
    (void)snprintf(file_option, sizeof file_option, "%s-file", spec->name);
    return read_variable(options, command, file_option, error);
}

bool environment_read(struct options *options, const struct command *command, struct error *error)
{
    const struct option_spec *const *tables = options_tables(options);
    for (size_t i = 0; tables[i] != NULL; i++)
        for (const struct option_spec *spec = tables[i]; spec->name != NULL; spec++)
            if (!read_option(options, command, spec, error))
                return false;
    return true;
}
