#include "broker/screen.h"

#include "nano/message.h"

#include <stdlib.h>

enum {
    STRIKE_S = 3600,
    ADDRESSES_MAX = 32768,
    BANS_MAX = 16384,
    SWEEP_BATCH = 256,
};

static const uint64_t second_us = 1000000;

/* Who owns an address, while there is something to remember. */
struct owner {
    uint8_t key[TABLE_KEY_SIZE];
    unsigned connections;
    unsigned strikes;
    uint64_t strikes_until_us;
    uint64_t banned_until_us;
    struct bucket sessions;
};

struct connection {
    const void *handle; /* Mosquitto's, the key of by_handle. */
    char id[SCREEN_ID_MAX + 1];
    char label[LABEL_MAX + 1];
    uint8_t key[TABLE_KEY_SIZE]; /* Of the label, in by_label. */
    struct address address;
    struct owner *owner; /* NULL: not limited by address. */
    struct bucket messages;
    unsigned malformed;
    bool reserved; /* Of another user: never judged. */
    bool banned;   /* Mosquitto has been told to end it. */
};

struct ban {
    uint8_t key[TABLE_KEY_SIZE];
    uint64_t until_us;
};

struct screen {
    struct screen_options options;
    struct table *by_handle; /* Connections, owned here. */
    struct table *by_label;  /* The newest connection of each client id. */
    struct table *owners;
    struct table *bans; /* By the key of the label. */
    struct screen_counters counters;
};

/* What a walk over a table finds to be forgotten; a table must not change under a walk. */
struct sweep {
    const struct screen *screen;
    uint64_t now_us;
    void *found[SWEEP_BATCH];
    size_t count;
};

struct screen_options screen_options_default(void)
{
    return (struct screen_options){
        .connections_per_address = 64,
        .messages = {.per_second = 50, .burst = 200},
        .sessions = {.per_second = 256.0 / 3600, .burst = 256},
        .connections_max = 32768,
    };
}

struct screen *screen_create(const struct screen_options *options)
{
    struct screen *screen = calloc(1, sizeof *screen);
    if (screen == NULL)
        return NULL;
    screen->options = *options;
    screen->by_handle = table_create(options->connections_max, options->seed);
    screen->by_label = table_create(options->connections_max, options->seed);
    screen->owners = table_create(ADDRESSES_MAX, options->seed);
    screen->bans = table_create(BANS_MAX, options->seed);
    if (screen->by_handle != NULL && screen->by_label != NULL && screen->owners != NULL &&
        screen->bans != NULL)
        return screen;
    screen_destroy(screen);
    return NULL;
}

static bool free_value(void *context, void *value)
{
    (void)context;
    free(value);
    return true;
}

static void destroy_with_values(struct table *table)
{
    if (table != NULL)
        table_each(table, free_value, NULL);
    table_destroy(table);
}

void screen_destroy(struct screen *screen)
{
    if (screen == NULL)
        return;
    destroy_with_values(screen->by_handle);
    table_destroy(screen->by_label);
    destroy_with_values(screen->owners);
    destroy_with_values(screen->bans);
    free(screen);
}

static struct connection *find_connection(const struct screen *screen, const void *handle)
{
    const struct table_key key = table_key_of((uintptr_t)handle);
    return table_find(screen->by_handle, key.bytes);
}

/* Takes a value, which is freed if there is no room even after what has expired is forgotten. */
static bool insert(struct screen *screen, uint64_t now_us, struct table *table,
                   const uint8_t key[TABLE_KEY_SIZE], void *value)
{
    if (table_insert(table, key, value))
        return true;
    screen_sweep(screen, now_us);
    if (table_insert(table, key, value))
        return true;
    free(value);
    return false;
}

/* NULL if there is no room, and then nothing is limited by address: better than to let nobody in.
 */
static struct owner *find_owner(struct screen *screen, uint64_t now_us,
                                const struct address *address)
{
    const struct address whole = address_owner(address);
    uint8_t key[TABLE_KEY_SIZE] = {0};
    memcpy(key, whole.bytes, sizeof whole.bytes);
    struct owner *owner = table_find(screen->owners, key);
    if (owner != NULL)
        return owner;
    owner = calloc(1, sizeof *owner);
    if (owner == NULL)
        return NULL;
    memcpy(owner->key, key, sizeof owner->key);
    return insert(screen, now_us, screen->owners, key, owner) ? owner : NULL;
}

static bool key_banned(const struct screen *screen, uint64_t now_us,
                       const uint8_t key[TABLE_KEY_SIZE])
{
    const struct ban *ban = table_find(screen->bans, key);
    return ban != NULL && ban->until_us > now_us;
}

static void name_connection(struct connection *connection, struct slice id)
{
    if (id.length > 0)
        memcpy(connection->id, id.data, id.length);
    label_make(id, connection->label);
    label_key(slice_of(connection->label), connection->key);
}

/* Whether another connection under this id stands in the way. */
static bool id_taken(const struct connection *holder, const struct address *address)
{
    return holder != NULL && (holder->reserved || memcmp(holder->address.bytes, address->bytes,
                                                         sizeof address->bytes) != 0);
}

static enum screen_admission judge_owner(struct screen *screen, uint64_t now_us,
                                         struct owner *owner, bool replaces, bool persistent)
{
    if (owner == NULL)
        return SCREEN_ADMITTED;
    if (owner->banned_until_us > now_us)
        return SCREEN_BANNED;
    if (owner->connections - (replaces ? 1 : 0) >= screen->options.connections_per_address)
        return SCREEN_CROWDED;
    if (persistent && !bucket_take(&owner->sessions, &screen->options.sessions, now_us))
        return SCREEN_SESSIONS;
    return SCREEN_ADMITTED;
}

static bool remember(struct screen *screen, struct connection *connection)
{
    const struct table_key handle = table_key_of((uintptr_t)connection->handle);
    if (!table_insert(screen->by_handle, handle.bytes, connection))
        return false;
    (void)table_remove(screen->by_label, connection->key);
    (void)table_insert(screen->by_label, connection->key, connection);
    if (connection->owner != NULL)
        connection->owner->connections++;
    if (!connection->reserved)
        screen->counters.connections++;
    return true;
}

static enum screen_admission judge_login(struct screen *screen, uint64_t now_us,
                                         const struct screen_login *login,
                                         struct connection *connection)
{
    struct address address = {{0}};
    const bool known = address_parse(login->address, &address);
    const bool limited = known && !address_list_has(&screen->options.exempt, &address);
    if (key_banned(screen, now_us, connection->key))
        return SCREEN_BANNED;
    const struct connection *holder = table_find(screen->by_label, connection->key);
    if (id_taken(holder, &address))
        return SCREEN_TAKEN;
    connection->address = address;
    connection->owner = limited ? find_owner(screen, now_us, &address) : NULL;
    return judge_owner(screen, now_us, connection->owner,
                       holder != NULL && holder->owner == connection->owner, login->persistent);
}

static enum screen_admission admit(struct screen *screen, uint64_t now_us,
                                   const struct screen_login *login)
{
    if (login->id.length > SCREEN_ID_MAX)
        return SCREEN_BAD_ID;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return SCREEN_FULL;
    connection->handle = login->connection;
    name_connection(connection, login->id);
    connection->messages.then_us = now_us;
    enum screen_admission admission = judge_login(screen, now_us, login, connection);
    if (admission == SCREEN_ADMITTED && !remember(screen, connection))
        admission = SCREEN_FULL;
    if (admission != SCREEN_ADMITTED)
        free(connection);
    return admission;
}

enum screen_admission screen_admit(struct screen *screen, uint64_t now_us,
                                   const struct screen_login *login)
{
    screen_leave(screen, login->connection); /* an address of memory may come again */
    const enum screen_admission admission = admit(screen, now_us, login);
    screen->counters.admissions[admission]++;
    return admission;
}

void screen_reserve(struct screen *screen, const void *connection, struct slice id)
{
    if (id.length > SCREEN_ID_MAX || find_connection(screen, connection) != NULL)
        return;
    struct connection *reserved = calloc(1, sizeof *reserved);
    if (reserved == NULL)
        return;
    reserved->handle = connection;
    reserved->reserved = true;
    name_connection(reserved, id);
    if (!remember(screen, reserved))
        free(reserved);
}

void screen_leave(struct screen *screen, const void *connection)
{
    const struct table_key handle = table_key_of((uintptr_t)connection);
    struct connection *gone = table_remove(screen->by_handle, handle.bytes);
    if (gone == NULL)
        return;
    if (table_find(screen->by_label, gone->key) == gone)
        (void)table_remove(screen->by_label, gone->key);
    if (gone->owner != NULL)
        gone->owner->connections--;
    if (!gone->reserved)
        screen->counters.connections--;
    free(gone);
}

static bool is_result_topic(struct slice topic)
{
    static const char prefix[] = "result/";
    return topic.length >= sizeof prefix - 1 && memcmp(topic.data, prefix, sizeof prefix - 1) == 0;
}

static enum screen_verdict count(struct screen *screen, enum screen_verdict verdict)
{
    screen->counters.verdicts[verdict]++;
    return verdict;
}

static void add_ban(struct screen *screen, uint64_t now_us, const uint8_t key[TABLE_KEY_SIZE],
                    unsigned seconds)
{
    struct ban *ban = table_find(screen->bans, key);
    if (ban == NULL) {
        ban = calloc(1, sizeof *ban);
        if (ban == NULL)
            return;
        memcpy(ban->key, key, sizeof ban->key);
        if (!insert(screen, now_us, screen->bans, key, ban))
            return;
    }
    ban->until_us = now_us + seconds * second_us;
}

/* The connection is about to end; the second time, its address is not let in either. */
static void strike(uint64_t now_us, struct connection *connection, unsigned seconds)
{
    struct owner *owner = connection->owner;
    if (connection->banned)
        return;
    connection->banned = true;
    if (owner == NULL)
        return;
    if (owner->strikes_until_us <= now_us)
        owner->strikes = 0;
    owner->strikes++;
    owner->strikes_until_us = now_us + STRIKE_S * second_us;
    if (owner->strikes >= 2)
        owner->banned_until_us = now_us + seconds * second_us;
}

enum screen_verdict screen_malformed(struct screen *screen, uint64_t now_us, const void *connection)
{
    struct connection *sender = find_connection(screen, connection);
    if (sender == NULL || ++sender->malformed < SCREEN_MALFORMED_MAX)
        return count(screen, SCREEN_MALFORMED);
    add_ban(screen, now_us, sender->key, SCREEN_MALFORMED_BAN_S);
    strike(now_us, sender, SCREEN_MALFORMED_BAN_S);
    return count(screen, SCREEN_HOSTILE);
}

enum screen_verdict screen_inspect(struct screen *screen, uint64_t now_us, const void *connection,
                                   struct slice topic, struct slice payload)
{
    struct message_result result;
    if (topic.length + payload.length > SCREEN_PACKET_MAX)
        return count(screen, SCREEN_LARGE);
    if (is_result_topic(topic) && !message_result_parse(payload, &result))
        return screen_malformed(screen, now_us, connection);
    return SCREEN_PASS;
}

enum screen_verdict screen_take(struct screen *screen, uint64_t now_us, const void *connection,
                                const char **label)
{
    struct connection *sender = find_connection(screen, connection);
    if (sender == NULL || sender->reserved || sender->banned)
        return count(screen, SCREEN_HOSTILE); /* no login was seen, or its end is under way */
    if (!bucket_take(&sender->messages, &screen->options.messages, now_us))
        return count(screen, SCREEN_RATE);
    *label = sender->label;
    return count(screen, SCREEN_PASS);
}

const char *screen_ban(struct screen *screen, uint64_t now_us, struct slice label, unsigned seconds)
{
    uint8_t key[LABEL_KEY_SIZE];
    if (!label_valid(label))
        return NULL;
    label_key(label, key);
    add_ban(screen, now_us, key, seconds);
    struct connection *connection = table_find(screen->by_label, key);
    if (connection == NULL || connection->reserved)
        return NULL;
    strike(now_us, connection, seconds);
    return connection->id;
}

static bool collect_owner(void *context, void *value)
{
    struct sweep *sweep = context;
    struct owner *owner = value;
    bucket_refill(&owner->sessions, &sweep->screen->options.sessions, sweep->now_us);
    if (owner->connections == 0 && owner->strikes_until_us <= sweep->now_us &&
        owner->banned_until_us <= sweep->now_us && owner->sessions.used == 0)
        sweep->found[sweep->count++] = owner;
    return sweep->count < SWEEP_BATCH;
}

static bool collect_ban(void *context, void *value)
{
    struct sweep *sweep = context;
    struct ban *ban = value;
    if (ban->until_us <= sweep->now_us)
        sweep->found[sweep->count++] = ban;
    return sweep->count < SWEEP_BATCH;
}

/* A batch at a time, so that a sweep never takes long; the next one goes on. */
void screen_sweep(struct screen *screen, uint64_t now_us)
{
    struct sweep owners = {.screen = screen, .now_us = now_us};
    struct sweep bans = {.screen = screen, .now_us = now_us};
    table_each(screen->owners, collect_owner, &owners);
    for (size_t i = 0; i < owners.count; i++) {
        const struct owner *owner = owners.found[i];
        free(table_remove(screen->owners, owner->key));
    }
    table_each(screen->bans, collect_ban, &bans);
    for (size_t i = 0; i < bans.count; i++) {
        const struct ban *ban = bans.found[i];
        free(table_remove(screen->bans, ban->key));
    }
}

void screen_counters(const struct screen *screen, struct screen_counters *counters)
{
    *counters = screen->counters;
}
