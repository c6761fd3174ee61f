#include "cli/state_directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool join(const char *path, const char *below, char directory[STATE_DIRECTORY_SIZE],
                 struct error *error)
{
    const int length = snprintf(directory, STATE_DIRECTORY_SIZE, "%s%s", path, below);
    if (length > 0 && length < STATE_DIRECTORY_SIZE)
        return true;
    return error_set(error, ERROR_INVALID, "the data directory's path must have 1 to %d characters",
                     STATE_DIRECTORY_SIZE - 1);
}

bool state_directory_find(const char *given, char directory[STATE_DIRECTORY_SIZE],
                          struct error *error)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (given != NULL)
        return join(given, "", directory, error);
    if (geteuid() == 0)
        return join("/var/lib/dpow", "", directory, error);
    if (state != NULL && state[0] == '/')
        return join(state, "/dpow", directory, error);
    if (home != NULL && home[0] == '/')
        return join(home, "/.local/state/dpow", directory, error);
    return error_set(error, ERROR_INVALID,
                     "no place for data: name one with --data-dir, or set HOME");
}
