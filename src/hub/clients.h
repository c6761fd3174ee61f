/**
 * clients: the workers' accounts in memory: what each has been rewarded for, who was active, who is
 * banned.
 *
 * The store is the truth: accounts are loaded from it at the start and follow it when a reward or a
 * ban is durable. At most CLIENTS_MAX are kept; then the one that was rewarded longest ago makes
 * room, unless it is banned or among the top. Nothing here costs more for more accounts, except
 * growing, which doubles. One thread uses a directory. No I/O; the time is a parameter: the wall
 * clock for what is shown, the monotonic clock for who was active.
 */
#ifndef DPOW_HUB_CLIENTS_H
#define DPOW_HUB_CLIENTS_H

#include "base/error.h"
#include "base/table.h"
#include "store/records.h"

enum {
    CLIENTS_MAX = 1 << 20, /**< Accounts known at once. */
    CLIENTS_TOP = 100,     /**< Accounts that are ranked. */
};

/** An account in the directory. Owned by the directory, borrowed until the next change. */
struct client;

struct clients;

/** A moment by both clocks. */
struct clients_moment {
    int64_t wall_ms;
    int64_t now_us; /**< Monotonic. */
};

/**
 * @param limit how many accounts are kept: CLIENTS_MAX, less in tests
 * @param seed keys the hash table: random in production
 * @return owned by the caller, or NULL with ERROR_MEMORY
 */
struct clients *clients_create(size_t limit, const uint8_t seed[TABLE_SEED_SIZE],
                               struct error *error);
void clients_destroy(struct clients *clients);

/**
 * Start: an account as the store has it, those rewarded last first. One that is known already is
 * left as it is.
 * @return false when the directory is full or memory is short; the account is then not known
 */
bool clients_load(struct clients *clients, const struct clients_moment *moment,
                  const struct client_record *record);

/** A reward is durable. @param totals of the account after it */
void clients_reward(struct clients *clients, const struct clients_moment *moment,
                    const struct account *account, const struct client_totals *totals);

/** An account, or NULL if it is not known (any more). */
const struct client *clients_find(const struct clients *clients, const struct account *account);

/** What is known of an account; its ban without the reason. */
void client_read(const struct client *client, struct client_record *record);

size_t clients_count(const struct clients *clients);

/** How many accounts have been rewarded at a moment of the monotonic clock or later. Costs as much
 * as accounts have come into or fallen out of that time since the last call. */
size_t clients_active_since(struct clients *clients, int64_t since_us);

/**
 * The account of a place in the ranking by works rewarded since ever.
 * @param place from 0, below CLIENTS_TOP
 * @return NULL if there are not so many
 */
const struct client *clients_top(const struct clients *clients, size_t place);

/**
 * A ban, or its end (until_ms 0), is durable.
 * @return false when the account was not known and there is no room for it
 */
bool clients_ban(struct clients *clients, const struct account *account, int64_t until_ms);
bool clients_unban(struct clients *clients, const struct account *account);

/** Whether an account is banned at a moment of the wall clock. */
bool client_banned(const struct clients *clients, const struct account *account, int64_t wall_ms);

/** How many bans are in force or have not been forgotten since they ended. */
size_t clients_banned(const struct clients *clients);

#endif
