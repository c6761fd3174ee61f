/**
 * render: a command's JSON result as text for people: an object as lines of `name  value`, an array
 * of objects as a table. Control characters of texts from outside are shown as question marks, so
 * that they cannot drive a terminal.
 */
#ifndef DPOW_CLI_RENDER_H
#define DPOW_CLI_RENDER_H

#include "base/json.h"

/**
 * @param json one value that has been found right
 * @return the text, to be freed by the caller, without a line end behind it; NULL when out of
 * memory
 */
char *render_text(struct json_value json);

#endif
