#include "net/mqtt_client.h"

#include "base/random.h"

#include <errno.h>
#include <mosquitto.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MISC_MS = 1000,     /* How often the library looks at its keep-alive. */
    ATTEMPT_MS = 10000, /* For the broker to answer; then the next address is tried. */
    UNSENT_MAX =
        1024 * 1024,  /* Bytes that wait for the socket, with PACKET_COST for each message. */
    PACKET_COST = 64, /* What the library allocates besides topic and payload, at least. */
    MESSAGE_IDS = 65536,
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
    struct addrinfo *addresses;     /* Of the host, as last resolved. */
    const struct addrinfo *address; /* The next one to try; NULL: resolve first. */
    uint64_t attempt_ms;            /* When the present attempt began. */
    struct watch *watch;
    bool connected;
    bool closing;
    bool in_library; /* A function of the library is running that may call back. */
    unsigned handles_open;
    size_t unsent;            /* Bytes, at most UNSENT_MAX. */
    uint32_t *unsent_sizes;   /* By message id; 0: sent. */
    int last_sent;            /* The message id that was told to be sent last. */
    char reason[REASON_SIZE]; /* Of the loss that is about to be told; empty for none yet. */
    char detail[REASON_SIZE]; /* The library's last word on an error. */
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

/* The library drops what was not sent. */
static void forget_unsent(struct mqtt_client *client)
{
    if (client->unsent > 0)
        memset(client->unsent_sizes, 0, MESSAGE_IDS * sizeof *client->unsent_sizes);
    client->unsent = 0;
}

/* What a status of the library means to people; right after the failure, while errno holds. */
static const char *explain(struct mqtt_client *client, int status)
{
    if (status == MOSQ_ERR_ERRNO)
        return strerror(errno);
    if (status == MOSQ_ERR_EAI)
        return "host not found";
    if (status == MOSQ_ERR_CONN_LOST)
        return "the broker closed the connection";
    if (status == MOSQ_ERR_KEEPALIVE)
        return "the broker does not answer any more";
    if (status != MOSQ_ERR_TLS)
        return mosquitto_strerror(status);
    /* OpenSSL's errors begin with numbers and end with words: error:…:SSL routines::the words. */
    const char *words = strstr(client->detail, "::");
    words = words != NULL ? words + 2 : client->detail;
    if (client->reason[0] == '\0')
        (void)snprintf(client->reason, sizeof client->reason, "TLS: %.150s",
                       words[0] != '\0' ? words : "no agreement with the broker");
    return client->reason;
}

/* The connection, or the attempt at one, is over. A host's other addresses are tried before
 * anything is said. */
static void lost(struct mqtt_client *client, const char *reason)
{
    unwatch(client);
    forget_subscriptions(client);
    forget_unsent(client);
    client->connected = false;
    client->detail[0] = '\0';
    if (client->closing)
        return;
    if (client->address != NULL && client->reason[0] == '\0') {
        (void)uv_timer_start(&client->retry, on_retry, 0, 0);
        return;
    }
    client->address = NULL;
    retry_later(client);
    client->on_disconnected(client->context, client->reason[0] != '\0' ? client->reason : reason);
    client->reason[0] = '\0';
}

static void update_watch(struct mqtt_client *client);

static void after_library_call(struct mqtt_client *client, int status)
{
    if (status != MOSQ_ERR_SUCCESS && client->watch != NULL)
        lost(client, explain(client, status));
    else
        update_watch(client);
}

/* Tells the broker that this is no loss; the socket is closed with the library's handle. Not from
 * within a callback of the library, which holds a lock that sending the goodbye takes. */
static void say_goodbye(struct mqtt_client *client)
{
    if (client->watch != NULL) {
        (void)mosquitto_disconnect(client->mosquitto);
        if (mosquitto_want_write(client->mosquitto))
            (void)mosquitto_loop_write(client->mosquitto, 1);
    }
    unwatch(client);
}

/* A function of the library that may call back has returned. */
static void leave_library(struct mqtt_client *client, const struct watch *watch, int status)
{
    client->in_library = false;
    if (client->closing)
        say_goodbye(client);
    else if (client->watch == watch)
        after_library_call(client, status);
}

/* Why a socket cannot carry a TLS handshake any more, or NULL. The library takes a refused
 * connection for one that is still being made, and would be called for it without end. */
static const char *handshake_fault(const struct mqtt_client *client)
{
    const int descriptor = mosquitto_socket(client->mosquitto);
    int fault = 0;
    struct tcp_info info;
    socklen_t length = sizeof fault;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &fault, &length) == 0 && fault != 0)
        return strerror(fault);
    length = sizeof info;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
        info.tcpi_state == TCP_CLOSE)
        return "Connection refused or reset";
    return NULL;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct mqtt_client *client = watch->client;
    int result = MOSQ_ERR_SUCCESS;
    if (client == NULL)
        return;
    const char *fault = client->tls && !client->connected ? handshake_fault(client) : NULL;
    if (fault != NULL) {
        lost(client, fault);
        return;
    }
    client->in_library = true;
    if (status < 0 || (events & UV_READABLE) != 0)
        result = mosquitto_loop_read(client->mosquitto, 1);
    /* A callback of the read may have ended the connection. */
    if (result == MOSQ_ERR_SUCCESS && client->watch == watch && !client->closing &&
        mosquitto_want_write(client->mosquitto))
        result = mosquitto_loop_write(client->mosquitto, 1);
    leave_library(client, watch, result);
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
    client->attempt_ms = uv_now(client->loop);
    const int status =
        mosquitto_connect_async(client->mosquitto, address, client->port, (int)client->keepalive_s);
    if (mosquitto_socket(client->mosquitto) >= 0 && status == MOSQ_ERR_SUCCESS)
        watch_socket(client);
    else
        lost(client, explain(client, status));
}

/* With TLS the library is given the name itself, because it is what the certificate is checked
 * against; it tries all addresses, and what was just resolved is answered soon. */
static void connect_next(struct mqtt_client *client)
{
    char address[INET6_ADDRSTRLEN] = "";
    const struct addrinfo *next = client->address;
    client->address = client->tls ? NULL : next->ai_next;
    if (next->ai_family == AF_INET)
        (void)uv_ip4_name((const struct sockaddr_in *)next->ai_addr, address, sizeof address);
    else
        (void)uv_ip6_name((const struct sockaddr_in6 *)next->ai_addr, address, sizeof address);
    log_write(&client->log, LOG_DEBUG, "connecting to %s port %u", address, client->port);
    connect_to(client, client->tls ? client->host : address);
}

static void finish_close(struct mqtt_client *client);

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *found)
{
    struct mqtt_client *client = resolver->data;
    char reason[REASON_SIZE];
    client->resolving = false;
    uv_freeaddrinfo(client->addresses);
    client->addresses = found;
    client->address = found;
    if (client->closing) {
        finish_close(client);
        return;
    }
    if (status == 0) {
        connect_next(client);
        return;
    }
    (void)snprintf(reason, sizeof reason, "host %.64s not found: %s", client->host,
                   uv_strerror(status));
    lost(client, reason);
}

/* The name is resolved off the loop, which must not wait for a name server. */
static void connect_now(struct mqtt_client *client)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (client->address != NULL) {
        connect_next(client);
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
    client->address = NULL;
    client->retry_ms = client->retry_min_ms;
    client->on_connected(client->context);
}

static void on_library_disconnect(struct mosquitto *mosquitto, void *context, int code)
{
    struct mqtt_client *client = context;
    (void)mosquitto;
    if (client->watch != NULL)
        lost(client, code == 0 ? "disconnected" : explain(client, code));
}

static void on_library_log(struct mosquitto *mosquitto, void *context, int level, const char *text)
{
    struct mqtt_client *client = context;
    (void)mosquitto;
    if (level == MOSQ_LOG_ERR)
        (void)snprintf(client->detail, sizeof client->detail, "%s", text);
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
    if (id <= 0 || id >= MESSAGE_IDS)
        return;
    client->unsent -= client->unsent_sizes[id];
    client->unsent_sizes[id] = 0;
    client->last_sent = id;
}

static void on_misc(uv_timer_t *timer)
{
    struct mqtt_client *client = timer->data;
    const struct watch *watch = client->watch;
    if (watch == NULL)
        return;
    if (!client->connected && uv_now(client->loop) - client->attempt_ms >= ATTEMPT_MS) {
        lost(client, "the broker does not answer");
        return;
    }
    client->in_library = true;
    leave_library(client, watch, mosquitto_loop_misc(client->mosquitto));
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
    mosquitto_log_callback_set(mosquitto, on_library_log);
    return status;
}

static void free_client(struct mqtt_client *client)
{
    if (client->mosquitto != NULL)
        mosquitto_destroy(client->mosquitto);
    uv_freeaddrinfo(client->addresses);
    free(client->unsent_sizes);
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
    client->unsent_sizes = calloc(MESSAGE_IDS, sizeof *client->unsent_sizes);
    client->mosquitto = mosquitto_new(options->client_id, true, client);
    if (client->host == NULL || client->unsent_sizes == NULL || client->mosquitto == NULL) {
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
    const size_t room = UNSENT_MAX - client->unsent;
    const size_t cost = strlen(topic) + PACKET_COST;
    int id;
    if (!client->connected || payload.length >= room || cost >= room - payload.length)
        return false;
    client->last_sent = 0;
    const int status = mosquitto_publish(client->mosquitto, &id, topic, (int)payload.length,
                                         payload.data, qos, false);
    /* It may have been sent, and told so, before its id was known here. */
    if (status == MOSQ_ERR_SUCCESS && client->last_sent != id) {
        client->unsent_sizes[id] = (uint32_t)(payload.length + cost);
        client->unsent += client->unsent_sizes[id];
    }
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
    if (!client->in_library)
        say_goodbye(client);
    client->connected = false;
    if (client->resolving)
        (void)uv_cancel((uv_req_t *)&client->resolver);
    uv_close((uv_handle_t *)&client->misc, on_timer_closed);
    uv_close((uv_handle_t *)&client->retry, on_timer_closed);
}
