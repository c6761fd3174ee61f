#include "test.h"

#include "net/mqtt_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};

enum { PATIENCE_MS = 30000, TEXT_SIZE = 256 };

/* What a client's callbacks have told. */
struct seen {
    struct mqtt_client *client;
    unsigned connected;
    unsigned disconnected;
    unsigned messages;
    unsigned granted;
    unsigned refused;
    unsigned closed;
    char reason[TEXT_SIZE];
    char topic[TEXT_SIZE];
    char payload[TEXT_SIZE];
    size_t payload_length;
    unsigned *close_at; /* One of the counters above: its callback closes the client. */
};

/* A Mosquitto of the test's own, in a folder of its own. */
struct place {
    uv_loop_t loop;
    uv_timer_t patience;
    char directory[64];
    char configuration[96];
    uint16_t port;
    uint16_t tls_port; /* Speaks TLS, with a certificate that nobody trusts. */
    pid_t broker;
};

static void on_closed(void *context)
{
    struct seen *seen = context;
    seen->closed++;
    seen->client = NULL;
}

static void count(struct seen *seen, unsigned *counter)
{
    assert_int_equal(seen->closed, 0);
    (*counter)++;
    if (counter == seen->close_at)
        mqtt_client_close(seen->client, on_closed, seen);
}

static void on_connected(void *context)
{
    struct seen *seen = context;
    assert_true(mqtt_client_connected(seen->client));
    count(seen, &seen->connected);
}

static void on_disconnected(void *context, const char *reason)
{
    struct seen *seen = context;
    assert_false(mqtt_client_connected(seen->client));
    (void)snprintf(seen->reason, sizeof seen->reason, "%s", reason);
    count(seen, &seen->disconnected);
}

static void on_message(void *context, struct slice topic, struct slice payload)
{
    struct seen *seen = context;
    assert_true(topic.length < TEXT_SIZE && payload.length < TEXT_SIZE);
    (void)snprintf(seen->topic, sizeof seen->topic, "%.*s", (int)topic.length, topic.data);
    if (payload.length > 0)
        memcpy(seen->payload, payload.data, payload.length);
    seen->payload_length = payload.length;
    count(seen, &seen->messages);
}

static void on_subscribed(void *context, const char *filter, bool granted)
{
    struct seen *seen = context;
    assert_non_null(filter);
    count(seen, granted ? &seen->granted : &seen->refused);
}

static void on_patience(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("what was waited for did not happen");
}

/* Runs the loop until a counter has reached a number. */
static void wait_for(struct place *place, const unsigned *counter, unsigned number)
{
    assert_int_equal(uv_timer_start(&place->patience, on_patience, PATIENCE_MS, 0), 0);
    while (*counter < number)
        (void)uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(uv_timer_stop(&place->patience), 0);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    assert_int_equal(bind(descriptor, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(close(descriptor), 0);
    return ntohs(address.sin_port);
}

static void start_broker(struct place *place)
{
    place->broker = fork();
    assert_true(place->broker >= 0);
    if (place->broker > 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execl("/usr/sbin/mosquitto", "mosquitto", "-c", place->configuration, (char *)NULL);
    (void)execlp("mosquitto", "mosquitto", "-c", place->configuration, (char *)NULL);
    _exit(127);
}

static void kill_broker(struct place *place)
{
    int status;
    assert_int_equal(kill(place->broker, SIGKILL), 0);
    assert_int_equal(waitpid(place->broker, &status, 0), place->broker);
    place->broker = 0;
}

/* Self-signed, for localhost and 127.0.0.1; nobody trusts it. */
static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBmzCCAUGgAwIBAgIURw6ZjplM5qbaYs7JqYTjffNf0/4wCgYIKoZIzj0EAwIw\n"
    "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAzMjk0M1oYDzIxMjYxMDI4\n"
    "MDMyOTQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAATZcNoj2aZPDcxnh/HxLkhj4QSsMjpvDfsZ3WoeF3AHKfE2C+lesc09\n"
    "0kMcoC+V+XPCC6vQfNlRqb8Yrv72rRUxo28wbTAdBgNVHQ4EFgQUtjVaj+IMf6UY\n"
    "d1hntCmG9iTLPA0wHwYDVR0jBBgwFoAUtjVaj+IMf6UYd1hntCmG9iTLPA0wDwYD\n"
    "VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI\n"
    "zj0EAwIDSAAwRQIhALYIYHZSP5yUtHKMbnK14TrBOfphKUWzT2VRxhN4u7WIAiAB\n"
    "Tqj6Vm7hQOj1g1LaAtj1/jiOO5cy64VFRqA9GZt88Q==\n"
    "-----END CERTIFICATE-----\n";

static const char private_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZ/aD6x7BtizQfA8Z\n"
    "azH31ImFJB8b6K6c1POyx6LYxoehRANCAATZcNoj2aZPDcxnh/HxLkhj4QSsMjpv\n"
    "DfsZ3WoeF3AHKfE2C+lesc090kMcoC+V+XPCC6vQfNlRqb8Yrv72rRUx\n"
    "-----END PRIVATE KEY-----\n";

static void write_file(const struct place *place, const char *name, const char *text)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", place->directory, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fchmod(fileno(file), 0644), 0); /* for the user that Mosquitto changes to */
    assert_int_equal(fclose(file), 0);
}

/* The hash is of the password "right", in Mosquitto's own form. */
static void write_files(const struct place *place)
{
    char text[1024];
    write_file(place, "passwords",
               "user:$7$101$AAAAAAAAAAAAAAAA$"
               "+I+5CPeYY3tINSEHiJsGhwRD3EjhEJtMO1c9YVM43VbflNOjDfjlmwM08ZN5RqWQ8q9hW++ydSkFPsJ/"
               "Dp0jbA==\n");
    write_file(place, "certificate", certificate);
    write_file(place, "key", private_key);
    (void)snprintf(text, sizeof text,
                   "allow_anonymous false\npassword_file %s/passwords\nlog_dest none\n"
                   "listener %u 127.0.0.1\nlistener %u 127.0.0.1\ncertfile %s/certificate\n"
                   "keyfile %s/key\n",
                   place->directory, place->port, place->tls_port, place->directory,
                   place->directory);
    write_file(place, "conf", text);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)strcpy(place->directory, "/tmp/dpow-mqtt-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    assert_int_equal(chmod(place->directory, 0755), 0);
    (void)snprintf(place->configuration, sizeof place->configuration, "%s/conf", place->directory);
    place->port = free_port();
    do
        place->tls_port = free_port();
    while (place->tls_port == place->port);
    write_files(place);
    assert_int_equal(uv_loop_init(&place->loop), 0);
    assert_int_equal(uv_timer_init(&place->loop, &place->patience), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"passwords", "certificate", "key", "conf"};
    struct place *place = *state;
    char path[96];
    if (place->broker > 0)
        kill_broker(place);
    uv_close((uv_handle_t *)&place->patience, NULL);
    for (int i = 0; i < 10; i++) /* not to the end: a test that failed leaves clients behind */
        (void)uv_run(&place->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", place->directory, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(place->directory), 0);
    free(place);
    return 0;
}

static struct mqtt_options options_for(const struct place *place, struct seen *seen,
                                       const char *client_id)
{
    return (struct mqtt_options){
        .host = "localhost",
        .port = place->port,
        .user = "user",
        .password = "right",
        .client_id = client_id,
        .keepalive_s = 10,
        .retry_min_ms = 5,
        .retry_max_ms = 50,
        .on_connected = on_connected,
        .on_disconnected = on_disconnected,
        .on_message = on_message,
        .on_subscribed = on_subscribed,
        .context = seen,
    };
}

static void create(struct place *place, struct seen *seen, const struct mqtt_options *options)
{
    struct error error;
    seen->client = mqtt_client_create(&place->loop, options, &quiet, &error);
    if (seen->client == NULL)
        fail_msg("%s", error.text);
}

static void connect_client(struct place *place, struct seen *seen, const char *client_id)
{
    const struct mqtt_options options = options_for(place, seen, client_id);
    create(place, seen, &options);
    wait_for(place, &seen->connected, 1);
}

static void subscribe(struct place *place, struct seen *seen, const char *filter)
{
    const unsigned before = seen->granted;
    assert_true(mqtt_client_subscribe(seen->client, filter, 0));
    wait_for(place, &seen->granted, before + 1);
}

static void close_client(struct place *place, struct seen *seen)
{
    mqtt_client_close(seen->client, on_closed, seen);
    wait_for(place, &seen->closed, 1);
}

static void messages_arrive_as_they_were_sent(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    static const struct slice payloads[] = {{"", 0}, {"a\0b", 3}, {"HASH,difficulty", 15}};
    start_broker(place);
    connect_client(place, &seen, "one");
    subscribe(place, &seen, "work/#");
    for (unsigned i = 0; i < COUNT(payloads); i++) {
        assert_true(mqtt_client_publish(seen.client, "work/ondemand", payloads[i], 0));
        wait_for(place, &seen.messages, i + 1);
        assert_string_equal(seen.topic, "work/ondemand");
        assert_int_equal(seen.payload_length, payloads[i].length);
        assert_memory_equal(seen.payload, payloads[i].data, payloads[i].length);
    }
    close_client(place, &seen);
}

static void nothing_is_sent_or_subscribed_without_a_connection(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    const struct mqtt_options options = options_for(place, &seen, "one");
    create(place, &seen, &options);
    assert_false(mqtt_client_connected(seen.client));
    assert_false(mqtt_client_publish(seen.client, "a", slice_of("b"), 0));
    assert_false(mqtt_client_subscribe(seen.client, "a", 0));
    start_broker(place);
    wait_for(place, &seen.connected, 1);
    assert_false(mqtt_client_subscribe(seen.client, "a/#/b", 0));
    assert_false(mqtt_client_publish(seen.client, "a/+", slice_of("b"), 0));
    close_client(place, &seen);
}

static void a_refused_login_is_told_as_one_and_tried_again(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    struct mqtt_options options = options_for(place, &seen, "one");
    options.password = "wrong";
    start_broker(place);
    create(place, &seen, &options);
    for (unsigned i = 1; i < 1000; i++) {
        wait_for(place, &seen.disconnected, i);
        if (strstr(seen.reason, "login") != NULL)
            break; /* before, the broker was not up yet */
    }
    assert_string_equal(seen.reason, "the broker refused the login: user name or password");
    wait_for(place, &seen.disconnected, seen.disconnected + 2);
    assert_string_equal(seen.reason, "the broker refused the login: user name or password");
    assert_int_equal(seen.connected, 0);
    close_client(place, &seen);
}

static void causes_in_the_network_are_told_apart(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *host;
        bool tls;
        const char *reason;
    } rows[] = {
        {"127.0.0.1", false, "Connection refused"},
        {"localhost", false, "Connection refused"},
        {"127.0.0.1", true, "Connection refused"},
        {"no such host", false, "host no such host not found: "},
        {"no such host", true, "host no such host not found: "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen = {0};
        struct mqtt_options options = options_for(place, &seen, "one");
        options.host = rows[i].host;
        options.tls = rows[i].tls;
        create(place, &seen, &options);
        wait_for(place, &seen.disconnected, 2);
        if (strncmp(seen.reason, rows[i].reason, strlen(rows[i].reason)) != 0)
            fail_msg("row %zu: %s", i, seen.reason);
        close_client(place, &seen);
    }
}

static void a_killed_broker_is_found_again_and_told_once(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    start_broker(place);
    connect_client(place, &seen, "one");
    for (unsigned round = 2; round < 5; round++) {
        const unsigned before = seen.disconnected;
        kill_broker(place);
        wait_for(place, &seen.disconnected, before + 1);
        assert_false(mqtt_client_publish(seen.client, "a", slice_of("b"), 0));
        start_broker(place);
        wait_for(place, &seen.connected, round);
        subscribe(place, &seen, "a");
        assert_true(mqtt_client_publish(seen.client, "a", slice_of("b"), 0));
        wait_for(place, &seen.messages, round - 1);
    }
    close_client(place, &seen);
}

static void a_close_is_clean_and_silent_at_any_moment(void **state)
{
    struct place *place = *state;
    start_broker(place);
    for (unsigned steps = 0; steps < 12; steps++) {
        struct seen seen = {0};
        const struct mqtt_options options = options_for(place, &seen, "one");
        create(place, &seen, &options);
        for (unsigned step = 0; step < steps && seen.connected == 0; step++)
            (void)uv_run(&place->loop, UV_RUN_ONCE);
        close_client(place, &seen);
        (void)uv_run(&place->loop, UV_RUN_NOWAIT);
        assert_int_equal(seen.closed, 1);
    }
}

static void a_client_may_be_closed_in_any_callback(void **state)
{
    struct place *place = *state;
    enum { CALLBACKS = 4 };
    start_broker(place);
    for (int callback = 0; callback < CALLBACKS; callback++) {
        struct seen seen = {0};
        unsigned *const counters[CALLBACKS] = {&seen.connected, &seen.granted, &seen.messages,
                                               &seen.disconnected};
        const struct mqtt_options options = options_for(place, &seen, "one");
        seen.close_at = counters[callback];
        if (seen.close_at == &seen.disconnected)
            kill_broker(place);
        create(place, &seen, &options);
        if (seen.close_at == &seen.granted || seen.close_at == &seen.messages) {
            wait_for(place, &seen.connected, 1);
            assert_true(mqtt_client_subscribe(seen.client, "a", 0));
        }
        if (seen.close_at == &seen.messages)
            assert_true(mqtt_client_publish(seen.client, "a", slice_of("b"), 0));
        wait_for(place, &seen.closed, 1);
        assert_int_equal(*seen.close_at, 1);
    }
}

/* The watcher's own message, sent after the close, arrives after any will would have. */
static void expect_no_will(struct place *place, struct seen *watcher)
{
    const unsigned before = watcher->messages;
    assert_true(mqtt_client_publish(watcher->client, "marker", (struct slice){"", 0}, 0));
    wait_for(place, &watcher->messages, before + 1);
    assert_string_equal(watcher->topic, "marker");
}

static void a_will_is_published_after_a_loss_only(void **state)
{
    struct place *place = *state;
    struct seen watcher = {0};
    start_broker(place);
    connect_client(place, &watcher, "watcher");
    subscribe(place, &watcher, "will");
    subscribe(place, &watcher, "marker");
    for (int in_callback = 0; in_callback < 2; in_callback++) {
        struct seen seen = {0};
        struct mqtt_options options = options_for(place, &seen, "one");
        options.will_topic = "will";
        if (in_callback)
            seen.close_at = &seen.connected;
        create(place, &seen, &options);
        wait_for(place, &seen.connected, 1);
        if (in_callback)
            wait_for(place, &seen.closed, 1);
        else
            close_client(place, &seen);
        expect_no_will(place, &watcher);
    }
    /* A second client of the same id: the broker drops the first, which is a loss. */
    struct seen first = {0};
    struct seen second = {.close_at = &second.connected};
    struct mqtt_options options = options_for(place, &first, "one");
    options.will_topic = "will";
    options.retry_min_ms = PATIENCE_MS;
    options.retry_max_ms = PATIENCE_MS;
    create(place, &first, &options);
    wait_for(place, &first.connected, 1);
    const unsigned before = watcher.messages;
    options = options_for(place, &second, "one");
    create(place, &second, &options);
    wait_for(place, &watcher.messages, before + 1);
    assert_string_equal(watcher.topic, "will");
    wait_for(place, &second.closed, 1);
    close_client(place, &first);
    close_client(place, &watcher);
}

/* Accepts one connection, and answers the first bytes on it with its own. */
struct fake_broker {
    uv_tcp_t listener;
    uv_tcp_t connection;
    uv_write_t write;
    const char *answer; /* NULL: never answers. */
    size_t answer_length;
    bool drain; /* Reads on after its answer. */
    unsigned accepted;
    unsigned answered;
    size_t read;
    char buffer[65536];
};

static void on_fake_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct fake_broker *fake = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(fake->buffer, sizeof fake->buffer);
}

static void on_fake_written(uv_write_t *write, int status)
{
    struct fake_broker *fake = write->data;
    (void)status;
    fake->answered++;
}

static void on_fake_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct fake_broker *fake = stream->data;
    (void)buffer;
    if (length < 0 || (fake->answered > 0 && !fake->drain)) {
        (void)uv_read_stop(stream);
        return;
    }
    fake->read += (size_t)length;
    if (fake->answered > 0 || fake->answer == NULL)
        return;
    const uv_buf_t answer =
        uv_buf_init((char *)(uintptr_t)fake->answer, (unsigned)fake->answer_length);
    fake->write.data = fake;
    (void)uv_read_stop(stream);
    assert_int_equal(uv_write(&fake->write, stream, &answer, 1, on_fake_written), 0);
}

static void on_fake_connection(uv_stream_t *listener, int status)
{
    struct fake_broker *fake = listener->data;
    assert_int_equal(status, 0);
    if (fake->accepted++ > 0)
        return; /* later ones stay in the kernel's queue */
    assert_int_equal(uv_tcp_init(listener->loop, &fake->connection), 0);
    fake->connection.data = fake;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&fake->connection), 0);
    assert_int_equal(
        uv_read_start((uv_stream_t *)&fake->connection, on_fake_allocate, on_fake_read), 0);
}

static struct fake_broker *start_fake(struct place *place, const char *answer, size_t length)
{
    struct sockaddr_in address;
    struct fake_broker *fake = calloc(1, sizeof *fake);
    assert_non_null(fake);
    fake->answer = answer;
    fake->answer_length = length;
    fake->listener.data = fake;
    assert_int_equal(uv_tcp_init(&place->loop, &fake->listener), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", place->port, &address), 0);
    assert_int_equal(uv_tcp_bind(&fake->listener, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&fake->listener, 8, on_fake_connection), 0);
    return fake;
}

static void stop_fake(struct place *place, struct fake_broker *fake)
{
    if (fake->accepted > 0)
        uv_close((uv_handle_t *)&fake->connection, NULL);
    uv_close((uv_handle_t *)&fake->listener, NULL);
    (void)uv_run(&place->loop, UV_RUN_NOWAIT);
    free(fake);
}

static void a_peer_that_does_not_speak_tls_is_told_as_that(void **state)
{
    struct place *place = *state;
    struct seen seen = {.close_at = &seen.disconnected};
    struct mqtt_options options = options_for(place, &seen, "one");
    struct fake_broker *fake = start_fake(place, "this is plain text", 18);
    options.tls = true;
    create(place, &seen, &options);
    wait_for(place, &seen.closed, 1);
    if (strncmp(seen.reason, "TLS: ", 5) != 0)
        fail_msg("%s", seen.reason);
    stop_fake(place, fake);
}

static void a_certificate_nobody_trusts_is_refused(void **state)
{
    struct place *place = *state;
    struct seen plain = {0};
    struct seen seen = {.close_at = &seen.disconnected};
    struct mqtt_options options = options_for(place, &seen, "two");
    start_broker(place);
    connect_client(place, &plain, "one"); /* the broker is up */
    options.tls = true;
    options.port = place->tls_port;
    create(place, &seen, &options);
    wait_for(place, &seen.closed, 1);
    assert_int_equal(seen.connected, 0);
    if (strncmp(seen.reason, "TLS: ", 5) != 0 || strstr(seen.reason, "certificate") == NULL)
        fail_msg("%s", seen.reason);
    close_client(place, &plain);
}

static void a_client_may_be_closed_while_the_broker_is_silent(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    const struct mqtt_options options = options_for(place, &seen, "one");
    struct fake_broker *fake = start_fake(place, NULL, 0);
    create(place, &seen, &options);
    wait_for(place, &fake->accepted, 1);
    assert_int_equal(seen.connected, 0);
    close_client(place, &seen);
    assert_int_equal(seen.connected + seen.disconnected, 0);
    stop_fake(place, fake);
}

static void what_is_unsent_is_bounded_and_drains(void **state)
{
    struct place *place = *state;
    enum { MESSAGE_SIZE = 1000, SANE_MAX = 64 * 1024 * 1024 };
    static const char text[MESSAGE_SIZE] = {0};
    const struct slice payload = {text, MESSAGE_SIZE};
    struct seen seen = {0};
    const struct mqtt_options options = options_for(place, &seen, "one");
    struct fake_broker *fake = start_fake(place, "\x20\x02\0\0", 4); /* CONNACK, then no reads */
    size_t accepted = 0;
    create(place, &seen, &options);
    wait_for(place, &seen.connected, 1);
    wait_for(place, &fake->answered, 1);
    while (mqtt_client_publish(seen.client, "a", payload, 0)) {
        accepted += MESSAGE_SIZE;
        assert_true(accepted < SANE_MAX); /* the kernel's buffers and 1 MiB */
    }
    assert_true(accepted >= 512 * 1024);
    assert_false(mqtt_client_publish(seen.client, "a", payload, 0));
    assert_true(mqtt_client_connected(seen.client));
    fake->drain = true;
    assert_int_equal(
        uv_read_start((uv_stream_t *)&fake->connection, on_fake_allocate, on_fake_read), 0);
    assert_int_equal(uv_timer_start(&place->patience, on_patience, PATIENCE_MS, 0), 0);
    while (fake->read < accepted)
        (void)uv_run(&place->loop, UV_RUN_ONCE);
    for (int i = 0; i < 900; i++) /* nearly all of the room is there again */
        assert_true(mqtt_client_publish(seen.client, "a", payload, 0));
    assert_int_equal(uv_timer_stop(&place->patience), 0);
    close_client(place, &seen);
    stop_fake(place, fake);
}

static void a_message_above_the_bound_is_refused(void **state)
{
    struct place *place = *state;
    enum { LARGE = 1024 * 1024 };
    char *text = calloc(1, LARGE);
    struct seen seen = {0};
    assert_non_null(text);
    start_broker(place);
    connect_client(place, &seen, "one");
    assert_false(mqtt_client_publish(seen.client, "a", (struct slice){text, LARGE}, 0));
    assert_true(mqtt_client_publish(seen.client, "a", (struct slice){text, LARGE - 4096}, 0));
    close_client(place, &seen);
    free(text);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(messages_arrive_as_they_were_sent),
        WITH_PLACE(nothing_is_sent_or_subscribed_without_a_connection),
        WITH_PLACE(a_refused_login_is_told_as_one_and_tried_again),
        WITH_PLACE(causes_in_the_network_are_told_apart),
        WITH_PLACE(a_peer_that_does_not_speak_tls_is_told_as_that),
        WITH_PLACE(a_certificate_nobody_trusts_is_refused),
        WITH_PLACE(a_killed_broker_is_found_again_and_told_once),
        WITH_PLACE(a_close_is_clean_and_silent_at_any_moment),
        WITH_PLACE(a_client_may_be_closed_in_any_callback),
        WITH_PLACE(a_client_may_be_closed_while_the_broker_is_silent),
        WITH_PLACE(a_will_is_published_after_a_loss_only),
        WITH_PLACE(what_is_unsent_is_bounded_and_drains),
        WITH_PLACE(a_message_above_the_bound_is_refused),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
