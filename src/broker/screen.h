/**
 * screen: what the connections of workers (MQTT user `client`) may do: who is let in, which
 * messages pass, who is banned. No I/O; time is a parameter, in microseconds that only grow.
 *
 *     login ──► screen_admit ──► message ──► screen_inspect ──► screen_take ──► to the hub
 *                   │ banned, crowded,           │ large,            │ rate
 *                   │ taken, sessions …          │ malformed         │
 *                   ▼ refused                    ▼ dropped           ▼ dropped
 *
 * A connection is known by the pointer that Mosquitto knows it by, from its login until
 * screen_leave(). One thread uses a screen.
 */
#ifndef DPOW_BROKER_SCREEN_H
#define DPOW_BROKER_SCREEN_H

#include "base/table.h"
#include "broker/address.h"
#include "broker/bucket.h"
#include "broker/label.h"

enum {
    SCREEN_ID_MAX = 128,      /**< Characters of a client id; Mosquitto alone would take 65,535. */
    SCREEN_PACKET_MAX = 1024, /**< Bytes of topic and payload together (dpow.md 2.2). */
    SCREEN_MALFORMED_MAX = 100, /**< Malformed messages of a connection until it is banned. */
    SCREEN_MALFORMED_BAN_S = 600,
};

/** What is allowed. */
struct screen_options {
    unsigned connections_per_address; /**< Not for exempt addresses. */
    struct address_list exempt;
    struct bucket_limit messages; /**< Of each connection. */
    struct bucket_limit sessions; /**< Logins of an address that ask for a persistent session. */
    size_t connections_max;
    uint8_t seed[TABLE_SEED_SIZE]; /**< Random: clients choose ids. */
};

/** The defaults of the documentation, with a seed of zeros. */
struct screen_options screen_options_default(void);

/** Whether a login is let in, or why not. */
enum screen_admission {
    SCREEN_ADMITTED,
    SCREEN_BANNED,   /**< The client id or the address. */
    SCREEN_CROWDED,  /**< The address has as many connections as it may. */
    SCREEN_TAKEN,    /**< Somebody from elsewhere is connected under this id. */
    SCREEN_SESSIONS, /**< The address has left too many persistent sessions behind. */
    SCREEN_BAD_ID,   /**< Too long. */
    SCREEN_FULL,     /**< More connections than the screen can hold. */
    SCREEN_ADMISSIONS,
};

/** What becomes of a message. */
enum screen_verdict {
    SCREEN_PASS,
    SCREEN_LARGE,     /**< Drop it. */
    SCREEN_MALFORMED, /**< Drop it. */
    SCREEN_RATE,      /**< Drop it: too many. */
    SCREEN_HOSTILE,   /**< Drop it and end the connection, which has just been banned. */
    SCREEN_VERDICTS,
};

/** A login; everything is borrowed until the return. */
struct screen_login {
    const void *connection;
    struct slice id;
    struct slice address; /**< As text; one that cannot be read is of unlimited strangers. */
    bool persistent;      /**< Asks for a session that outlives the connection. */
};

/** Counters since the start; `connections` is a state. */
struct screen_counters {
    uint64_t connections; /**< Of workers. */
    uint64_t admissions[SCREEN_ADMISSIONS];
    uint64_t verdicts[SCREEN_VERDICTS]; /**< SCREEN_PASS is not counted by screen_inspect(). */
};

struct screen;

/** @return owned by the caller; NULL when out of memory */
struct screen *screen_create(const struct screen_options *options);

/** NULL is ignored. */
void screen_destroy(struct screen *screen);

/** Decides on a login of a worker; what is admitted must leave. A second login under an id from
 * the same address is admitted, because Mosquitto then ends the first. */
enum screen_admission screen_admit(struct screen *screen, uint64_t now_us,
                                   const struct screen_login *login);

/** Keeps the id of another user's connection from being taken by workers. */
void screen_reserve(struct screen *screen, const void *connection, struct slice id);

/** Forgets a connection; unknown ones are ignored. */
void screen_leave(struct screen *screen, const void *connection);

/** Judges a message of a worker by its size and, on `result/` topics, by the grammar. */
enum screen_verdict screen_inspect(struct screen *screen, uint64_t now_us, const void *connection,
                                   struct slice topic, struct slice payload);

/**
 * Lets a message pass if its connection has not sent too many.
 * @param label where the connection's label is told, borrowed until it leaves; only with
 *        SCREEN_PASS
 */
enum screen_verdict screen_take(struct screen *screen, uint64_t now_us, const void *connection,
                                const char **label);

/** Counts a message as malformed for a reason that the screen cannot see. */
enum screen_verdict screen_malformed(struct screen *screen, uint64_t now_us,
                                     const void *connection);

/**
 * Bans a label, whether it is connected or not. If it is, its address gets a strike that lasts an
 * hour; an address that had one already is banned as long, exempt ones never are.
 * @param seconds at most BROKER_BAN_MAX_S
 * @return the client id to disconnect, borrowed until it leaves; NULL if it is not connected
 */
const char *screen_ban(struct screen *screen, uint64_t now_us, struct slice label,
                       unsigned seconds);

/** Forgets what has expired; to be called every few seconds. */
void screen_sweep(struct screen *screen, uint64_t now_us);

void screen_counters(const struct screen *screen, struct screen_counters *counters);

#endif
