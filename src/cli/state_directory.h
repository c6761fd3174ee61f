/**
 * state_directory: where commands keep what outlives them, unless told otherwise (cli.md).
 */
#ifndef DPOW_CLI_STATE_DIRECTORY_H
#define DPOW_CLI_STATE_DIRECTORY_H

#include "base/error.h"

enum { STATE_DIRECTORY_SIZE = 512 };

/**
 * The directory the option names, or /var/lib/dpow for root, or $XDG_STATE_HOME/dpow, or
 * $HOME/.local/state/dpow.
 * @param given what --data-dir says; NULL if it says nothing
 * @return false if the path is too long, or neither variable is set
 */
bool state_directory_find(const char *given, char directory[STATE_DIRECTORY_SIZE],
                          struct error *error);

#endif
