/**
 * directories: where commands keep what outlives them, unless told otherwise (cli.md).
 */
#ifndef DPOW_CLI_DIRECTORIES_H
#define DPOW_CLI_DIRECTORIES_H

#include "base/error.h"

enum { DIRECTORY_SIZE = 512 };

/**
 * What must not be lost: the directory the option names, or /var/lib/dpow for root, or
 * $XDG_STATE_HOME/dpow, or $HOME/.local/state/dpow.
 * @param given what --data-dir says; NULL if it says nothing
 * @return false if the path is too long, or neither variable is set
 */
bool state_directory_find(const char *given, char directory[DIRECTORY_SIZE], struct error *error);

/**
 * What can be made anew, compiled kernels and tuned sizes: $CACHE_DIRECTORY, as systemd sets it, or
 * /var/cache/dpow for root, or $XDG_CACHE_HOME/dpow, or $HOME/.cache/dpow.
 * @return directory, or NULL if there is no such place: then nothing is kept
 */
const char *cache_directory_find(char directory[DIRECTORY_SIZE]);

#endif
