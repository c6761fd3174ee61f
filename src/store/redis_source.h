/**
 * redis_source: what the original hub kept in Redis (dpow.md 6), read record by record.
 *
 * Nothing is trusted: types, lengths and numbers are checked, no value is fetched before its length
 * is known, and no answer may be longer than a limit. What is missing or wrong in one record costs
 * that field or that record, is told as a fault, and the rest is read. Nothing is written.
 *
 * Records come in this order: services, clients, totals, then works and accounts mixed. Each comes
 * once; the two spellings of a client's account (`nano_`, `xrb_`) are one client. The original
 * should not run meanwhile: what it adds during the reading may be missed.
 *
 * One thread; every function blocks.
 */
#ifndef DPOW_STORE_REDIS_SOURCE_H
#define DPOW_STORE_REDIS_SOURCE_H

#include "base/bytes.h"
#include "base/error.h"
#include "nano/account.h"
#include "nano/counts.h"
#include "nano/work.h"

enum {
    LEGACY_KEY_SIZE = 64,    /**< Bytes of an unsalted BLAKE2b-512 of an API key. */
    LEGACY_TEXT_MAX = 1024,  /**< Bytes of a text; a longer one counts as missing. */
    REDIS_TIMEOUT_MS = 10000 /**< How long one answer may take. */
};

/** What the original's counters may reach: 2^53. */
#define LEGACY_COUNT_MAX ((uint64_t)1 << 53)

/** How long the original kept an account after its last use, in ms (30 days). */
#define LEGACY_ACCOUNT_MS ((int64_t)2592000000)

/** Where the Redis is. Texts are borrowed. */
struct redis_address {
    const char *host;
    uint16_t port;
    const char *user;     /**< Empty for none. */
    const char *password; /**< Empty for none. Never told. */
    unsigned database;
};

/** A service. What is missing has length 0. Texts are borrowed for the call. */
struct legacy_service {
    struct slice name;    /**< Any bytes. */
    struct slice display; /**< Any bytes. */
    struct slice website; /**< Any bytes. */
    bool is_public;
    bool has_key;
    uint8_t key[LEGACY_KEY_SIZE];
    struct work_counts answered;
    bool is_empty; /**< Nothing but the name is there: it was deleted half-way. */
};

/** A worker's account that has counted anything. */
struct legacy_client {
    struct account account;
    struct client_totals totals; /**< Hashes are 0. */
};

/** A work in the cache. */
struct legacy_work {
    struct root root;
    uint64_t nonce;
    enum work_type type;
    int64_t left_ms; /**< Of its life, at least 1, at most 30 days. */
};

/** A service's account, no matter whose. */
struct legacy_account {
    struct account account;
    struct root frontier;
    int64_t left_ms; /**< Of its life, at least 1, at most 30 days. */
};

/** Who gets the records; those that return false with the error filled end the reading. */
struct legacy_visitor {
    bool (*service)(void *context, const struct legacy_service *service, struct error *error);
    bool (*client)(void *context, const struct legacy_client *client, struct error *error);
    bool (*totals)(void *context, const struct work_counts *totals, struct error *error);
    bool (*work)(void *context, const struct legacy_work *work, struct error *error);
    bool (*account)(void *context, const struct legacy_account *account, struct error *error);
    /** Something was left out. The text may hold any bytes of the source: to be escaped. */
    void (*fault)(void *context, const char *text);
    void *context;
};

struct redis_source;

/**
 * Connects, logs in and looks whether the database has data of the original.
 * @return owned by the caller, or NULL with the error filled: nobody there, refused,
 * ERROR_NOT_FOUND
 */
struct redis_source *redis_source_open(const struct redis_address *address, struct error *error);

/** Reads everything, once. */
bool redis_source_read(struct redis_source *source, const struct legacy_visitor *visitor,
                       struct error *error);

/** NULL is ignored. */
void redis_source_close(struct redis_source *source);

#endif
