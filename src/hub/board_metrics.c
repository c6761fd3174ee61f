/* What Prometheus reads of the hub (docs/operation.md, "Metrics"). */
#include "base/clock.h"
#include "hub/board_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LABELS_SIZE = 64 };

static void write_one(struct metrics *metrics, const char *name, const char *type, const char *help,
                      uint64_t value)
{
    metrics_describe(metrics, name, type, help);
    metrics_sample_u64(metrics, name, NULL, value);
}

/* One sample for each work type. */
static void write_typed(struct metrics *metrics, const char *name, const char *help,
                        const uint64_t values[WORK_TYPES])
{
    metrics_describe(metrics, name, "counter", help);
    for (int type = 0; type < WORK_TYPES; type++) {
        char labels[LABELS_SIZE];
        (void)snprintf(labels, sizeof labels, "type=\"%s\"", work_type_name((enum work_type)type));
        metrics_sample_u64(metrics, name, labels, values[type]);
    }
}

static void write_process(struct metrics *metrics, const struct board *board, uint64_t now_us)
{
    struct rusage usage;
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%*u %llu", &pages) != 1)
            pages = 0;
        (void)fclose(file);
    }
    metrics_describe(metrics, "dpow_build_info", "gauge", "1, with the version as a label.");
    metrics_sample_u64(metrics, "dpow_build_info", "version=\"" DPOW_VERSION "\"", 1);
    write_one(metrics, "dpow_uptime_seconds", "gauge", "Since the hub was started.",
              (now_us - board->started_us) / 1000000);
    write_one(metrics, "process_resident_memory_bytes", "gauge", "Memory in use.",
              pages * (uint64_t)sysconf(_SC_PAGESIZE));
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    metrics_describe(metrics, "process_cpu_seconds_total", "counter", "Processor time used.");
    metrics_sample(metrics, "process_cpu_seconds_total", NULL,
                   (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

static void write_requests(struct metrics *metrics, const struct hub_core_stats *core,
                           const struct service_api *api)
{
    static const char *const answers[HUB_ANSWERS] = {
        [HUB_ANSWER_WORK] = "answer=\"work\"",
        [HUB_ANSWER_TIMEOUT] = "answer=\"timeout\"",
        [HUB_ANSWER_BUSY] = "answer=\"busy\"",
        [HUB_ANSWER_STOPPED] = "answer=\"stopped\"",
        [HUB_ANSWER_FAILED] = "answer=\"failed\"",
        [HUB_ANSWER_REVOKED] = "answer=\"revoked\"",
        [HUB_ANSWER_SUSPENDED] = "answer=\"suspended\"",
        [HUB_ANSWER_NO_CREDIT] = "answer=\"no_credit\"",
    };
    static const char name[] = "dpow_requests_total";
    struct service_api_counters counters = {0};
    if (api != NULL)
        service_api_counters(api, &counters);
    metrics_describe(metrics, name, "counter",
                     "Requests of services by their end; refused: before they were taken.");
    for (int i = 0; i < HUB_ANSWERS; i++)
        metrics_sample_u64(metrics, name, answers[i], core->answers[i]);
    metrics_sample_u64(metrics, name, "answer=\"refused\"", counters.refused);
    metrics_sample_u64(metrics, name, "answer=\"left\"", core->left);
    write_one(metrics, "dpow_requests_open", "gauge", "Requests in hand.", counters.calls);
}

/* Response times, as Prometheus' histograms: each bucket counts those below too. */
static void write_response_times(struct metrics *metrics, const struct board_totals *totals)
{
    static const unsigned limits_ms[] = {1,   2,   5,    10,   20,   50,    100,
                                         200, 500, 1000, 2000, 5000, 10000, 30000};
    static const char name[] = "dpow_response_seconds";
    char labels[LABELS_SIZE];
    metrics_describe(metrics, name, "histogram", "Time from a request to its work.");
    for (int type = 0; type < WORK_TYPES; type++) {
        const struct histogram *histogram = &totals->waited[type];
        const char *type_name = work_type_name((enum work_type)type);
        for (size_t i = 0; i < sizeof limits_ms / sizeof limits_ms[0]; i++) {
            (void)snprintf(labels, sizeof labels, "type=\"%s\",le=\"%g\"", type_name,
                           limits_ms[i] / 1000.0);
            metrics_sample_u64(metrics, "dpow_response_seconds_bucket", labels,
                               histogram_count_up_to(histogram, (uint64_t)limits_ms[i] * 1000));
        }
        (void)snprintf(labels, sizeof labels, "type=\"%s\",le=\"+Inf\"", type_name);
        metrics_sample_u64(metrics, "dpow_response_seconds_bucket", labels, histogram->count);
        (void)snprintf(labels, sizeof labels, "type=\"%s\"", type_name);
        metrics_sample(metrics, "dpow_response_seconds_sum", labels,
                       (double)totals->waited_us[type] / 1e6);
        metrics_sample_u64(metrics, "dpow_response_seconds_count", labels, histogram->count);
    }
}

static void write_core(struct metrics *metrics, const struct hub_core_stats *core)
{
    static const char *const verdicts[HUB_VERDICTS] = {
        [HUB_RESULT_ACCEPTED] = "verdict=\"accepted\"",
        [HUB_RESULT_UNWANTED] = "verdict=\"unwanted\"",
        [HUB_RESULT_WEAK] = "verdict=\"weak\"",
    };
    metrics_describe(metrics, "dpow_results_total", "counter", "Workers' results by verdict.");
    for (int i = 0; i < HUB_VERDICTS; i++)
        metrics_sample_u64(metrics, "dpow_results_total", verdicts[i], core->results[i]);
    write_one(metrics, "dpow_roots", "gauge", "Roots known.", core->entries);
    write_one(metrics, "dpow_roots_wanted", "gauge", "Roots being searched.", core->wanted);
    write_one(metrics, "dpow_works_storing", "gauge", "Works on their way into the store.",
              core->storing);
    write_one(metrics, "dpow_chains", "gauge", "Accounts of services that are followed.",
              core->chains);
    metrics_describe(metrics, "dpow_precache_roots", "gauge", "Roots whose work is made ahead.");
    metrics_sample_u64(metrics, "dpow_precache_roots", "state=\"queued\"", core->queued);
    metrics_sample_u64(metrics, "dpow_precache_roots", "state=\"searched\"", core->precaching);
    metrics_describe(metrics, "dpow_precache_total", "counter", "What became of works made ahead.");
    metrics_sample_u64(metrics, "dpow_precache_total", "event=\"started\"", core->precache_started);
    metrics_sample_u64(metrics, "dpow_precache_total", "event=\"refused\"", core->precache_refused);
    metrics_sample_u64(metrics, "dpow_precache_total", "event=\"used\"", core->precache_used);
    metrics_sample_u64(metrics, "dpow_precache_total", "event=\"unused\"", core->precache_unused);
    write_one(metrics, "dpow_confirmed_blocks_total", "counter",
              "Confirmed blocks of accounts that are followed.", core->confirmed);
}

static void write_workers(struct metrics *metrics, const struct worker_link *link, bool up)
{
    struct worker_link_counters counters = {0};
    if (link != NULL)
        worker_link_counters(link, &counters);
    write_one(metrics, "dpow_broker_up", "gauge", "1 while the broker is connected.", up);
    write_one(metrics, "dpow_published_total", "counter", "Messages published.",
              counters.published);
    write_one(metrics, "dpow_unpublished_total", "counter",
              "Messages dropped for want of a broker.", counters.unpublished);
    write_one(metrics, "dpow_malformed_results_total", "counter", "Results that could not be read.",
              counters.malformed);
    write_one(metrics, "dpow_invalid_accounts_total", "counter",
              "Accepted results whose account was not one.", counters.invalid_accounts);
    write_one(metrics, "dpow_banned_results_total", "counter", "Results of banned accounts.",
              counters.banned);
}

static void write_clients(struct metrics *metrics, const struct board *board, uint64_t now_us)
{
    write_one(metrics, "dpow_accounts", "gauge", "Workers' accounts known.",
              clients_count(board->clients));
    write_one(metrics, "dpow_accounts_active", "gauge",
              "Workers' accounts rewarded in the last 60 minutes.",
              clients_active_since(board->clients, (int64_t)now_us - (int64_t)3600 * 1000000));
    write_one(metrics, "dpow_accounts_banned", "gauge", "Workers' accounts with a ban.",
              clients_banned(board->clients));
    write_one(metrics, "dpow_services", "gauge", "Services.",
              services_count(board->options.services));
}

static void write_store(struct metrics *metrics, const struct board_view *view)
{
    struct ledger_counters counters = {0};
    if (view->ledger != NULL)
        ledger_counters(view->ledger, &counters);
    write_one(metrics, "dpow_store_up", "gauge", "1 while commits work.", view->store_works);
    metrics_describe(metrics, "dpow_store_seconds", "summary",
                     "Time from handing an operation to the store until it was durable.");
    metrics_sample(metrics, "dpow_store_seconds_sum", NULL, (double)counters.waited_us / 1e6);
    metrics_sample_u64(metrics, "dpow_store_seconds_count", NULL, counters.operations);
}

static void write_http(struct metrics *metrics, const struct http_server *http)
{
    struct http_counters counters = {0};
    if (http != NULL)
        http_server_counters(http, &counters);
    write_one(metrics, "dpow_http_requests_total", "counter", "Complete HTTP requests.",
              counters.requests);
    write_one(metrics, "dpow_http_refused_total", "counter",
              "Requests answered by a limit or as malformed.", counters.refused);
    write_one(metrics, "dpow_websocket_messages_total", "counter", "WebSocket messages.",
              counters.messages);
    write_one(metrics, "dpow_http_connections", "gauge", "Open connections.", counters.connections);
    write_one(metrics, "dpow_websockets", "gauge", "Open WebSockets.", counters.websockets);
}

static uint64_t sum(const uint64_t *counts, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += counts[i];
    return total;
}

static void write_node(struct metrics *metrics, const struct block_watch *watch)
{
    static const char name[] = "dpow_block_messages_total";
    struct block_watch_stats stats = {0};
    bool up = false;
    if (watch != NULL) {
        block_watch_stats(watch, &stats);
        up = block_watch_state(watch) == BLOCK_WATCH_UP;
    }
    write_one(metrics, "dpow_node_up", "gauge", "1 while the Nano node can be used.", up);
    metrics_describe(metrics, name, "counter", "Confirmed blocks told, by their way and end.");
    metrics_sample_u64(metrics, name, "by=\"websocket\",end=\"taken\"", stats.confirmations.blocks);
    metrics_sample_u64(metrics, name, "by=\"websocket\",end=\"unusable\"",
                       sum(stats.confirmations.faults, BLOCK_FAULTS));
    metrics_sample_u64(metrics, name, "by=\"callback\",end=\"taken\"", stats.callbacks);
    metrics_sample_u64(metrics, name, "by=\"callback\",end=\"unusable\"",
                       sum(stats.callback_faults, BLOCK_FAULTS));
    metrics_sample_u64(metrics, name, "by=\"callback\",end=\"forbidden\"",
                       stats.callbacks_forbidden);
    write_one(metrics, "dpow_node_calls_total", "counter", "Calls of the node's RPC.",
              stats.rpc.calls);
    write_one(metrics, "dpow_node_failures_total", "counter", "Those without a usable answer.",
              stats.rpc.failures);
    write_one(metrics, "dpow_frontiers_not_asked_total", "counter",
              "Accounts whose frontier was wanted and could not be asked for.", stats.not_asked);
}

void board_write_metrics(struct metrics *metrics, struct board *board,
                         const struct board_view *view)
{
    struct hub_core_stats core;
    const uint64_t now_us = clock_monotonic_us();
    hub_core_stats(view->core, &core);
    write_process(metrics, board, now_us);
    write_requests(metrics, &core, view->api);
    write_response_times(metrics, &board->totals);
    write_core(metrics, &core);
    write_typed(metrics, "dpow_rewards_total", "Rewards made durable.", board->totals.rewarded.of);
    write_typed(metrics, "dpow_rewarded_hashes_total", "Hashes expected for these rewards.",
                board->totals.hashes);
    write_workers(metrics, view->link, view->broker_works);
    write_clients(metrics, board, now_us);
    write_store(metrics, view);
    write_http(metrics, view->http);
    write_node(metrics, view->watch);
}
