#include "net/mqtt_client.h"

#include "base/random.h"

#include <errno.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MISC_MS = 1000, /* How often the library looks at its keep-alive. */
    UNSENT_MESSAGES_MAX = 65536,
    REASON_SIZE = 160,
};

/* Watches the socket of one connection; outlives it until the loop has let go. */
struct watch {
    uv_poll_t poll;
    struct mqtt_client *client;
};

struct mqtt_client {
    uv_loop_t *loop;
    struct mosquitto *mosquitto;
    struct log log;
    char *host;
    uint16_t port;
    bool tls;
    unsigned keepalive_s;
    uint64_t retry_min_ms;
    uint64_t retry_max_ms;
    uint64_t retry_ms; /* The next pause, before the draw. */
    struct random random;
    uv_timer_t misc;
    uv_timer_t retry;
    uv_getaddrinfo_t resolver;
    bool resolving;
    struct watch *watch;
    bool connected;
    bool closing;
    unsigned handles_open;
    size_t unsent;
    char reason[REASON_SIZE]; /* Of the loss that is about to be told; empty for none yet. */
    struct {
        char *filter;
        int id;
    } * subscriptions; /* Asked for, not yet granted. */
    size_t subscription_count;
    void (*on_connected)(void *context);
    void (*on_disconnected)(void *context, const char *reason);
    void (*on_message)(void *context, struct slice topic, struct slice payload);
    void (*on_subscribed)(void *context, const char *filter, bool granted);
    void *context;
    void (*done)(void *context);
    void *done_context;
};

static void connect_now(struct mqtt_client *client);

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void unwatch(struct mqtt_client *client)
{
    if (client->watch == NULL)
        return;
    (void)uv_poll_stop(&client->watch->poll);
    client->watch->client = NULL;
    uv_close((uv_handle_t *)&client->watch->poll, on_watch_closed);
    client->watch = NULL;
}

static void forget_subscriptions(struct mqtt_client *client)
{
    for (size_t i = 0; i < client->subscription_count; i++)
        free(client->subscriptions[i].filter);
    client->subscription_count = 0;
}

static void on_retry(uv_timer_t *timer)
{
    connect_now(timer->data);
}

static void retry_later(struct mqtt_client *client)
{
    const uint64_t half = client->retry_ms / 2;
    const uint64_t pause = half + random_below(&client->random, client->retry_ms - half + 1);
    client->retry_ms *= 2;
    if (client->retry_ms > client->retry_max_ms)
        client->retry_ms = client->retry_max_ms;
    (void)uv_timer_start(&client->retry, on_retry, pause, 0);
}

/* The connection, or the attempt at one, is over. */
static void lost(struct mqtt_client *client, const char *reason)
{
    unwatch(client);
    forget_subscriptions(client);
    client->connected = false;
    client->unsent = 0;
    if (client->closing)
        return;
    retry_later(client);
    client->on_disconnected(client->context, client->reason[0] != '\0' ? client->reason : reason);
    client->reason[0] = '\0';
}

static void update_watch(struct mqtt_client *client);

static void after_library_call(struct mqtt_client *client, int status)
{
    if (status != MOSQ_ERR_SUCCESS && client->watch != NULL)
        lost(client, status == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(status));
    else
        update_watch(client);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct mqtt_client *client = watch->client;
    int result = MOSQ_ERR_SUCCESS;
    if (client == NULL)
        return;
    if (status < 0 || (events & UV_READABLE) != 0)
        result = mosquitto_loop_read(client->mosquitto, 1);
    /* A callback of the read may have ended the connection. */
    if (result == MOSQ_ERR_SUCCESS && client->watch == watch &&
        mosquitto_want_write(client->mosquitto))
        result = mosquitto_loop_write(client->mosquitto, 1);
    if (client->watch == watch)
        after_library_call(client, result);
}

static void update_watch(struct mqtt_client *client)
{
    if (client->watch == NULL)
        return;
    const int wanted =
        mosquitto_want_write(client->mosquitto) ? UV_READABLE | UV_WRITABLE : UV_READABLE;
    (void)uv_poll_start(&client->watch->poll, wanted, on_ready);
}

static void watch_socket(struct mqtt_client *client)
{
    struct watch *watch = calloc(1, sizeof *watch);
    const int descriptor = mosquitto_socket(client->mosquitto);
    if (watch == NULL || uv_poll_init(client->loop, &watch->poll, descriptor) != 0) {
        free(watch);
        (void)mosquitto_disconnect(client->mosquitto);
        lost(client, "no memory to watch the connection");
        return;
    }
    watch->poll.data = watch;
    watch->client = client;
    client->watch = watch;
    /* The first event tells that the connection stands, or why it does not. */
    (void)uv_poll_start(&watch->poll, UV_READABLE | UV_WRITABLE, on_ready);
}

static void connect_to(struct mqtt_client *client, const char *address)
{
    const int status =
        mosquitto_connect_async(client->mosquitto, address, client->port, (int)client->keepalive_s);
    if (mosquitto_socket(client->mosquitto) >= 0 && status == MOSQ_ERR_SUCCESS)
        watch_socket(client);
    else
        lost(client, status == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(status));
}

static void finish_close(struct mqtt_client *client);

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *found)
{
    struct mqtt_client *client = resolver->data;
    char address[64] = "";
    char reason[REASON_SIZE];
    client->resolving = false;
    if (status == 0)
        status =
            found->ai_family == AF_INET
                ? uv_ip4_name((const struct sockaddr_in *)found->ai_addr, address, sizeof address)
                : uv_ip6_name((const struct sockaddr_in6 *)found->ai_addr, address, sizeof address);
    uv_freeaddrinfo(found);
    if (client->closing) {
        finish_close(client);
        return;
    }
    if (status == 0) {
        connect_to(client, address);
        return;
    }
    (void)snprintf(reason, sizeof reason, "host %.64s not found: %s", client->host,
                   uv_strerror(status));
    lost(client, reason);
}

/* The name is resolved off the loop, which must not wait for a name server. With TLS the library is
 * given the name itself, because it is what the certificate is checked against. */
static void connect_now(struct mqtt_client *client)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (client->tls) {
        connect_to(client, client->host);
        return;
    }
    client->resolver.data = client;
    client->resolving = uv_getaddrinfo(client->loop, &client->resolver, on_resolved, client->host,
                                       NULL, &hints) == 0;
    if (!client->resolving)
        lost(client, "no memory to resolve the host's name");
}

static void on_library_connect(struct mosquitto *mosquitto, void *context, int code)
{
    struct mqtt_client *client = context;
    (void)mosquitto;
    if (client->closing)
        return;
    if (code != 0) {
        (void)snprintf(client->reason, sizeof client->reason, "the broker refused the login: %s",
                       code == 4 || code == 5 ? "user name or password"
                                              : mosquitto_connack_string(code));
        return;
    }
    client->connected = true;
    client->retry_ms = client->retry_min_ms;
    client->on_connected(client->context);
}

static void on_library_disconnect(struct mosquitto *mosquitto, void *context, int code)
{
    struct mqtt_client *client = context;
    (void)mosquitto;
    if (client->watch != NULL)
        lost(client, code == 0                ? "disconnected"
                     : code == MOSQ_ERR_ERRNO ? strerror(errno)
                                              : mosquitto_strerror(code));
}

static void on_library_message(struct mosquitto *mosquitto, void *context,
                               const struct mosquitto_message *message)
{
    struct mqtt_client *client = context;
    (void)mosquitto;
    if (!client->closing)
        client->on_message(client->context, slice_of(message->topic),
                           (struct slice){message->payload, (size_t)message->payloadlen});
}

static void on_library_subscribe(struct mosquitto *mosquitto, void *context, int id, int count,
                                 const int *granted)
{
    struct mqtt_client *client = context;
    (void)mosquitto;
    for (size_t i = 0; i < client->subscription_count; i++) {
        if (client->subscriptions[i].id != id)
            continue;
        char *filter = client->subscriptions[i].filter;
        client->subscriptions[i] = client->subscriptions[--client->subscription_count];
        if (!client->closing)
            client->on_subscribed(client->context, filter, count > 0 && granted[0] <= 2);
        free(filter);
        return;
    }
}

static void on_library_publish(struct mosquitto *mosquitto, void *context, int id)
{
    struct mqtt_client *client = context;
    (void)mosquitto;
    (void)id;
    if (client->unsent > 0)
        client->unsent--;
}

static void on_misc(uv_timer_t *timer)
{
    struct mqtt_client *client = timer->data;
    if (client->watch != NULL)
        after_library_call(client, mosquitto_loop_misc(client->mosquitto));
}

static int set_up_library(struct mqtt_client *client, const struct mqtt_options *options)
{
    struct mosquitto *mosquitto = client->mosquitto;
    int status = mosquitto_int_option(mosquitto, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
    if (status == MOSQ_ERR_SUCCESS)
        status = mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1);
    if (status == MOSQ_ERR_SUCCESS && options->user != NULL)
        status = mosquitto_username_pw_set(mosquitto, options->user, options->password);
    if (status == MOSQ_ERR_SUCCESS && options->will_topic != NULL)
        status = mosquitto_will_set(mosquitto, options->will_topic, 0, NULL, 1, false);
    if (status == MOSQ_ERR_SUCCESS && options->tls)
        status = mosquitto_tls_set(mosquitto, NULL, "/etc/ssl/certs", NULL, NULL, NULL);
    mosquitto_connect_callback_set(mosquitto, on_library_connect);
    mosquitto_disconnect_callback_set(mosquitto, on_library_disconnect);
    mosquitto_message_callback_set(mosquitto, on_library_message);
    mosquitto_subscribe_callback_set(mosquitto, on_library_subscribe);
    mosquitto_publish_callback_set(mosquitto, on_library_publish);
    return status;
}

static void free_client(struct mqtt_client *client)
{
    if (client->mosquitto != NULL)
        mosquitto_destroy(client->mosquitto);
    free(client->subscriptions);
    free(client->host);
    free(client);
}

static struct mqtt_client *allocate(const struct mqtt_options *options)
{
    struct mqtt_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->host = strdup(options->host);
    client->mosquitto = mosquitto_new(options->client_id, true, client);
    if (client->host == NULL || client->mosquitto == NULL) {
        free_client(client);
        return NULL;
    }
    return client;
}

struct mqtt_client *mqtt_client_create(uv_loop_t *loop, const struct mqtt_options *options,
                                       const struct log *log, struct error *error)
{
    (void)mosquitto_lib_init(); /* counts its calls; safe on the one thread that makes clients */
    struct mqtt_client *client = allocate(options);
    if (client == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the connection to the broker");
        return NULL;
    }
    const int status = set_up_library(client, options);
    if (status != MOSQ_ERR_SUCCESS) {
        (void)error_set(error, ERROR_SYSTEM, "cannot set up the MQTT client: %s",
                        mosquitto_strerror(status));
        free_client(client);
        return NULL;
    }
    uint64_t seed;
    random_system(&seed, sizeof seed);
    random_seed(&client->random, seed);
    client->loop = loop;
    client->log = log_for_part(log, "mqtt");
    client->port = options->port;
    client->tls = options->tls;
    client->keepalive_s = options->keepalive_s;
    client->retry_min_ms = options->retry_min_ms > 0 ? options->retry_min_ms : 1;
    client->retry_max_ms = options->retry_max_ms;
    client->retry_ms = client->retry_min_ms;
    client->on_connected = options->on_connected;
    client->on_disconnected = options->on_disconnected;
    client->on_message = options->on_message;
    client->on_subscribed = options->on_subscribed;
    client->context = options->context;
    (void)uv_timer_init(loop, &client->misc);
    (void)uv_timer_init(loop, &client->retry);
    client->misc.data = client;
    client->retry.data = client;
    client->handles_open = 2;
    (void)uv_timer_start(&client->misc, on_misc, MISC_MS, MISC_MS);
    (void)uv_timer_start(&client->retry, on_retry, 0, 0);
    return client;
}

bool mqtt_client_connected(const struct mqtt_client *client)
{
    return client->connected;
}

static bool remember_subscription(struct mqtt_client *client, const char *filter, int id)
{
    const size_t count = client->subscription_count + 1;
    void *grown = realloc(client->subscriptions, count * sizeof *client->subscriptions);
    char *copy = strdup(filter);
    if (grown != NULL)
        client->subscriptions = grown;
    if (grown == NULL || copy == NULL) {
        free(copy);
        return false;
    }
    client->subscriptions[count - 1].filter = copy;
    client->subscriptions[count - 1].id = id;
    client->subscription_count = count;
    return true;
}

bool mqtt_client_subscribe(struct mqtt_client *client, const char *filter, int qos)
{
    int id;
    if (!client->connected ||
        mosquitto_subscribe(client->mosquitto, &id, filter, qos) != MOSQ_ERR_SUCCESS)
        return false;
    update_watch(client);
    return remember_subscription(client, filter, id);
}

bool mqtt_client_publish(struct mqtt_client *client, const char *topic, struct slice payload,
                         int qos)
{
    if (!client->connected || client->unsent >= UNSENT_MESSAGES_MAX)
        return false;
    client->unsent++;
    const int status = mosquitto_publish(client->mosquitto, NULL, topic, (int)payload.length,
                                         payload.data, qos, false);
    if (status != MOSQ_ERR_SUCCESS && client->unsent > 0)
        client->unsent--;
    update_watch(client);
    return status == MOSQ_ERR_SUCCESS;
}

static void finish_close(struct mqtt_client *client)
{
    if (client->handles_open > 0 || client->resolving)
        return;
    void (*done)(void *context) = client->done;
    void *context = client->done_context;
    forget_subscriptions(client);
    free_client(client);
    if (done != NULL)
        done(context);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct mqtt_client *client = handle->data;
    client->handles_open--;
    finish_close(client);
}

void mqtt_client_close(struct mqtt_client *client, void (*done)(void *context), void *context)
{
    client->closing = true;
    client->done = done;
    client->done_context = context;
    if (client->watch != NULL) {
        /* Sends the goodbye at once; the socket is closed with the library's handle. */
        (void)mosquitto_disconnect(client->mosquitto);
        if (mosquitto_want_write(client->mosquitto))
            (void)mosquitto_loop_write(client->mosquitto, 1);
    }
    unwatch(client);
    client->connected = false;
    if (client->resolving)
        (void)uv_cancel((uv_req_t *)&client->resolver);
    uv_close((uv_handle_t *)&client->misc, on_timer_closed);
    uv_close((uv_handle_t *)&client->retry, on_timer_closed);
}
