/**
 * directory: folders of the program's own.
 */
#ifndef DPOW_BASE_DIRECTORY_H
#define DPOW_BASE_DIRECTORY_H

#include "base/error.h"

/** The longest path, its NUL included. */
enum { DIRECTORY_PATH_SIZE = 1024 };

/**
 * Creates a folder and what is missing above it, for its owner only.
 * @return false with the error naming the folder that cannot be created; that it exists is no error
 */
bool directory_make(const char *path, struct error *error);

#endif
