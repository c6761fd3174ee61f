#include "cli/directories.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool join(const char *path, const char *below, char directory[DIRECTORY_SIZE],
                 struct error *error)
{
    const int length = snprintf(directory, DIRECTORY_SIZE, "%s%s", path, below);
    if (length > 0 && length < DIRECTORY_SIZE)
        return true;
    return error_set(error, ERROR_INVALID, "the data directory's path must have 1 to %d characters",
                     DIRECTORY_SIZE - 1);
}

/* The base directory a variable names; relative ones do not count. */
static const char *absolute(const char *variable)
{
    const char *path = getenv(variable);
    return path != NULL && path[0] == '/' ? path : NULL;
}

bool state_directory_find(const char *given, char directory[DIRECTORY_SIZE], struct error *error)
{
    const char *state = absolute("XDG_STATE_HOME");
    const char *home = absolute("HOME");
    if (given != NULL)
        return join(given, "", directory, error);
    if (geteuid() == 0)
        return join("/var/lib/dpow", "", directory, error);
    if (state != NULL)
        return join(state, "/dpow", directory, error);
    if (home != NULL)
        return join(home, "/.local/state/dpow", directory, error);
    return error_set(error, ERROR_INVALID,
                     "no place for data: name one with --data-dir, or set HOME");
}

const char *cache_directory_find(char directory[DIRECTORY_SIZE])
{
    const char *systemd = absolute("CACHE_DIRECTORY");
    const char *cache = absolute("XDG_CACHE_HOME");
    const char *home = absolute("HOME");
    bool found = false;
    if (systemd != NULL)
        found = join(systemd, "", directory, NULL);
    else if (geteuid() == 0)
        found = join("/var/cache/dpow", "", directory, NULL);
    else if (cache != NULL)
        found = join(cache, "/dpow", directory, NULL);
    else if (home != NULL)
        found = join(home, "/.cache/dpow", directory, NULL);
    return found ? directory : NULL;
}
