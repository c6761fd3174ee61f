/**
 * records: what the store keeps, as the rest of the hub sees it. Texts are UTF-8 and
 * NUL-terminated; times are milliseconds since 1970 UTC by the wall clock.
 */
#ifndef DPOW_STORE_RECORDS_H
#define DPOW_STORE_RECORDS_H

#include "base/u128.h"
#include "nano/account.h"
#include "nano/counts.h"
#include "nano/precache.h"
#include "nano/work.h"

#include <stdint.h>

enum {
    SERVICE_NAME_SIZE = 65, /**< Names have at most 64 characters. */
    SERVICE_DISPLAY_SIZE = 129,
    SERVICE_WEBSITE_SIZE = 257,
    SERVICE_CONTACT_SIZE = 129,
    STORE_NOTE_SIZE = 129,    /**< Reasons of bans, notes of credit entries. */
    STORE_ACTOR_SIZE = 65,    /**< Who gave an operator's command. */
    STORE_COMMAND_SIZE = 513, /**< What it said, without secrets. */
    KEY_HASH_SIZE = 160,      /**< A hash of a key, in one of credential.h's forms, with its NUL. */
    SERVICE_KEYS_MAX = 4,     /**< Keys of one service that are valid at once. */
    PAYOUT_SEND_ID_SIZE = 37, /**< A random UUID with its NUL. */
};

/** "For good", as the end of a ban or of a key. */
#define STORE_FOREVER_MS INT64_MAX

/** One of a service's API keys. */
struct service_key {
    char hash[KEY_HASH_SIZE]; /**< Salted slow hash of the key. */
    int64_t expires_ms;       /**< STORE_FOREVER_MS until it is rotated. */
};

/** A ban of a service or of a worker's account: none while until_ms is 0. */
struct ban_record {
    int64_t until_ms; /**< In force before this moment; STORE_FOREVER_MS for good. */
    char reason[STORE_NOTE_SIZE];
};

/** A service that may ask for work. */
struct service_record {
    int64_t id;                   /**< Given by the store, never reused. */
    char name[SERVICE_NAME_SIZE]; /**< What it logs in with: 1–64 of A–Z a–z 0–9 . _ - */
    char display[SERVICE_DISPLAY_SIZE]; /**< For people. */
    char website[SERVICE_WEBSITE_SIZE]; /**< Empty or an http(s) URL. */
    char contact[SERVICE_CONTACT_SIZE]; /**< For the operator alone. */
    bool is_public;                     /**< Whether statistics may show display and website. */
    int64_t terms_ms;                   /**< When it accepted the terms; 0: it has not. */
    double rate_per_s;                  /**< Requests a second it may start. */
    double weight;                      /**< Its share where services compete; 1 is usual. */
    bool unlimited;                     /**< Pays no credits. */
    int64_t credits;                    /**< Left, if not unlimited; never negative. */
    struct ban_record ban;
    struct precache_policy precache;
    struct service_key keys[SERVICE_KEYS_MAX]; /**< Newest first; an empty hash ends the list. */
    int64_t created_ms;
    struct work_counts answered; /**< Requests answered: from the cache, after a wait. */
};

/** How credits came to a service. */
enum credit_kind { CREDIT_BOUGHT, CREDIT_GRANTED, CREDIT_CORRECTED, CREDIT_KINDS };

/** "bought", "granted", "corrected". */
const char *credit_kind_name(enum credit_kind kind);

/** One line of a service's credit account. Used credits are sums of the answers, not lines. */
struct credit_record {
    int64_t id;
    int64_t service_id;
    enum credit_kind kind;
    int64_t amount; /**< Negative only if corrected. */
    char note[STORE_NOTE_SIZE];
    int64_t created_ms;
};

/** A work that was found. */
struct work_record {
    struct root root;
    uint64_t nonce;
    uint64_t value;     /**< work_value(nonce, root). */
    uint64_t threshold; /**< What was asked of the workers. */
    enum work_type type;
    int64_t service_id; /**< Who may have its successor precached; 0 for none. */
    int64_t solved_ms;
    int64_t expires_ms; /**< Afterwards it is no longer handed out. */
};

/** A worker's account. */
struct client_record {
    struct account account;
    struct client_totals totals;
    uint64_t invalid; /**< Results of it that met no threshold; anybody may have sent them. */
    int64_t last_ms;  /**< Of its last reward; 0 if there was none. */
    struct ban_record ban;
};

/** A service's account whose next work may be made ahead. */
struct frontier_record {
    struct account account;
    struct root frontier;
    uint64_t height; /**< Of the frontier in the account's chain; 0 if not known. */
    int64_t service_id;
    int64_t used_ms;    /**< When a service asked for it last. */
    int64_t expires_ms; /**< Forgotten then. */
};

/** An operator's command. */
struct audit_record {
    int64_t id;
    int64_t at_ms;
    char actor[STORE_ACTOR_SIZE];
    char command[STORE_COMMAND_SIZE];
};

/** What a payout is in proportion to; ORIGINAL: to works, made by another hub, amounts not known.
 */
enum payout_rule { PAYOUT_WORKS, PAYOUT_HASHES, PAYOUT_ORIGINAL, PAYOUT_RULES };

/** "works", "hashes", "original". */
const char *payout_rule_name(enum payout_rule rule);

/** How far the payment of one account is. */
enum payout_state {
    PAYOUT_PLANNED,   /**< Its amount is decided; if it was tried it may be in a block already. */
    PAYOUT_SENT,      /**< A block sends it. */
    PAYOUT_CONFIRMED, /**< The network has confirmed that block. */
    PAYOUT_STATES
};

/** "planned", "sent", "confirmed". */
const char *payout_state_name(enum payout_state state);

/** What one account gets by a payout, and for what. */
struct payout_line {
    struct account account;
    struct work_counts works;          /**< Paid by this line. */
    struct work_counts hashes;         /**< Expected to be tried for these works. */
    u128 amount;                       /**< Raw. */
    char send_id[PAYOUT_SEND_ID_SIZE]; /**< By it a wallet knows a send that is repeated. */
    enum payout_state state;
    struct root block;    /**< The hash of its block, if it is sent. */
    bool has_block;       /**< It is not known of what another hub paid. */
    int64_t tried_ms;     /**< When a wallet was first told to send it; 0: never. */
    int64_t sent_ms;      /**< When the block was known; 0: not yet. */
    int64_t confirmed_ms; /**< When it was known to be confirmed; 0: not yet. */
};

/** A payout: what was due at one moment, and who gets how much for it. */
struct payout_record {
    int64_t id; /**< Given by the store, never reused. */
    enum payout_rule rule;
    u128 budget;                   /**< Raw. */
    u128 minimum;                  /**< Raw; whoever would get less gets nothing yet. */
    uint64_t threshold;            /**< Works of a type; fewer stay due. */
    int64_t created_ms;            /**< When it was planned. */
    int64_t cancelled_ms;          /**< 0: it is in force. */
    bool has_source;               /**< Whether a run has begun; it cannot be cancelled then. */
    struct account source;         /**< The account that pays. */
    uint64_t lines[PAYOUT_STATES]; /**< By state. */
    u128 amounts[PAYOUT_STATES];   /**< What these lines add up to. */
};

enum {
    SERIES_LATENCY_MAX = 4096, /**< Bytes of the two packed histograms together. */
};

/** How long the periods of a time series are, in seconds. */
enum series_resolution { SERIES_MINUTE = 60, SERIES_HOUR = 3600, SERIES_DAY = 86400 };

/** What happened in one period. */
struct series_record {
    enum series_resolution resolution;
    int64_t start_s;             /**< Of the period, seconds since 1970, a multiple of it. */
    struct work_counts answered; /**< By how the answer counts. */
    struct work_counts rewarded;
    uint64_t timeouts;
    uint64_t refused;      /**< Requests told anything else. */
    double multiplier_sum; /**< Over the requests that were answered. */
    size_t latency_bytes;
    uint8_t latency[SERIES_LATENCY_MAX]; /**< Packed histograms of the response times. */
};

#endif
