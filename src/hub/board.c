#include "base/clock.h"
#include "base/random.h"
#include "hub/board_internal.h"

#include <stdlib.h>

enum {
    TOPIC_S = 300,         /* dpow.md 2.1 */
    TOPIC_REWARDED_S = 10, /* While rewards happen. */
    STORE_S = 10,          /* How often periods are stored that have not ended. */
};

/* A row on its way into the store. */
struct writing {
    struct store_op op;
    struct series_record record;
    struct board *board;
};

static bool create_text(struct board_text *text, size_t size)
{
    text->data = malloc(size);
    return text->data != NULL;
}

struct loading {
    struct board *board;
    int64_t now_ms;
};

static bool load_row(void *context, const struct series_record *record)
{
    struct loading *loading = context;
    return series_load(loading->board->series, loading->now_ms, record);
}

static bool load(struct board *board, struct store *store, struct error *error)
{
    static const enum series_length stored[] = {SERIES_MINUTES, SERIES_HOURS, SERIES_DAYS};
    struct loading loading = {board, clock_wall_ms()};
    for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++)
        if (!store_each_series(store, (enum series_resolution)series_seconds(stored[i]),
                               series_load_from(stored[i], loading.now_ms), load_row, &loading,
                               error))
            return false;
    series_advance(board->series, loading.now_ms);
    return true;
}

struct board *board_create(const struct board_options *options, struct store *store,
                           struct error *error)
{
    uint8_t seed[TABLE_SEED_SIZE];
    struct board *board = calloc(1, sizeof *board);
    if (board == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the statistics");
        return NULL;
    }
    random_system(seed, sizeof seed);
    board->options = *options;
    board->log = log_for_part(options->log, "statistics");
    board->started_us = clock_monotonic_us();
    board->clients = clients_create(CLIENTS_MAX, seed, error);
    board->series = board->clients != NULL ? series_create(error) : NULL;
    if (board->series != NULL && create_text(&board->statistics, STATISTICS_SIZE) &&
        create_text(&board->topic, STATISTICS_SIZE) &&
        create_text(&board->metrics, BOARD_METRICS_SIZE)) {
        if (load(board, store, error))
            return board;
    } else {
        (void)error_set(error, ERROR_MEMORY, "no memory for the statistics");
    }
    board_destroy(board);
    return NULL;
}

void board_destroy(struct board *board)
{
    if (board == NULL)
        return;
    clients_destroy(board->clients);
    series_destroy(board->series);
    free(board->statistics.data);
    free(board->topic.data);
    free(board->metrics.data);
    free(board);
}

struct clients *board_clients(struct board *board)
{
    return board->clients;
}

void board_measure(struct board *board, const struct service_measure *measure)
{
    const bool answered = measure->reached_core && measure->answer == HUB_ANSWER_WORK;
    const bool timeout = measure->reached_core && measure->answer == HUB_ANSWER_TIMEOUT;
    struct series_request request = {
        .outcome = answered  ? SERIES_ANSWERED
                   : timeout ? SERIES_TIMEOUT
                             : SERIES_REFUSED,
    };
    if (answered) {
        request.type = measure->type;
        request.waited_us = measure->waited_us;
        request.multiplier =
            difficulty_to_multiplier(measure->threshold, board->options.base_difficulty);
        histogram_record(&board->totals.waited[measure->type], measure->waited_us);
        board->totals.waited_us[measure->type] += measure->waited_us;
    }
    series_record_request(board->series, clock_wall_coarse_ms(), &request);
}

void board_reward(struct board *board, enum work_type type, uint64_t hashes)
{
    board->totals.rewarded.of[type]++;
    board->totals.hashes[type] += hashes;
    board->rewarded = true;
    series_record_reward(board->series, clock_wall_ms(), type, hashes);
}

static void on_written(void *context, struct store_op *op)
{
    struct writing *writing = context;
    struct board *board = writing->board;
    board->storing--;
    if (op->status != STORE_DONE)
        series_not_stored(board->series, writing->record.resolution, writing->record.start_s);
    free(writing);
}

static void store_rows(struct board *board, struct ledger *ledger, bool open)
{
    for (;;) {
        struct writing *writing = calloc(1, sizeof *writing);
        if (writing == NULL || !series_unstored(board->series, open, &writing->record)) {
            free(writing);
            return;
        }
        writing->board = board;
        writing->op.kind = STORE_SERIES;
        writing->op.series = &writing->record;
        if (!ledger_submit_other(ledger, &writing->op, on_written, writing)) {
            series_not_stored(board->series, writing->record.resolution, writing->record.start_s);
            free(writing);
            return;
        }
        board->storing++;
    }
}

bool board_second(struct board *board, struct ledger *ledger)
{
    series_advance(board->series, clock_wall_ms());
    board->seconds++;
    /* While the store does not commit, nothing is added to what waits for it. */
    if (board->storing == 0)
        store_rows(board, ledger, board->seconds % STORE_S == 0);
    const unsigned age_s = board->seconds - board->told_s;
    return age_s >= TOPIC_S || (age_s >= TOPIC_REWARDED_S && board->rewarded);
}

void board_flush(struct board *board, struct ledger *ledger)
{
    series_advance(board->series, clock_wall_ms());
    store_rows(board, ledger, true);
}

static void make(struct board *board, const struct board_view *view,
                 const struct hub_core_stats *core, struct board_text *text,
                 enum statistics_extent extent)
{
    const uint64_t now_us = clock_monotonic_us();
    const int64_t wall_ms = clock_wall_ms();
    series_advance(board->series, wall_ms);
    const struct statistics_source source = {
        .services = board->options.services,
        .clients = board->clients,
        .series = board->series,
        .core = core,
        .moment = {wall_ms, (int64_t)now_us},
        .uptime_s = (now_us - board->started_us) / 1000000,
        .stopping = view->stopping,
        .store_works = view->store_works,
        .broker_works = view->broker_works,
    };
    text->length = statistics_write(text->data, &source, extent);
    text->made_us = now_us;
}

static bool is_old(const struct board_text *text)
{
    return text->made_us == 0 || clock_monotonic_us() - text->made_us >= BOARD_REFRESH_US;
}

struct slice board_statistics(struct board *board, const struct board_view *view)
{
    struct board_text *text = &board->statistics;
    struct hub_core_stats core;
    hub_core_stats(view->core, &core);
    if (is_old(text))
        make(board, view, &core, text, STATISTICS_FULL);
    return (struct slice){text->data, text->length};
}

struct slice board_stopped_statistics(struct board *board, const struct work_counts *rewarded)
{
    const struct board_view view = {.stopping = true};
    const struct hub_core_stats core = {.rewarded = *rewarded};
    make(board, &view, &core, &board->statistics, STATISTICS_FULL);
    return (struct slice){board->statistics.data, board->statistics.length};
}

struct slice board_topic(struct board *board, const struct board_view *view)
{
    board->told_s = board->seconds;
    struct hub_core_stats core;
    hub_core_stats(view->core, &core);
    board->rewarded = false;
    make(board, view, &core, &board->topic, STATISTICS_BRIEF);
    return (struct slice){board->topic.data, board->topic.length};
}

struct slice board_metrics(struct board *board, const struct board_view *view)
{
    struct board_text *text = &board->metrics;
    struct metrics metrics;
    if (is_old(text)) {
        metrics_init(&metrics, text->data, BOARD_METRICS_SIZE);
        board_write_metrics(&metrics, board, view);
        text->length = metrics.length;
        text->made_us = clock_monotonic_us();
    }
    return (struct slice){text->data, text->length};
}
