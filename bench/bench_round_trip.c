/* A request's way through hub, broker and an instant worker on loopback and back: the hub's
 * --base-difficulty is such that any nonce does. One process is the service (HTTP keep-alive) and
 * the worker (MQTT); requests go one after the other.
 *
 *     bench_round_trip HTTP_PORT MQTT_PORT USER API_KEY REQUESTS
 */
#include "bench.h"

#include "base/json.h"
#include "base/random.h"
#include "nano/message.h"
#include "net/mqtt_client.h"

#include <stdio.h>
#include <string.h>

struct bench {
    uv_loop_t loop;
    uv_tcp_t tcp;
    uv_connect_t connecting;
    struct mqtt_client *worker;
    struct random random;
    const char *user;
    const char *key;
    char request[1024];
    char answer[4096];
    size_t answer_length;
    uint64_t sent_us;
    size_t count;
    size_t wanted;
    double *times;
    bool failed;
};

static const char account[] = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7";

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write);
}

static void send_request(struct bench *bench)
{
    char body[512];
    struct root root;
    char hash[65];
    for (int i = 0; i < 4; i++)
        store_le64(root.bytes + 8 * i, random_next(&bench->random));
    root_format(&root, hash);
    const int body_length =
        snprintf(body, sizeof body, "{\"user\":\"%s\",\"api_key\":\"%s\",\"hash\":\"%s\"}",
                 bench->user, bench->key, hash);
    const int length = snprintf(
        bench->request, sizeof bench->request,
        "POST /service/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", body_length, body);
    uv_write_t *write = malloc(sizeof *write);
    const uv_buf_t part = uv_buf_init(bench->request, (unsigned)length);
    bench->answer_length = 0;
    bench->sent_us = clock_monotonic_us();
    if (write == NULL || uv_write(write, (uv_stream_t *)&bench->tcp, &part, 1, on_written) != 0)
        abort();
}

static void finish(struct bench *bench)
{
    mqtt_client_close(bench->worker, NULL, NULL);
    uv_close((uv_handle_t *)&bench->tcp, NULL);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct bench *bench = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(bench->answer + bench->answer_length,
                          (unsigned)(sizeof bench->answer - 1 - bench->answer_length));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct bench *bench = stream->data;
    (void)buffer;
    if (count < 0)
        abort();
    bench->answer_length += (size_t)count;
    bench->answer[bench->answer_length] = '\0';
    const char *body = strstr(bench->answer, "\r\n\r\n");
    if (body == NULL || strchr(body, '}') == NULL)
        return;
    bench->times[bench->count++] = (double)(clock_monotonic_us() - bench->sent_us);
    bench->failed |= strstr(body, "\"work\"") == NULL;
    if (bench->failed)
        (void)fprintf(stderr, "%s\n", body + 4);
    if (bench->failed || bench->count == bench->wanted)
        finish(bench);
    else
        send_request(bench);
}

static void on_tcp(uv_connect_t *connecting, int status)
{
    struct bench *bench = connecting->data;
    if (status != 0 || uv_read_start((uv_stream_t *)&bench->tcp, on_allocate, on_read) != 0)
        abort();
    (void)uv_tcp_nodelay(&bench->tcp, 1);
    send_request(bench);
}

static void on_connected(void *context)
{
    struct bench *bench = context;
    (void)mqtt_client_subscribe(bench->worker, "work/ondemand", 0);
}

static void on_subscribed(void *context, const char *filter, bool granted)
{
    struct bench *bench = context;
    if (!granted || strcmp(filter, "work/ondemand") != 0)
        abort();
    struct sockaddr_in address;
    memcpy(&address, bench->request, sizeof address);
    bench->connecting.data = bench;
    if (uv_tcp_connect(&bench->connecting, &bench->tcp, (const struct sockaddr *)&address,
                       on_tcp) != 0)
        abort();
}

static void on_disconnected(void *context, const char *reason)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", reason);
    exit(1);
}

static void on_message(void *context, struct slice topic, struct slice payload)
{
    struct bench *bench = context;
    char result[256];
    (void)topic;
    const int length = snprintf(result, sizeof result, "%.64s,%016llx,%s", payload.data,
                                (unsigned long long)random_next(&bench->random), account);
    (void)mqtt_client_publish(bench->worker, "result/ondemand",
                              (struct slice){result, (size_t)length}, 0);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct sockaddr_in address;
    struct error error;
    const struct log log = {.descriptor = 2, .level = LOG_WARNING, .part = "bench"};
    if (argc != 6) {
        (void)fprintf(stderr, "usage: bench_round_trip HTTP_PORT MQTT_PORT USER API_KEY COUNT\n");
        return 2;
    }
    bench.user = argv[3];
    bench.key = argv[4];
    bench.wanted = strtoull(argv[5], NULL, 10);
    bench.times = calloc(bench.wanted, sizeof *bench.times);
    random_seed(&bench.random, clock_monotonic_us());
    if (bench.times == NULL || uv_loop_init(&bench.loop) != 0 ||
        uv_tcp_init(&bench.loop, &bench.tcp) != 0 ||
        uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address) != 0)
        return 1;
    bench.tcp.data = &bench;
    memcpy(bench.request, &address, sizeof address);
    bench.worker = mqtt_client_create(&bench.loop,
                                      &(struct mqtt_options){
                                          .host = "127.0.0.1",
                                          .port = (uint16_t)atoi(argv[2]),
                                          .user = "client",
                                          .password = "client",
                                          .client_id = "w-bench",
                                          .keepalive_s = 60,
                                          .retry_min_ms = 100,
                                          .retry_max_ms = 1000,
                                          .on_connected = on_connected,
                                          .on_disconnected = on_disconnected,
                                          .on_message = on_message,
                                          .on_subscribed = on_subscribed,
                                          .context = &bench,
                                      },
                                      &log, &error);
    if (bench.worker == NULL)
        return 1;
    (void)uv_run(&bench.loop, UV_RUN_DEFAULT);
    if (bench.failed || bench.count < 100)
        return 1;
    /* The first requests pay for the slow check of the key. */
    (void)printf("%zu round trips: p50 %.0f us, p99 %.0f us\n", bench.count - 50,
                 bench_percentile(bench.times + 50, bench.count - 50, 0.5),
                 bench_percentile(bench.times + 50, bench.count - 50, 0.99));
    return 0;
}
