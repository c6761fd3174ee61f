#include "net/http_client_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct dial {
    uv_loop_t *loop;
    uv_getaddrinfo_t resolver;
    uv_timer_t timer;
    uv_connect_t connect;
    bool resolving;
    bool canceled;
    char host[sizeof((struct url *)NULL)->host];
    uint16_t port;
    uint64_t deadline_ms;
    struct addrinfo *addresses;
    const struct addrinfo *next; /* The address to try next. */
    uv_tcp_t *tcp;               /* Being connected, or closed after that failed. */
    uv_tcp_t *connected;         /* To be handed over. */
    char reason[CLIENT_REASON_SIZE];
    void (*on_done)(void *context, uv_tcp_t *tcp, const char *reason);
    void *context;
};

static void try_next(struct dial *dial);

static void tell(struct dial *dial)
{
    uv_freeaddrinfo(dial->addresses);
    dial->on_done(dial->context, dial->connected, dial->reason);
    free(dial);
}

static void on_unwanted_closed(uv_handle_t *handle)
{
    struct dial *dial = handle->data;
    free(handle);
    dial->connected = NULL;
    tell(dial);
}

/* It may have been given up after it had succeeded. */
static void on_timer_closed(uv_handle_t *handle)
{
    struct dial *dial = handle->data;
    if (dial->canceled && dial->connected != NULL)
        uv_close((uv_handle_t *)dial->connected, on_unwanted_closed);
    else
        tell(dial);
}

static void end(struct dial *dial)
{
    uv_close((uv_handle_t *)&dial->timer, on_timer_closed);
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct dial *dial = handle->data;
    free(handle);
    dial->tcp = NULL;
    try_next(dial);
}

static void close_attempt(struct dial *dial)
{
    (void)uv_timer_stop(&dial->timer);
    if (!uv_is_closing((uv_handle_t *)dial->tcp))
        uv_close((uv_handle_t *)dial->tcp, on_attempt_closed);
}

static void fail_attempt(struct dial *dial, int status)
{
    (void)snprintf(dial->reason, sizeof dial->reason, "cannot connect: %s", uv_strerror(status));
    close_attempt(dial);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct dial *dial = connect->data;
    if (uv_is_closing((uv_handle_t *)dial->tcp))
        return; /* on_attempt_closed() goes on */
    if (status < 0) {
        fail_attempt(dial, status);
        return;
    }
    dial->connected = dial->tcp;
    dial->tcp = NULL;
    end(dial);
}

static void on_timer(uv_timer_t *timer)
{
    fail_attempt(timer->data, UV_ETIMEDOUT);
}

/* What is left of the time, shared between the addresses that are left. */
static uint64_t share_ms(const struct dial *dial)
{
    const uint64_t now_ms = uv_now(dial->loop);
    uint64_t count = 0;
    for (const struct addrinfo *address = dial->next; address != NULL; address = address->ai_next)
        count++;
    return now_ms >= dial->deadline_ms ? 0 : (dial->deadline_ms - now_ms) / count;
}

static int connect_to(struct dial *dial, const struct addrinfo *info)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } address = {0};
    if (info->ai_addrlen > sizeof address)
        return UV_EINVAL;
    memcpy(&address, info->ai_addr, info->ai_addrlen);
    if (info->ai_family == AF_INET)
        address.ip4.sin_port = htons(dial->port);
    else
        address.ip6.sin6_port = htons(dial->port);
    dial->connect.data = dial;
    return uv_tcp_connect(&dial->connect, dial->tcp, &address.any, on_connected);
}

static void try_next(struct dial *dial)
{
    const struct addrinfo *info = dial->next;
    if (dial->canceled || info == NULL) {
        end(dial);
        return;
    }
    dial->tcp = calloc(1, sizeof *dial->tcp);
    if (dial->tcp == NULL || uv_tcp_init(dial->loop, dial->tcp) != 0) {
        (void)snprintf(dial->reason, sizeof dial->reason, "no memory to connect");
        free(dial->tcp);
        dial->tcp = NULL;
        end(dial);
        return;
    }
    dial->tcp->data = dial;
    (void)uv_timer_start(&dial->timer, on_timer, share_ms(dial), 0);
    dial->next = info->ai_next;
    const int status = connect_to(dial, info);
    if (status != 0)
        fail_attempt(dial, status);
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *found)
{
    struct dial *dial = resolver->data;
    dial->resolving = false;
    dial->addresses = found;
    dial->next = found;
    if (status != 0)
        (void)snprintf(dial->reason, sizeof dial->reason, "host %.64s not found: %s", dial->host,
                       uv_strerror(status));
    try_next(dial);
}

/* The name is looked up off the loop, which must not wait for a name server. */
struct dial *dial_start(uv_loop_t *loop, const struct dial_options *options)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL)
        return NULL;
    (void)snprintf(dial->host, sizeof dial->host, "%s", options->host);
    (void)snprintf(dial->reason, sizeof dial->reason, "given up");
    uv_update_time(loop); /* the caller may have worked for long since the loop last looked */
    dial->loop = loop;
    dial->port = options->port;
    dial->deadline_ms = uv_now(loop) + options->limit_ms;
    dial->on_done = options->on_done;
    dial->context = options->context;
    dial->resolver.data = dial;
    dial->resolving =
        uv_getaddrinfo(loop, &dial->resolver, on_resolved, dial->host, NULL, &hints) == 0;
    if (!dial->resolving) {
        free(dial);
        return NULL;
    }
    (void)uv_timer_init(loop, &dial->timer);
    dial->timer.data = dial;
    return dial;
}

void dial_cancel(struct dial *dial)
{
    dial->canceled = true;
    if (dial->resolving)
        (void)uv_cancel((uv_req_t *)&dial->resolver);
    else if (dial->tcp != NULL)
        close_attempt(dial);
}
