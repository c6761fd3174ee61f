/**
 * rpc: what a client asks, and what it is told (work-server.md 1.3 to 1.5): JSON in, JSON out, no
 * I/O.
 */
#ifndef DPOW_WORKSERVER_RPC_H
#define DPOW_WORKSERVER_RPC_H

#include "nano/difficulty.h"
#include "nano/work.h"

enum rpc_kind { RPC_GENERATE, RPC_VALIDATE, RPC_CANCEL, RPC_BENCHMARK, RPC_STATUS };

/** Room an answer needs beyond its id. */
enum { RPC_ANSWER_ROOM = 768 };

/** What the operator decides. */
struct rpc_rules {
    const struct network *network; /**< Its send threshold is the base and the default. */
    uint64_t difficulty_min;       /**< Of work_generate and benchmark; lower is refused. */
    uint64_t difficulty_max;       /**< Higher is refused. */
};

/** A request that can be carried out. */
struct rpc_request {
    enum rpc_kind kind;
    struct root root;
    uint64_t nonce;      /**< VALIDATE. */
    bool has_difficulty; /**< Named as such, not as a multiplier. */
    uint64_t threshold;  /**< Asked, or the base. */
    uint64_t count;      /**< BENCHMARK: 1 to 10,000. */
    uint64_t priority;   /**< GENERATE; 0 if not given. */
    struct slice id;     /**< Its JSON text, of the body, to be echoed; empty if there is none. */
};

/** Why a request is not carried out; constants. */
struct rpc_fault {
    int status; /**< Of HTTP. */
    const char *error;
    const char *hint; /**< NULL: none. */
};

/**
 * Reads a body.
 * @param body borrowed for as long as request->id is used
 * @param request its id is set as far as it could be read, also on failure
 * @return false with the fault: the first in the order action, hash, work, difficulty, multiplier,
 *         count, priority, version
 */
bool rpc_parse(struct slice body, const struct rpc_rules *rules, struct rpc_request *request,
               struct rpc_fault *fault);

/** Faults that do not come from the body. */
extern const struct rpc_fault rpc_cancelled;
extern const struct rpc_fault rpc_failed;
extern const struct rpc_fault rpc_full;
extern const struct rpc_fault rpc_timeout;
extern const struct rpc_fault rpc_benchmark_failed;
extern const struct rpc_fault rpc_benchmark_busy;
extern const struct rpc_fault rpc_benchmark_forbidden;

/** `{"error"[,"hint"][,"id"]}`; buffer must have RPC_ANSWER_ROOM + id.length bytes, as for all.
 * @return the length */
size_t rpc_write_fault(char *buffer, const struct rpc_fault *fault, struct slice id);

/** The answer to work_generate. @param value of the nonce: difficulty and multiplier reached */
size_t rpc_write_work(char *buffer, const struct root *root, uint64_t nonce, uint64_t value,
                      uint64_t base, struct slice id);

/** The answer to work_validate: the nonce is hashed here. */
size_t rpc_write_validation(char *buffer, const struct rpc_request *request,
                            const struct network *network);

/** The answer to work_cancel. */
size_t rpc_write_cancel(char *buffer, struct slice id);

/** The answer to status. @param waiting entries, the running ones not counted */
size_t rpc_write_status(char *buffer, bool generating, size_t waiting, struct slice id);

/** The answer to benchmark. */
size_t rpc_write_benchmark(char *buffer, uint64_t threshold, uint64_t base, uint64_t count,
                           double duration_ms, struct slice id);

#endif
