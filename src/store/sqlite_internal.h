/**
 * sqlite_internal: what the files of the SQLite backend share.
 */
#ifndef DPOW_STORE_SQLITE_INTERNAL_H
#define DPOW_STORE_SQLITE_INTERNAL_H

#include "base/error.h"

#include <sqlite3.h>

/** Fills the error with what SQLite says; the text begins with what was being done. */
bool sqlite_failed(sqlite3 *database, const char *doing, struct error *error);

/**
 * Creates the schema in an empty file, or brings an older one forward, in one transaction. A newer
 * schema, and another program's tables, are ERROR_INVALID and left as they are.
 */
bool sqlite_schema_update(sqlite3 *database, struct error *error);

#endif
