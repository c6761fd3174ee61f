#include "cli/load_internal.h"

#include "base/clock.h"
#include "base/hex.h"
#include "net/loop.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    OPENING_MAX = 128,   /* Connections in the making at once: a listener's backlog is short. */
    OPENING_MS = 60000,  /* For all of them. */
    WARMING_MS = 120000, /* For the first answers… */
    ATTEMPTS_MAX = 4,    /* …of which some may time out, as a real search does. */
    DRAINING_MS = 7000,  /* A hub answers "timeout" after 5 s. */
    TICK_NS = 50000,     /* With a rate, requests are sent at most so late. */
    SECOND_NS = 1000000000,
};

static void close_all(struct load *load)
{
    load->phase = LOAD_CLOSING;
    for (size_t i = 0; i < load->begun; i++) {
        load->result->idle_open += load->connections[i].idle && load->connections[i].open;
        load_connection_close(&load->connections[i]);
    }
    loop_close((uv_handle_t *)&load->timer);
    loop_close((uv_handle_t *)&load->signals[0]);
    loop_close((uv_handle_t *)&load->signals[1]);
    loop_close((uv_handle_t *)&load->ticker);
    load_worker_close(load);
}

void load_fail(struct load *load, enum error_code code, const char *format, ...)
{
    char text[sizeof load->error->text];
    if (load->phase == LOAD_CLOSING)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    load->failed = true;
    (void)error_set(load->error, code, "%s", text);
    close_all(load);
}

void load_lost(struct load *load, struct load_connection *connection, const char *reason)
{
    if (load->phase == LOAD_CLOSING || connection->lost)
        return;
    if (!connection->idle || !connection->open) {
        load_fail(load, ERROR_SYSTEM, "a connection to the hub was lost after %llu answers: %s",
                  (unsigned long long)load->result->requests, reason);
        return;
    }
    connection->lost = true;
    connection->open = false;
    load_connection_close(connection);
}

/* 0 if it cannot be read. */
static uint64_t resident_kib(uint64_t pid)
{
    char path[64];
    char line[256];
    unsigned long long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%llu/status", (unsigned long long)pid);
    FILE *file = pid != 0 ? fopen(path, "re") : NULL;
    if (file == NULL)
        return 0;
    while (kib == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    (void)fclose(file);
    return kib;
}

static void send_request(struct load *load, struct load_connection *connection, unsigned slot,
                         uint64_t since_us)
{
    struct load_flight *flight = &connection->flights[slot];
    char hash[65];
    if (load->options->cached) {
        flight->root = load->roots[load->sent % LOAD_CACHED_ROOTS];
    } else {
        for (int i = 0; i < 4; i++)
            store_le64(flight->root.bytes + 8 * i, random_next(&load->random));
    }
    root_format(&flight->root, hash);
    flight->waits = true;
    flight->since_us = since_us;
    load->in_flight++;
    load->sent++;
    load->output_length +=
        load_request_write(&load->request, load->output + load->output_length, hash, slot);
}

static struct load_connection *first_asking(struct load *load)
{
    return &load->connections[load->options->idle];
}

static void warm(struct load *load)
{
    send_request(load, first_asking(load), 0, clock_monotonic_us());
}

static void free_slot(struct load *load, const struct load_connection *connection, unsigned flight)
{
    const size_t last = (load->free_first + load->free_count++) % load->slot_count;
    load->free[last] = (struct load_slot){(uint32_t)(connection - load->connections), flight};
}

/* Sends what is due by now on whatever is free, one message a write. */
static void send_due(struct load *load)
{
    const double rate = load->options->rate;
    const uint64_t now_us = clock_monotonic_us();
    while (load->phase == LOAD_RUNNING && load->free_count > 0) {
        const uint64_t due_us = load->start_us + (uint64_t)((double)load->sent * 1e6 / rate);
        if (due_us > now_us)
            break;
        const struct load_slot slot = load->free[load->free_first];
        load->free_first = (load->free_first + 1) % load->slot_count;
        load->free_count--;
        send_request(load, &load->connections[slot.connection], slot.flight, due_us);
        load_connection_flush(load, &load->connections[slot.connection]);
    }
}

static void on_tick(uv_poll_t *ticker, int status, int events)
{
    struct load *load = ticker->data;
    uint64_t ticks;
    (void)status;
    (void)events;
    if (read(load->ticker_file, &ticks, sizeof ticks) == (ssize_t)sizeof ticks)
        send_due(load);
}

static bool start_ticker(struct load *load)
{
    const double period = SECOND_NS / load->options->rate;
    const long nanoseconds = period < TICK_NS ? TICK_NS : (long)(period < 1e6 ? period : 1e6);
    const struct itimerspec ticks = {.it_value.tv_nsec = nanoseconds,
                                     .it_interval.tv_nsec = nanoseconds};
    load->ticker_file = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (load->ticker_file < 0 || timerfd_settime(load->ticker_file, 0, &ticks, NULL) != 0 ||
        uv_poll_init(&load->loop, &load->ticker, load->ticker_file) != 0)
        return false;
    load->ticker.data = load;
    return uv_poll_start(&load->ticker, UV_READABLE, on_tick) == 0;
}

static void on_drained_too_late(uv_timer_t *timer)
{
    struct load *load = timer->data;
    load->result->timeouts += load->in_flight;
    close_all(load);
}

static void on_run_over(uv_timer_t *timer)
{
    struct load *load = timer->data;
    const uint64_t now_us = clock_monotonic_us();
    load->phase = LOAD_DRAINING;
    load->result->seconds = (double)(now_us - load->start_us) / 1e6;
    const double due = load->options->rate * load->result->seconds;
    if (due > (double)load->sent)
        load->result->unsent = (uint64_t)(due - (double)load->sent);
    if (load->in_flight == 0)
        close_all(load);
    else
        (void)uv_timer_start(timer, on_drained_too_late, DRAINING_MS, 0);
}

static void begin_run(struct load *load)
{
    const struct load_options *options = load->options;
    load->phase = LOAD_RUNNING;
    load->start_us = clock_monotonic_us();
    load->sent = 0;
    (void)uv_timer_start(&load->timer, on_run_over, (uint64_t)(options->seconds * 1000), 0);
    for (size_t i = options->idle; i < load->connection_count; i++) {
        for (unsigned slot = 0; slot < options->depth; slot++) {
            if (options->rate > 0)
                free_slot(load, &load->connections[i], slot);
            else
                send_request(load, &load->connections[i], slot, clock_monotonic_us());
        }
        load_connection_flush(load, &load->connections[i]);
    }
    if (options->rate > 0 && !start_ticker(load))
        load_fail(load, ERROR_SYSTEM, "cannot make a timer");
}

enum verdict { GOOD, TIMED_OUT, WRONG };

static enum verdict judge_work(const struct load *load, const struct root *root, struct slice body,
                               struct slice work, const char **reason)
{
    struct root answered;
    uint64_t nonce;
    uint64_t threshold = load->worker.threshold;
    if (!load->options->verify)
        return GOOD;
    *reason = "the answered hash is another one";
    if (!root_parse(load_member(body, "\"hash\""), &answered) ||
        memcmp(&answered, root, sizeof answered) != 0)
        return WRONG;
    if (load->options->difficulty != NULL)
        (void)hex_u64_parse(slice_of(load->options->difficulty), &threshold);
    *reason = "the answered work is none";
    if (!work_parse(work, &nonce))
        return WRONG;
    *reason = "the answered work is below the threshold";
    return work_valid(nonce, root, threshold) ? GOOD : WRONG;
}

/* Writes the reason unless the answer is good. */
static enum verdict judge(const struct load *load, const struct root *root, unsigned status,
                          struct slice body, char reason[LOAD_REASON_SIZE])
{
    const char *fault = "the answer has no work";
    const struct slice work = load_member(body, "\"work\"");
    enum verdict verdict = WRONG;
    if (work.data != NULL && status == 200)
        verdict = judge_work(load, root, body, work, &fault);
    if (verdict == GOOD)
        return GOOD;
    const struct slice said = load_member(body, "\"error\"");
    if (said.data != NULL)
        (void)snprintf(reason, LOAD_REASON_SIZE, "%.*s", (int)said.length, said.data);
    else if (status != 200)
        (void)snprintf(reason, LOAD_REASON_SIZE, "HTTP status %u", status);
    else
        (void)snprintf(reason, LOAD_REASON_SIZE, "%s", fault);
    return load_member(body, "\"timeout\"").data != NULL ? TIMED_OUT : WRONG;
}

static size_t warming_count(const struct load *load)
{
    return load->options->cached ? LOAD_CACHED_ROOTS : 1;
}

/* One answer of the warming, each of which must be a work. */
static void warmed(struct load *load, enum verdict verdict, const char *reason)
{
    if (verdict == WRONG || (verdict == TIMED_OUT && ++load->attempts == ATTEMPTS_MAX)) {
        load_fail(load, ERROR_INVALID, "the hub answered the first request: %s", reason);
        return;
    }
    load->warmed += verdict == GOOD;
    /* The next request is for the root that the number of requests says. */
    load->sent = load->warmed;
    if (load->warmed < warming_count(load))
        warm(load);
}

static void count(struct load *load, enum verdict verdict, uint64_t latency_us, const char *reason)
{
    struct load_result *result = load->result;
    switch (verdict) {
    case GOOD:
        result->requests += load->phase == LOAD_RUNNING;
        histogram_record(&result->latency, latency_us);
        break;
    case TIMED_OUT:
        result->timeouts++;
        break;
    case WRONG:
        if (result->errors++ == 0)
            (void)snprintf(result->first_error, sizeof result->first_error, "%s", reason);
        break;
    }
}

void load_answered(struct load *load, struct load_connection *connection, unsigned status,
                   struct slice body)
{
    char reason[LOAD_REASON_SIZE] = "";
    /* Without a WebSocket there is but one, and an early error tells no id. */
    const bool told = load->options->websocket && load_member(body, "\"id\"").data != NULL;
    const unsigned slot = told ? load_answer_id(body) : 0;
    if (connection->idle || slot >= load->options->depth || !connection->flights[slot].waits) {
        load_fail(load, ERROR_INVALID, "the hub answered what was not asked: %.*s",
                  (int)(body.length < LOAD_REASON_SIZE ? body.length : LOAD_REASON_SIZE),
                  body.data);
        return;
    }
    struct load_flight *flight = &connection->flights[slot];
    const enum verdict verdict = judge(load, &flight->root, status, body, reason);
    flight->waits = false;
    load->in_flight--;
    if (load->phase == LOAD_WARMING) {
        warmed(load, verdict, reason);
        return;
    }
    const uint64_t now_us = clock_monotonic_us();
    count(load, verdict, now_us - flight->since_us, reason);
    if (load->phase == LOAD_RUNNING && load->options->rate > 0)
        free_slot(load, connection, slot);
    else if (load->phase == LOAD_RUNNING)
        send_request(load, connection, slot, now_us);
}

static void on_phase_too_long(uv_timer_t *timer)
{
    struct load *load = timer->data;
    if (load->phase == LOAD_WARMING)
        load_fail(load, ERROR_SYSTEM, "the hub does not answer the first request");
    else if (!load->worker.ready)
        load_fail(load, ERROR_SYSTEM, "the broker does not answer");
    else
        load_fail(load, ERROR_SYSTEM, "only %zu of %zu connections to the hub opened in %d s",
                  load->open, load->connection_count, OPENING_MS / 1000);
}

static void begin_opening(struct load *load)
{
    load->phase = LOAD_OPENING;
    (void)uv_timer_start(&load->timer, on_phase_too_long, OPENING_MS, 0);
    load_advance(load);
}

static void begin_warming(struct load *load)
{
    load->phase = LOAD_WARMING;
    (void)uv_timer_start(&load->timer, on_phase_too_long, WARMING_MS, 0);
    warm(load);
    load_connection_flush(load, first_asking(load));
}

void load_advance(struct load *load)
{
    const size_t idle = load->options->idle;
    const bool warm_already = load->warmed == warming_count(load);
    if (load->phase != LOAD_OPENING)
        return;
    if (load->open == idle && load->begun == idle)
        load->result->hub_after_kib = resident_kib(load->options->pid);
    const size_t last = load->open < idle ? idle : warm_already ? load->connection_count : idle + 1;
    while (load->phase == LOAD_OPENING && load->begun < last &&
           load->begun - load->open < OPENING_MAX)
        load_connection_open(load, &load->connections[load->begun++]);
    if (load->phase != LOAD_OPENING || load->open < last || !load->worker.ready)
        return;
    if (warm_already)
        begin_run(load);
    else if (load->open == idle + 1)
        begin_warming(load);
}

void load_settled(struct load *load)
{
    if (load->phase == LOAD_WARMING && load->warmed == warming_count(load))
        begin_opening(load);
    else if (load->phase == LOAD_RUNNING && load->options->rate > 0)
        send_due(load);
    else if (load->phase == LOAD_DRAINING && load->in_flight == 0)
        close_all(load);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct load *load = handle->data;
    (void)number;
    if (load->phase == LOAD_CLOSING)
        return;
    load->interrupted = true;
    close_all(load);
}

static bool resolve(struct load *load, struct error *error)
{
    const struct url *hub = load->options->hub;
    char port[8];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t resolver;
    (void)snprintf(port, sizeof port, "%u", (unsigned)hub->port);
    const int status = uv_getaddrinfo(&load->loop, &resolver, NULL, hub->host, port, &hints);
    if (status != 0)
        return error_set(error, ERROR_SYSTEM, "host %.128s not found: %s", hub->host,
                         uv_strerror(status));
    memcpy(&load->address, resolver.addrinfo->ai_addr, resolver.addrinfo->ai_addrlen);
    uv_freeaddrinfo(resolver.addrinfo);
    return true;
}

static bool make_requests(struct load *load, struct error *error)
{
    const struct load_options *options = load->options;
    char host[300];
    const bool v6 = load->address.ss_family == AF_INET6 && strchr(options->hub->host, ':') != NULL;
    (void)snprintf(host, sizeof host, v6 ? "[%s]:%u" : "%s:%u", options->hub->host,
                   (unsigned)options->hub->port);
    load->upgrade_length = (size_t)snprintf(
        load->upgrade, sizeof load->upgrade,
        "GET /service_ws/ HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        host);
    struct load_request_options request = {
        .websocket = options->websocket,
        .host = host,
        .user = options->user,
        .api_key = options->api_key,
        .difficulty = options->difficulty,
    };
    random_system(request.mask, sizeof request.mask);
    return load_request_make(&request, &load->request, error);
}

static bool allocate(struct load *load, struct error *error)
{
    const struct load_options *options = load->options;
    load->connection_count = options->idle + options->connections;
    load->slot_count = options->connections * options->depth;
    load->connections = calloc(load->connection_count, sizeof *load->connections);
    load->free = calloc(load->slot_count, sizeof *load->free);
    load->flights = calloc(load->slot_count, sizeof *load->flights);
    if (load->connections == NULL || load->free == NULL || load->flights == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for %zu connections",
                         load->connection_count);
    for (size_t i = 0; i < load->connection_count; i++) {
        load->connections[i].load = load;
        load->connections[i].idle = i < options->idle;
        if (i >= options->idle)
            load->connections[i].flights = load->flights + (i - options->idle) * options->depth;
    }
    return true;
}

/* The same in each run: what a run without a worker asks for, an earlier one may have warmed. */
static void make_roots(struct load *load)
{
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < LOAD_CACHED_ROOTS; i++)
        for (size_t word = 0; word < 4; word++)
            store_le64(load->roots[i].bytes + 8 * word, random_next(&random));
}

static bool start(struct load *load, struct error *error)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    uint64_t seed;
    random_system(&seed, sizeof seed);
    random_seed(&load->random, seed);
    make_roots(load);
    if (!resolve(load, error) || !make_requests(load, error) || !allocate(load, error))
        return false;
    (void)uv_timer_init(&load->loop, &load->timer);
    load->timer.data = load;
    for (int i = 0; i < 2; i++) {
        (void)uv_signal_init(&load->loop, &load->signals[i]);
        load->signals[i].data = load;
        (void)uv_signal_start(&load->signals[i], on_signal, numbers[i]);
    }
    load->result->hub_before_kib = resident_kib(load->options->pid);
    return load_worker_start(load, error);
}

static void destroy(struct load *load)
{
    free(load->connections);
    free(load->flights);
    free(load->free);
    if (load->ticker_file >= 0)
        (void)close(load->ticker_file);
    explicit_bzero(load, sizeof *load);
    free(load);
}

bool load_run(const struct load_options *options, struct load_result *result, bool *interrupted,
              struct error *error)
{
    struct load *load = calloc(1, sizeof *load);
    *result = (struct load_result){0};
    if (load == NULL || uv_loop_init(&load->loop) != 0) {
        free(load);
        return error_set(error, ERROR_MEMORY, "no memory for the load");
    }
    load->options = options;
    load->result = result;
    load->error = error;
    load->ticker_file = -1;
    load->failed = !start(load, error);
    if (load->failed)
        close_all(load);
    else
        begin_opening(load);
    (void)uv_run(&load->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&load->loop);
    const bool done = !load->failed;
    *interrupted = load->interrupted;
    destroy(load);
    return done;
}
