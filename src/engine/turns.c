#include "base/clock.h"
#include "engine/engine_internal.h"

#include <stdlib.h>

void turns_announce(struct engine *engine)
{
    atomic_fetch_add_explicit(&engine->epoch, 1, memory_order_release);
    (void)pthread_cond_broadcast(&engine->changed);
}

static struct search **find_place(struct engine *engine, const struct search *search)
{
    for (unsigned i = 0; i < engine->parallel; i++)
        if (engine->running[i] == search)
            return &engine->running[i];
    return NULL;
}

void turns_fill(struct engine *engine)
{
    bool filled = false;
    for (unsigned i = 0; i < engine->parallel; i++) {
        if (engine->running[i] != NULL)
            continue;
        struct search *search = search_queue_next(&engine->queue);
        if (search == NULL)
            break;
        search->turn_began_us = clock_monotonic_us();
        engine->running[i] = search;
        filled = true;
    }
    if (filled)
        turns_announce(engine);
}

/* Drivers that are still at a search have not added their hashes yet. */
static uint64_t hashes_of(struct engine *engine, const struct search *search)
{
    uint64_t hashes = search->hashes;
    for (size_t d = 0; d < engine->device_count; d++) {
        const struct device *device = &engine->devices[d];
        for (unsigned t = 0; t < device->choice.threads; t++)
            if (device->drivers[t].searching == search->id)
                hashes += driver_hashes(&device->drivers[t]) - device->drivers[t].searching_since;
    }
    return hashes;
}

static void end_turn(struct search **place)
{
    (*place)->micros += clock_monotonic_us() - (*place)->turn_began_us;
    *place = NULL;
}

void turns_preempt(struct engine *engine)
{
    struct search **lowest = &engine->running[0];
    for (unsigned i = 0; i < engine->parallel; i++) {
        if (engine->running[i] == NULL)
            return;
        if (engine->running[i]->priority < (*lowest)->priority)
            lowest = &engine->running[i];
    }
    if (search_queue_next_priority(&engine->queue) <= (int)(*lowest)->priority)
        return;
    struct search *interrupted = *lowest;
    end_turn(lowest);
    search_queue_put_back(&engine->queue, interrupted);
}

/* How many working drivers come before this one. */
static unsigned rank_of(const struct engine *engine, const struct driver *driver)
{
    unsigned rank = 0;
    for (size_t d = 0; d < engine->device_count; d++) {
        const struct device *device = &engine->devices[d];
        for (unsigned t = 0; t < device->choice.threads; t++)
            rank += device->drivers[t].number < driver->number && device->drivers[t].works;
    }
    return rank;
}

/* The running search before which so many others came; NULL if there are not so many. */
static struct search *by_age(struct engine *engine, unsigned older)
{
    for (unsigned i = 0; i < engine->parallel; i++) {
        struct search *search = engine->running[i];
        unsigned before = 0;
        for (unsigned j = 0; search != NULL && j < engine->parallel; j++)
            before += engine->running[j] != NULL && engine->running[j]->id < search->id;
        if (search != NULL && before == older)
            return search;
    }
    return NULL;
}

/* Each driver has a place of its own among the running searches, and helps the next one while that
 * is free; so the end of a search moves none but its own drivers. When devices have failed and
 * fewer drivers are left than there are places, they take the oldest searches: none is left for
 * ever. */
struct search *turns_assigned(struct engine *engine, const struct driver *driver)
{
    const unsigned rank = rank_of(engine, driver);
    if (engine->working < engine->parallel) {
        struct search *search = by_age(engine, rank);
        return search != NULL ? search : by_age(engine, 0);
    }
    for (unsigned i = 0; i < engine->parallel; i++) {
        struct search *search = engine->running[(rank + i) % engine->parallel];
        if (search != NULL)
            return search;
    }
    return NULL;
}

void turns_note(struct driver *driver, const struct search *search)
{
    const uint64_t hashes = driver_hashes(driver);
    struct search *left = driver->searching == 0
                              ? NULL
                              : search_queue_find(&driver->engine->queue, driver->searching);
    if (left != NULL)
        left->hashes += hashes - driver->searching_since;
    driver->searching = search == NULL ? 0 : search->id;
    driver->searching_since = hashes;
}

struct search_end turns_take_out(struct engine *engine, struct search *search,
                                 enum search_outcome outcome)
{
    struct search **place = find_place(engine, search);
    search->hashes = hashes_of(engine, search);
    if (place != NULL)
        end_turn(place);
    search_queue_remove(&engine->queue, search);
    const struct search_end end = {
        .id = search->id,
        .outcome = outcome,
        .priority = search->priority,
        .root = search->root,
        .hashes = search->hashes,
        .micros = search->micros,
    };
    free(search);
    if (place != NULL) {
        turns_announce(engine);
        turns_fill(engine);
    }
    return end;
}

/* The order is that of their turns: those that run, then those that wait. */
static struct search *any_search(struct engine *engine)
{
    for (unsigned i = 0; i < engine->parallel; i++)
        if (engine->running[i] != NULL)
            return engine->running[i];
    return search_queue_next(&engine->queue);
}

void turns_end_all(struct engine *engine, enum search_outcome outcome)
{
    for (;;) {
        (void)pthread_mutex_lock(&engine->mutex);
        struct search *search = any_search(engine);
        if (search == NULL) {
            (void)pthread_mutex_unlock(&engine->mutex);
            return;
        }
        *(outcome == SEARCH_CANCELLED ? &engine->cancelled : &engine->failed) += 1;
        const struct search_end end = turns_take_out(engine, search, outcome);
        (void)pthread_mutex_unlock(&engine->mutex);
        engine->on_end(engine->context, &end);
    }
}
