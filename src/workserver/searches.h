/**
 * searches: what the engine searches for each place of the queue. Ends come on the engine's threads
 * and are handed to the loop's.
 */
#ifndef DPOW_WORKSERVER_SEARCHES_H
#define DPOW_WORKSERVER_SEARCHES_H

#include "engine/devices.h"
#include "workserver/queue_core.h"

#include <uv.h>

/** What to make an engine of, and whom to tell. */
struct searches_options {
    uv_loop_t *loop;
    const struct device_list *devices;
    unsigned places;
    const char *cache_dir;
    /** A search has ended, found or failed; also one that was stopped or replaced, if it had ended
     *  already. On the loop. */
    void (*on_end)(void *context, const struct search_end *end, bool current);
    /** As engine.h; on a device's thread. */
    void (*on_device)(void *context, const struct device_event *event);
    void *context;
};

struct searches;

/** @return owned by the caller; NULL with the error filled */
struct searches *searches_create(const struct searches_options *options, struct error *error);

/** Searches in a place, instead of what it searches now. @return false with the error if it cannot
 */
bool searches_start(struct searches *searches, unsigned place, const struct root *root,
                    uint64_t threshold, struct error *error);

/** A place searches nothing any more. */
void searches_stop(struct searches *searches, unsigned place);

/** The engine, for its counters. */
struct engine *searches_engine(const struct searches *searches);

/** Stops everything; on_end comes no more. Frees when the loop has closed its handle. */
void searches_close(struct searches *searches);

#endif
