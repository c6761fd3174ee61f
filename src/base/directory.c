#include "base/directory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool make_one(const char *path, struct error *error)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    return error_set(error, ERROR_SYSTEM, "cannot create %.160s: %s", path, strerror(errno));
}

bool directory_make(const char *path, struct error *error)
{
    char partial[DIRECTORY_PATH_SIZE];
    const size_t length = strlen(path);
    if (length == 0 || length >= sizeof partial)
        return error_set(error, ERROR_INVALID, "a folder's path must have 1 to %d characters",
                         DIRECTORY_PATH_SIZE - 1);
    memcpy(partial, path, length + 1);
    for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!make_one(partial, error))
            return false;
        *slash = '/';
    }
    return make_one(partial, error);
}
