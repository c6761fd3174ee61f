#include "hub/connections.h"

#include <stdlib.h>

/* A connection with faults, in order of the first fault. */
struct culprit {
    uint8_t key[TABLE_KEY_SIZE];
    uint64_t since_us;
    unsigned faults;
    struct culprit *newer;
    struct culprit *older; /* Also the list of free ones. */
};

struct connections {
    struct connections_options options;
    struct table *table; /* Culprits by the key of the label. */
    struct culprit *pool;
    struct culprit *unused;
    struct culprit *newest;
    struct culprit *oldest;
};

struct connections_options connections_options_default(void)
{
    return (struct connections_options){
        .capacity = 4096,
        .faults = 20,
        .window_us = 60 * UINT64_C(1000000),
    };
}

struct connections *connections_create(const struct connections_options *options)
{
    struct connections *connections = calloc(1, sizeof *connections);
    if (connections == NULL)
        return NULL;
    connections->options = *options;
    connections->table = table_create(options->capacity, options->seed);
    connections->pool = calloc(options->capacity, sizeof *connections->pool);
    if (connections->table == NULL || connections->pool == NULL) {
        connections_destroy(connections);
        return NULL;
    }
    for (size_t i = 0; i < options->capacity; i++) {
        connections->pool[i].older = connections->unused;
        connections->unused = &connections->pool[i];
    }
    return connections;
}

void connections_destroy(struct connections *connections)
{
    if (connections == NULL)
        return;
    table_destroy(connections->table);
    free(connections->pool);
    free(connections);
}

static void forget(struct connections *connections, struct culprit *culprit)
{
    (void)table_remove(connections->table, culprit->key);
    if (culprit->newer != NULL)
        culprit->newer->older = culprit->older;
    else
        connections->newest = culprit->older;
    if (culprit->older != NULL)
        culprit->older->newer = culprit->newer;
    else
        connections->oldest = culprit->newer;
    culprit->older = connections->unused;
    connections->unused = culprit;
}

static void forget_expired(struct connections *connections, uint64_t now_us)
{
    while (connections->oldest != NULL &&
           now_us - connections->oldest->since_us >= connections->options.window_us)
        forget(connections, connections->oldest);
}

static struct culprit *add(struct connections *connections, uint64_t now_us,
                           const uint8_t key[TABLE_KEY_SIZE])
{
    if (connections->unused == NULL)
        forget(connections, connections->oldest);
    struct culprit *culprit = connections->unused;
    connections->unused = culprit->older;
    memcpy(culprit->key, key, sizeof culprit->key);
    culprit->since_us = now_us;
    culprit->faults = 0;
    culprit->newer = NULL;
    culprit->older = connections->newest;
    if (connections->newest != NULL)
        connections->newest->newer = culprit;
    else
        connections->oldest = culprit;
    connections->newest = culprit;
    (void)table_insert(connections->table, key, culprit);
    return culprit;
}

bool connections_fault(struct connections *connections, uint64_t now_us, struct slice label)
{
    uint8_t key[TABLE_KEY_SIZE];
    forget_expired(connections, now_us);
    label_key(label, key);
    struct culprit *culprit = table_find(connections->table, key);
    if (culprit == NULL)
        culprit = add(connections, now_us, key);
    if (++culprit->faults < connections->options.faults)
        return false;
    forget(connections, culprit);
    return true;
}

size_t connections_count(struct connections *connections, uint64_t now_us)
{
    forget_expired(connections, now_us);
    return table_count(connections->table);
}
