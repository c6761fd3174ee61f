/**
 * control: the operator's door to a running hub: a Unix socket in the data directory, for its owner
 * only. One line of JSON in, one line out (admin.h), then it closes.
 */
#ifndef DPOW_HUB_CONTROL_H
#define DPOW_HUB_CONTROL_H

#include "base/log.h"
#include "hub/admin.h"

#include <uv.h>

struct control;

/** Starts to listen at `<data directory>/control.sock`; the caller has made sure that no other hub
 *  uses the directory. */
struct control *control_create(uv_loop_t *loop, const char *data_directory,
                               const struct admin_options *admin, const struct log *log,
                               struct error *error);

/** Stops listening, calls done when nothing is left open, and frees. */
void control_close(struct control *control, void (*done)(void *context), void *context);

/**
 * The operator's side, blocking: sends a request to the hub that runs on a data directory.
 * @param answer for the caller to free()
 * @return false with ERROR_NOT_FOUND if no hub runs there
 */
bool control_ask(const char *data_directory, struct slice request, char **answer,
                 struct error *error);

#endif
