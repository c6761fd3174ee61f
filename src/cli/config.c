#include "cli/frame_internal.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

/* What one pass over the file knows. The library tells its handler no line numbers, so its lines
 * are read, and counted, here. */
struct config_pass {
    struct options *options;
    const char *path;
    const struct command *const *commands;
    const struct command *command;
    FILE *file;
    unsigned line;
    bool failed;
    struct error *error;
};

static const struct command *find_section(const struct config_pass *pass, const char *name)
{
    for (size_t i = 0; pass->commands[i] != NULL; i++)
        if (strcmp(pass->commands[i]->name, name) == 0)
            return pass->commands[i];
    return NULL;
}

/* Options that ask for something else than a run, and the file itself, mean nothing in a file. */
static bool is_common(const char *key)
{
    return strcmp(key, "config") != 0 && strcmp(key, "help") != 0 && strcmp(key, "version") != 0 &&
           option_find(common_options, key, NULL) != NULL;
}

static bool has_option(const struct command *command, const char *key)
{
    if (is_common(key) || option_find(command->options, key, NULL) != NULL)
        return true;
    for (size_t i = 0; command->subcommands != NULL && command->subcommands[i] != NULL; i++)
        if (option_find(command->subcommands[i]->options, key, NULL) != NULL)
            return true;
    return false;
}

static bool fail(struct config_pass *pass, const char *problem, const char *name)
{
    pass->failed = true;
    return error_set(pass->error, ERROR_INVALID, "%s:%u: %s %s", pass->path, pass->line, problem,
                     name);
}

static bool set_key(struct config_pass *pass, const char *section, const char *key,
                    const char *value)
{
    const struct command *command = find_section(pass, section);
    if (command == NULL && section[0] == '\0')
        return fail(pass, "no [section] above key", key);
    if (command == NULL)
        return fail(pass, "no command for section", section);
    if (!has_option(command, key))
        return fail(pass, "unknown key", key);
    if (command != pass->command || !options_known(pass->options, key))
        return true;
    char where[192];
    (void)snprintf(where, sizeof where, "%.120s:%u: %s", pass->path, pass->line, key);
    pass->failed = !options_set(pass->options, key, value, SOURCE_CONFIG, where, pass->error);
    return !pass->failed;
}

static int handle_entry(void *context, const char *section, const char *key, const char *value)
{
    struct config_pass *pass = context;
    return !pass->failed && set_key(pass, section, key, value);
}

/* A line is given to the library without its indent, which it would take for a continuation. An
 * empty section is not reported by the library either, so its name is checked here. */
static char *read_line(char *text, int size, void *context)
{
    struct config_pass *pass = context;
    if (pass->failed || fgets(text, size, pass->file) == NULL)
        return NULL;
    pass->line++;
    const size_t length = strlen(text);
    if (length + 1 == (size_t)size && text[length - 1] != '\n' && !feof(pass->file)) {
        char limit[32];
        (void)snprintf(limit, sizeof limit, "%d bytes", size - 2);
        (void)fail(pass, "the line is longer than", limit);
        return NULL;
    }
    const size_t indent = strspn(text, " \t");
    memmove(text, text + indent, length - indent + 1);
    if (text[0] != '[')
        return text;
    char section[64];
    (void)snprintf(section, sizeof section, "%.*s", (int)strcspn(text + 1, "]\n"), text + 1);
    if (find_section(pass, section) != NULL)
        return text;
    (void)fail(pass, "no command for section", section);
    return NULL;
}

bool config_read(struct options *options, const char *path, const struct command *const *commands,
                 const struct command *command, struct error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(error, ERROR_SYSTEM, "--config: cannot open %s: %s", path,
                         strerror(errno));
    struct config_pass pass = {
        .options = options,
        .path = path,
        .commands = commands,
        .command = command,
        .file = file,
        .error = error,
    };
    const int malformed = ini_parse_stream(read_line, &pass, handle_entry, &pass);
    const bool unreadable = ferror(file) != 0;
    (void)fclose(file);
    if (pass.failed)
        return false;
    if (unreadable || malformed < 0)
        return error_set(error, ERROR_SYSTEM, "--config: cannot read %s", path);
    if (malformed > 0)
        return error_set(error, ERROR_INVALID, "%s:%d: it must be [section] or key = value", path,
                         malformed);
    return true;
}
