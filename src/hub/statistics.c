#include "hub/statistics.h"

#include "base/json.h"

enum {
    /* Everything but the public services: 100 clients and 114 periods with the longest numbers. */
    OTHER_ROOM = 80000,
    SERVICES_ROOM = STATISTICS_SIZE - OTHER_ROOM,
    /* Escapes may make six bytes of one. */
    SERVICE_ROOM = 6 * (SERVICE_DISPLAY_SIZE + SERVICE_WEBSITE_SIZE) + 128,
    RATE_S = 600, /* Hashes per second are an average over this time. */
};

static void write_number(struct json_writer *writer, const char *name, uint64_t number)
{
    json_key(writer, name);
    json_write_u64(writer, number);
}

static void write_counts(struct json_writer *writer, const struct work_counts *counts)
{
    for (int type = 0; type < WORK_TYPES; type++)
        write_number(writer, work_type_name((enum work_type)type), counts->of[type]);
}

/* Services of which only the sum is told. */
struct summed {
    uint64_t count;
    struct work_counts answered;
};

static void sum_service(struct summed *summed, const struct service_record *record)
{
    summed->count++;
    for (int type = 0; type < WORK_TYPES; type++)
        summed->answered.of[type] += record->answered.of[type];
}

static void write_summed(struct json_writer *writer, const char *name, const struct summed *summed)
{
    json_key(writer, name);
    json_begin_object(writer);
    write_number(writer, "count", summed->count);
    write_counts(writer, &summed->answered);
    json_end_object(writer);
}

static void write_service(struct json_writer *writer, const struct service_record *record)
{
    json_begin_object(writer);
    json_key(writer, "display");
    json_write_text(writer, record->display);
    json_key(writer, "website");
    json_write_text(writer, record->website);
    write_counts(writer, &record->answered);
    json_end_object(writer);
}

static void write_services(struct json_writer *writer, const struct services *services)
{
    struct summed others = {0};
    struct summed left_out = {0};
    json_key(writer, "services");
    json_begin_object(writer);
    json_key(writer, "public");
    json_begin_array(writer);
    for (size_t i = 0; i < services_count(services); i++) {
        const struct service_record *record = &services_at(services, i)->record;
        if (!record->is_public)
            sum_service(&others, record);
        else if (writer->length + SERVICE_ROOM <= SERVICES_ROOM)
            write_service(writer, record);
        else
            sum_service(&left_out, record);
    }
    json_end_array(writer);
    write_summed(writer, "private", &others);
    if (left_out.count > 0)
        write_summed(writer, "left_out", &left_out);
    json_end_object(writer);
}

static void write_state(struct json_writer *writer, const struct statistics_source *source)
{
    const bool works = source->store_works && source->broker_works;
    json_key(writer, "version");
    json_write_text(writer, DPOW_VERSION);
    json_key(writer, "time");
    json_write_i64(writer, source->moment.wall_ms / 1000);
    write_number(writer, "uptime_s", source->uptime_s);
    json_key(writer, "state");
    json_begin_object(writer);
    json_key(writer, "hub");
    json_write_text(writer, source->stopping ? "stopping" : works ? "ok" : "failing");
    json_key(writer, "store");
    json_write_text(writer, source->store_works ? "ok" : "failing");
    json_key(writer, "broker");
    json_write_text(writer, source->broker_works ? "ok" : "failing");
    json_end_object(writer);
}

static void write_workers(struct json_writer *writer, const struct statistics_source *source)
{
    struct series_counts counts;
    const uint64_t seconds = source->uptime_s < RATE_S ? source->uptime_s : RATE_S;
    series_sum(source->series, SERIES_SECONDS, 0, RATE_S, &counts);
    json_key(writer, "workers");
    json_begin_object(writer);
    write_number(
        writer, "accounts_active_60min",
        clients_active_since(source->clients, source->moment.now_us - (int64_t)3600 * 1000000));
    write_number(writer, "accounts_total", clients_count(source->clients));
    json_key(writer, "hashes_per_s");
    json_write_double(writer, (double)counts.hashes / (double)(seconds > 0 ? seconds : 1));
    json_end_object(writer);
}

static uint64_t answered(const struct series_counts *counts)
{
    return counts->answered.of[WORK_PRECACHE] + counts->answered.of[WORK_ONDEMAND];
}

/* A share or an average; null where there is nothing to divide by. */
static void write_quotient(struct json_writer *writer, const char *name, double sum, uint64_t count)
{
    json_key(writer, name);
    if (count > 0)
        json_write_double(writer, sum / (double)count);
    else
        json_write_null(writer);
}

static void write_requests(struct json_writer *writer, struct series *series)
{
    static const struct {
        const char *name;
        enum series_length length;
        int64_t skip;
        int64_t periods;
    } spans[] = {
        {"last_minute", SERIES_SECONDS, 0, 60},
        {"last_hour", SERIES_MINUTES, 0, 60},
        {"previous_24h", SERIES_HOURS, 24, 24},
        {"last_24h", SERIES_HOURS, 0, 24}, /* the last, for the share below */
    };
    struct series_counts counts = {0};
    json_key(writer, "requests");
    json_begin_object(writer);
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        series_sum(series, spans[i].length, spans[i].skip, spans[i].periods, &counts);
        json_key(writer, spans[i].name);
        json_begin_object(writer);
        write_number(writer, "total", answered(&counts) + counts.timeouts + counts.refused);
        write_counts(writer, &counts.answered);
        write_number(writer, "timeouts", counts.timeouts);
        write_number(writer, "refused", counts.refused);
        json_end_object(writer);
    }
    write_quotient(writer, "precache_share_24h", (double)counts.answered.of[WORK_PRECACHE],
                   answered(&counts));
    json_end_object(writer);
    series_sum(series, SERIES_MINUTES, 0, 30, &counts);
    json_key(writer, "multiplier");
    json_begin_object(writer);
    write_quotient(writer, "average_30min", counts.multiplier_sum, answered(&counts));
    json_end_object(writer);
}

static void write_ahead(struct json_writer *writer, const struct hub_core_stats *core)
{
    json_key(writer, "precache");
    json_begin_object(writer);
    write_number(writer, "chains", core->chains);
    write_number(writer, "queued", core->queued);
    write_number(writer, "precaching", core->precaching);
    write_number(writer, "started", core->precache_started);
    write_number(writer, "refused", core->precache_refused);
    write_number(writer, "used", core->precache_used);
    write_number(writer, "unused", core->precache_unused);
    json_end_object(writer);
}

static void write_percentiles(struct json_writer *writer, const char *name,
                              const struct series_percentiles *percentiles)
{
    json_key(writer, name);
    json_begin_object(writer);
    json_key(writer, "p50");
    json_write_double(writer, (double)percentiles->p50_us / 1000);
    json_key(writer, "p95");
    json_write_double(writer, (double)percentiles->p95_us / 1000);
    json_key(writer, "p99");
    json_write_double(writer, (double)percentiles->p99_us / 1000);
    json_end_object(writer);
}

static void write_response_times(struct json_writer *writer, struct series *series)
{
    struct series_percentiles hour[WORK_TYPES];
    struct series_percentiles day[WORK_TYPES];
    series_percentiles(series, SERIES_MINUTES, hour);
    series_percentiles(series, SERIES_HOURS, day);
    json_key(writer, "response_ms");
    json_begin_object(writer);
    for (int type = 0; type < WORK_TYPES; type++) {
        json_key(writer, work_type_name((enum work_type)type));
        json_begin_object(writer);
        write_percentiles(writer, "last_hour", &hour[type]);
        write_percentiles(writer, "last_24h", &day[type]);
        json_end_object(writer);
    }
    json_end_object(writer);
}

static void write_clients(struct json_writer *writer, const struct clients *clients)
{
    json_key(writer, "clients");
    json_begin_array(writer);
    for (size_t place = 0; clients_top(clients, place) != NULL; place++) {
        struct client_record record;
        char account[ACCOUNT_TEXT_SIZE];
        client_read(clients_top(clients, place), &record);
        account_format(&record.account, account);
        json_begin_object(writer);
        json_key(writer, "account");
        json_write_text(writer, account);
        write_counts(writer, &record.totals.rewarded);
        write_number(writer, "hashes",
                     record.totals.hashes.of[WORK_PRECACHE] +
                         record.totals.hashes.of[WORK_ONDEMAND]);
        json_key(writer, "last");
        json_write_i64(writer, record.last_ms / 1000);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void write_period(struct json_writer *writer, const struct series_period *period)
{
    const struct series_counts *counts = &period->counts;
    const uint64_t numbers[] = {
        counts->answered.of[WORK_PRECACHE],
        counts->answered.of[WORK_ONDEMAND],
        counts->timeouts,
        counts->refused,
        counts->rewarded.of[WORK_PRECACHE],
        counts->rewarded.of[WORK_ONDEMAND],
    };
    json_begin_array(writer);
    json_write_i64(writer, period->start_s);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        json_write_u64(writer, numbers[i]);
    json_write_double(writer, (double)period->latency.p50_us / 1000);
    json_write_double(writer, (double)period->latency.p95_us / 1000);
    json_write_double(writer, (double)period->latency.p99_us / 1000);
    json_end_array(writer);
}

static void write_series(struct json_writer *writer, struct series *series)
{
    static const struct {
        const char *name;
        enum series_length length;
        int64_t periods;
    } parts[] = {
        {"minutes", SERIES_MINUTES, 60}, {"hours", SERIES_HOURS, 24}, {"days", SERIES_DAYS, 30}};
    json_key(writer, "series");
    json_begin_object(writer);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        json_key(writer, parts[i].name);
        json_begin_array(writer);
        for (int64_t back = parts[i].periods - 1; back >= 0; back--) {
            struct series_period period;
            series_period(series, parts[i].length, back, &period);
            write_period(writer, &period);
        }
        json_end_array(writer);
    }
    json_end_object(writer);
}

size_t statistics_write(char text[STATISTICS_SIZE], const struct statistics_source *source,
                        enum statistics_extent extent)
{
    struct json_writer state;
    struct json_writer *writer = &state;
    json_writer_init(writer, text, STATISTICS_SIZE);
    json_begin_object(writer);
    write_services(writer, source->services);
    json_key(writer, "work");
    json_begin_object(writer);
    write_counts(writer, &source->core->rewarded);
    json_end_object(writer);
    write_state(writer, source);
    write_workers(writer, source);
    write_requests(writer, source->series);
    write_ahead(writer, source->core);
    if (extent == STATISTICS_FULL) {
        write_response_times(writer, source->series);
        write_clients(writer, source->clients);
        write_series(writer, source->series);
    }
    json_end_object(writer);
    return writer->length;
}
