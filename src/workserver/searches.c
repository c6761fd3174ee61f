#include "workserver/searches.h"

#include <pthread.h>
#include <stdlib.h>

struct searches {
    struct searches_options options;
    struct engine *engine;
    uv_async_t wake;
    search_id places[QUEUE_PLACES_MAX]; /* The loop's; 0: nothing is searched. */
    pthread_mutex_t mutex;              /* Guards what follows. */
    struct search_end *ends;            /* Not handed over yet. */
    size_t count;
    size_t capacity; /* Always enough for every search in hand. */
    size_t in_hand;
};

/* Room is made before a search begins, so that its end cannot be lost. */
static void on_end(void *context, const struct search_end *end)
{
    struct searches *searches = context;
    (void)pthread_mutex_lock(&searches->mutex);
    searches->in_hand--;
    if (end->outcome != SEARCH_CANCELLED)
        searches->ends[searches->count++] = *end;
    (void)pthread_mutex_unlock(&searches->mutex);
    if (end->outcome != SEARCH_CANCELLED)
        (void)uv_async_send(&searches->wake);
}

static bool take_end(struct searches *searches, struct search_end *end)
{
    (void)pthread_mutex_lock(&searches->mutex);
    const bool taken = searches->count > 0;
    if (taken)
        *end = searches->ends[--searches->count];
    (void)pthread_mutex_unlock(&searches->mutex);
    return taken;
}

static void on_wake(uv_async_t *wake)
{
    struct searches *searches = wake->data;
    struct search_end end;
    while (take_end(searches, &end)) {
        bool current = false;
        for (unsigned place = 0; place < searches->options.places; place++)
            if (searches->places[place] == end.id) {
                searches->places[place] = 0;
                current = true;
            }
        searches->options.on_end(searches->options.context, &end, current);
    }
}

static void on_device(void *context, const struct device_event *event)
{
    const struct searches *searches = context;
    searches->options.on_device(searches->options.context, event);
}

static bool make_engine(struct searches *searches, struct error *error)
{
    const struct searches_options *options = &searches->options;
    searches->engine = engine_create(
        &(struct engine_options){
            .devices = options->devices->choices,
            .device_count = options->devices->count,
            .parallel = options->places,
            .cache_dir = options->cache_dir,
            .on_end = on_end,
            .on_device = on_device,
            .context = searches,
        },
        error);
    return searches->engine != NULL;
}

struct searches *searches_create(const struct searches_options *options, struct error *error)
{
    struct searches *searches = calloc(1, sizeof *searches);
    if (searches == NULL || pthread_mutex_init(&searches->mutex, NULL) != 0) {
        free(searches);
        (void)error_set(error, ERROR_MEMORY, "no memory for searches");
        return NULL;
    }
    searches->options = *options;
    if (!make_engine(searches, error) ||
        uv_async_init(options->loop, &searches->wake, on_wake) != 0) {
        engine_destroy(searches->engine);
        (void)pthread_mutex_destroy(&searches->mutex);
        free(searches);
        return NULL;
    }
    searches->wake.data = searches;
    return searches;
}

static bool reserve(struct searches *searches)
{
    bool reserved = true;
    (void)pthread_mutex_lock(&searches->mutex);
    const size_t needed = searches->in_hand + searches->count + 1;
    if (needed > searches->capacity) {
        struct search_end *ends = realloc(searches->ends, 2 * needed * sizeof *ends);
        reserved = ends != NULL;
        if (reserved) {
            searches->ends = ends;
            searches->capacity = 2 * needed;
        }
    }
    searches->in_hand += reserved;
    (void)pthread_mutex_unlock(&searches->mutex);
    return reserved;
}

static void unreserve(struct searches *searches)
{
    (void)pthread_mutex_lock(&searches->mutex);
    searches->in_hand--;
    (void)pthread_mutex_unlock(&searches->mutex);
}

bool searches_start(struct searches *searches, unsigned place, const struct root *root,
                    uint64_t threshold, struct error *error)
{
    searches_stop(searches, place);
    if (!reserve(searches))
        return error_set(error, ERROR_MEMORY, "no memory for one more search");
    searches->places[place] =
        engine_search(searches->engine, root, threshold, SEARCH_ONDEMAND, error);
    if (searches->places[place] == 0)
        unreserve(searches);
    return searches->places[place] != 0;
}

void searches_stop(struct searches *searches, unsigned place)
{
    const search_id id = searches->places[place];
    searches->places[place] = 0;
    if (id != 0)
        (void)engine_cancel(searches->engine, id);
}

struct engine *searches_engine(const struct searches *searches)
{
    return searches->engine;
}

static void on_closed(uv_handle_t *handle)
{
    struct searches *searches = handle->data;
    (void)pthread_mutex_destroy(&searches->mutex);
    free(searches->ends);
    free(searches);
}

void searches_close(struct searches *searches)
{
    engine_destroy(searches->engine);
    uv_close((uv_handle_t *)&searches->wake, on_closed);
}
