/**
 * loop: what every owner of a libuv loop does with its handles.
 */
#ifndef DPOW_NET_LOOP_H
#define DPOW_NET_LOOP_H

#include <uv.h>

/** Closes a handle of the owner's own struct, unless it was never made (zeroed memory) or is
 * closing already. On the loop. */
static inline void loop_close(uv_handle_t *handle)
{
    if (handle->loop != NULL && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

#endif
