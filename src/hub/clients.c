#include "hub/clients.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 1024,          /* Accounts allocated at once. */
    FIRST_CAPACITY = 1024, /* Of the table. */
    SPARED_MAX = 256,      /* Accounts passed over in search of one that makes room. */
};

/* In one list by time of the last reward, the newest first; those never rewarded last. */
struct client {
    struct client *newer;
    struct client *older;
    struct account account;
    struct client_totals totals;
    int64_t last_ms; /* By the wall clock; 0 for never. */
    int64_t seen_us; /* The same by the monotonic clock; INT64_MIN for never. */
    int64_t banned_until_ms;
    bool ranked;
    bool active; /* Before first_idle in the list. */
};

struct chunk {
    struct chunk *next;
    struct client clients[CHUNK];
};

struct clients {
    size_t limit;
    uint8_t seed[TABLE_SEED_SIZE];
    struct table *table;
    size_t capacity; /* Of the table. */
    struct chunk *chunks;
    size_t unused; /* Of the first chunk. */
    struct client *newest;
    struct client *oldest;
    struct client *first_idle; /* The newest that is not active; NULL if all are. */
    size_t active;
    size_t banned;
    size_t ranks;
    struct client *top[CLIENTS_TOP];
};

struct clients *clients_create(size_t limit, const uint8_t seed[TABLE_SEED_SIZE],
                               struct error *error)
{
    struct clients *clients = calloc(1, sizeof *clients);
    if (clients != NULL) {
        clients->limit = limit;
        clients->capacity = limit < FIRST_CAPACITY ? limit : FIRST_CAPACITY;
        memcpy(clients->seed, seed, TABLE_SEED_SIZE);
        clients->table = table_create(clients->capacity, seed);
        if (clients->table != NULL)
            return clients;
    }
    free(clients);
    (void)error_set(error, ERROR_MEMORY, "no memory for the workers' accounts");
    return NULL;
}

void clients_destroy(struct clients *clients)
{
    if (clients == NULL)
        return;
    struct chunk *next;
    for (struct chunk *chunk = clients->chunks; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    table_destroy(clients->table);
    free(clients);
}

static struct client *find(const struct clients *clients, const struct account *account)
{
    return table_find(clients->table, account->key);
}

/* Puts a client before another one in the list; at the end if there is none. */
static void link_before(struct clients *clients, struct client *client, struct client *older)
{
    client->older = older;
    client->newer = older != NULL ? older->newer : clients->oldest;
    if (client->newer != NULL)
        client->newer->older = client;
    else
        clients->newest = client;
    if (older != NULL)
        older->newer = client;
    else
        clients->oldest = client;
}

static void take_out(struct clients *clients, struct client *client)
{
    if (clients->first_idle == client)
        clients->first_idle = client->older;
    if (client->newer != NULL)
        client->newer->older = client->older;
    else
        clients->newest = client->older;
    if (client->older != NULL)
        client->older->newer = client->newer;
    else
        clients->oldest = client->newer;
}

static bool grow_one(void *context, void *value)
{
    const struct client *client = value;
    return table_insert(context, client->account.key, value);
}

static bool grow(struct clients *clients)
{
    const size_t capacity =
        2 * clients->capacity < clients->limit ? 2 * clients->capacity : clients->limit;
    struct table *table = table_create(capacity, clients->seed);
    if (table == NULL)
        return false;
    table_each(clients->table, grow_one, table);
    table_destroy(clients->table);
    clients->table = table;
    clients->capacity = capacity;
    return true;
}

static struct client *allocate(struct clients *clients)
{
    if (clients->unused == 0) {
        struct chunk *chunk = malloc(sizeof *chunk);
        if (chunk == NULL)
            return NULL;
        chunk->next = clients->chunks;
        clients->chunks = chunk;
        clients->unused = CHUNK;
    }
    return &clients->chunks->clients[--clients->unused];
}

static void set_active(struct clients *clients, struct client *client, bool active)
{
    if (client->active != active)
        clients->active += active ? 1 : (size_t)-1;
    client->active = active;
}

/* The memory of the client rewarded longest ago that nothing else is known of; NULL if there is
 * none among the last. */
static struct client *make_room(struct clients *clients)
{
    struct client *client = clients->oldest;
    for (int spared = 0; client != NULL && spared < SPARED_MAX; spared++) {
        if (!client->ranked && client->banned_until_ms == 0) {
            set_active(clients, client, false);
            take_out(clients, client);
            (void)table_remove(clients->table, client->account.key);
            return client;
        }
        client = client->newer;
    }
    return NULL;
}

/* A client that is in no list yet; NULL when there is no room. */
static struct client *add(struct clients *clients, const struct account *account)
{
    const size_t count = table_count(clients->table);
    if (count == clients->capacity && count < clients->limit && !grow(clients))
        return NULL;
    struct client *client = count < clients->limit ? allocate(clients) : make_room(clients);
    if (client == NULL)
        return NULL;
    *client = (struct client){.account = *account, .seen_us = INT64_MIN};
    const bool inserted = table_insert(clients->table, account->key, client);
    assert(inserted && "the caller has looked, and there is room");
    (void)inserted;
    return client;
}

static uint64_t works(const struct client *client)
{
    return client->totals.rewarded.of[WORK_PRECACHE] + client->totals.rewarded.of[WORK_ONDEMAND];
}

/* Rewards only grow, so that a client can only rise, and nobody who is not ranked can get ahead of
 * one who is without a reward of his own. */
static void rank(struct clients *clients, struct client *client)
{
    size_t place;
    if (works(client) == 0)
        return;
    if (client->ranked) {
        for (place = 0; clients->top[place] != client; place++)
            ;
    } else if (clients->ranks < CLIENTS_TOP) {
        place = clients->ranks++;
    } else {
        place = CLIENTS_TOP - 1;
        if (works(client) <= works(clients->top[place]))
            return;
        clients->top[place]->ranked = false;
    }
    for (; place > 0 && works(clients->top[place - 1]) < works(client); place--)
        clients->top[place] = clients->top[place - 1];
    clients->top[place] = client;
    client->ranked = true;
}

static void set_ban(struct clients *clients, struct client *client, int64_t until_ms)
{
    clients->banned -= client->banned_until_ms != 0 ? 1 : 0;
    clients->banned += until_ms != 0 ? 1 : 0;
    client->banned_until_ms = until_ms;
}

/* When a moment of the wall clock was by the monotonic one; never later than now. */
static int64_t monotonic_of(const struct clients_moment *moment, int64_t wall_ms)
{
    const int64_t age_ms = moment->wall_ms > wall_ms ? moment->wall_ms - wall_ms : 0;
    return moment->now_us - age_ms * 1000;
}

bool clients_load(struct clients *clients, const struct clients_moment *moment,
                  const struct client_record *record)
{
    if (find(clients, &record->account) != NULL)
        return true;
    struct client *client =
        table_count(clients->table) < clients->limit ? add(clients, &record->account) : NULL;
    if (client == NULL)
        return false;
    client->totals = record->totals;
    client->last_ms = record->last_ms;
    if (record->last_ms > 0)
        client->seen_us = monotonic_of(moment, record->last_ms);
    if (clients->oldest != NULL && client->seen_us > clients->oldest->seen_us)
        client->seen_us = clients->oldest->seen_us; /* the clock was set back meanwhile */
    link_before(clients, client, NULL);
    if (clients->first_idle == NULL)
        clients->first_idle = client;
    set_ban(clients, client, record->ban.until_ms);
    rank(clients, client);
    return true;
}

void clients_reward(struct clients *clients, const struct clients_moment *moment,
                    const struct account *account, const struct client_totals *totals)
{
    struct client *client = find(clients, account);
    if (client != NULL)
        take_out(clients, client);
    else
        client = add(clients, account);
    if (client == NULL)
        return;
    client->totals = *totals;
    client->last_ms = moment->wall_ms;
    client->seen_us = moment->now_us;
    link_before(clients, client, clients->newest);
    set_active(clients, client, true);
    rank(clients, client);
}

const struct client *clients_find(const struct clients *clients, const struct account *account)
{
    return find(clients, account);
}

void client_read(const struct client *client, struct client_record *record)
{
    *record = (struct client_record){
        .account = client->account,
        .totals = client->totals,
        .last_ms = client->last_ms,
        .ban.until_ms = client->banned_until_ms,
    };
}

size_t clients_count(const struct clients *clients)
{
    return table_count(clients->table);
}

size_t clients_active_since(struct clients *clients, int64_t since_us)
{
    struct client *idle = clients->first_idle;
    for (; idle != NULL && idle->seen_us >= since_us; idle = idle->older)
        set_active(clients, idle, true);
    for (;;) {
        struct client *last = idle != NULL ? idle->newer : clients->oldest;
        if (last == NULL || last->seen_us >= since_us)
            break;
        set_active(clients, last, false);
        idle = last;
    }
    clients->first_idle = idle;
    return clients->active;
}

const struct client *clients_top(const struct clients *clients, size_t place)
{
    return place < clients->ranks ? clients->top[place] : NULL;
}

bool clients_ban(struct clients *clients, const struct account *account, int64_t until_ms)
{
    struct client *client = find(clients, account);
    if (client == NULL) {
        if (until_ms == 0)
            return true;
        client = add(clients, account);
        if (client == NULL)
            return false;
        link_before(clients, client, NULL);
        if (clients->first_idle == NULL)
            clients->first_idle = client;
    }
    set_ban(clients, client, until_ms);
    return true;
}

bool clients_unban(struct clients *clients, const struct account *account)
{
    return clients_ban(clients, account, 0);
}

bool client_banned(const struct clients *clients, const struct account *account, int64_t wall_ms)
{
    const struct client *client = find(clients, account);
    return client != NULL && client->banned_until_ms > wall_ms;
}

size_t clients_banned(const struct clients *clients)
{
    return clients->banned;
}
