/* Bytes from the network into the HTTP server and, behind an upgrade, into the WebSocket: nothing
 * may crash, leak or hang, and every request handed up is answered or told gone, exactly once. The
 * first byte chooses whether the connection is upgraded before, to what; a byte 0 in the rest
 * splits reads.
 */
#include "net/http_server.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
    uv_loop_t loop;
    struct http_server *server;
    struct http_exchange *waiting; /* Answered after the loop has run once more. */
    unsigned owed;
    unsigned open;
    struct listen_address self;
};

static void on_request(void *context, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct fuzz *fuzz = context;
    fuzz->owed++;
    if (request->path.length % 2 == 0) {
        fuzz->owed--;
        http_respond(exchange, &(struct http_response){.status = 200, .body = request->body});
    } else {
        fuzz->waiting = exchange;
    }
}

static void on_gone(void *context, struct http_exchange *exchange)
{
    struct fuzz *fuzz = context;
    if (fuzz->owed == 0)
        abort();
    fuzz->owed--;
    if (fuzz->waiting == exchange)
        fuzz->waiting = NULL;
}

static bool on_upgrade(void *context, const struct http_request *request)
{
    (void)context;
    return request->path.length > 0;
}

/* Back to this server, where it becomes a WebSocket like others. */
static const struct listen_address *on_tunnel(void *context, const struct http_request *request)
{
    struct fuzz *fuzz = context;
    fuzz->self.port = http_server_port(fuzz->server);
    return slice_is(request->path, "/tunnel") ? &fuzz->self : NULL;
}

static void on_open(void *context, struct websocket *socket, const struct http_request *request)
{
    struct fuzz *fuzz = context;
    (void)socket;
    (void)request;
    fuzz->open++;
}

static void on_message(void *context, struct websocket *socket, struct slice text)
{
    (void)context;
    websocket_send(socket, text);
    if (text.length % 7 == 6)
        websocket_close(socket, 1000);
}

static void on_close(void *context, struct websocket *socket)
{
    struct fuzz *fuzz = context;
    (void)socket;
    if (fuzz->open == 0)
        abort();
    fuzz->open--;
}

static void turn(struct fuzz *fuzz)
{
    for (int i = 0; i < 3; i++)
        (void)uv_run(&fuzz->loop, UV_RUN_NOWAIT);
    if (fuzz->waiting == NULL)
        return;
    struct http_exchange *exchange = fuzz->waiting;
    fuzz->waiting = NULL;
    fuzz->owed--;
    http_respond(exchange, &(struct http_response){.status = 404});
}

static struct fuzz *start(void)
{
    static struct fuzz fuzz = {.self = {.host = "127.0.0.1"}};
    static const struct http_handlers handlers = {
        .on_request = on_request,
        .on_gone = on_gone,
        .on_upgrade = on_upgrade,
        .on_tunnel = on_tunnel,
        .on_open = on_open,
        .on_message = on_message,
        .on_close = on_close,
        .context = &fuzz,
    };
    const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "fuzz"};
    struct http_limits limits = http_limits_default();
    struct error error;
    limits.body_bytes = 64;
    limits.head_bytes = 512;
    limits.message_bytes = 128;
    if (uv_loop_init(&fuzz.loop) != 0)
        abort();
    fuzz.server =
        http_server_create(&fuzz.loop, "127.0.0.1", 0, &handlers, &limits, &quiet, &error);
    if (fuzz.server == NULL)
        abort();
    return &fuzz;
}

/* From ever another address of the loopback: with one, a fast machine runs out of ports. */
static void bind_next(int client)
{
    static uint32_t number;
    const int later = 1; /* connect() chooses the port */
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl((uint32_t)(127 << 24 | 1 << 20 | number++ % (1 << 20)));
    if (setsockopt(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &later, sizeof later) != 0 ||
        bind(client, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
}

static int connect_to(struct fuzz *fuzz)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const struct linger reset = {1, 0}; /* leaves no port waiting */
    const struct timeval moment = {0, 1};
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons(http_server_port(fuzz->server));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (client < 0)
        abort();
    bind_next(client);
    if (connect(client, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
    (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof moment);
    return client;
}

static void upgrade(struct fuzz *fuzz, int client, const char *path)
{
    char request[256];
    const int length =
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                 "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
                 path);
    (void)send(client, request, (size_t)length, MSG_NOSIGNAL);
    turn(fuzz);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz *fuzz;
    if (fuzz == NULL)
        fuzz = start();
    if (size == 0)
        return 0;
    const int client = connect_to(fuzz);
    turn(fuzz);
    if (data[0] % 2 == 1)
        upgrade(fuzz, client, data[0] % 8 == 7 ? "/tunnel" : "/x");
    size_t from = 1;
    for (size_t i = 1; i <= size; i++) {
        if (i < size && data[i] != 0)
            continue;
        if (i > from)
            (void)send(client, data + from, i - from, MSG_NOSIGNAL);
        turn(fuzz);
        from = i + (data[0] % 4 < 2); /* keeps the zero byte, or not */
    }
    (void)close(client);
    struct http_counters counters;
    do {
        turn(fuzz);
        http_server_counters(fuzz->server, &counters);
    } while (counters.connections > 0);
    if (fuzz->owed != 0 || fuzz->open != 0)
        abort();
    return 0;
}
