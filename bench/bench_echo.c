/* The bare server that `dpow bench hub --cached` compares a hub with: the project's own HTTP
 * server, and for each POST and each text of a WebSocket an answer of a hub's length, made without
 * reading more of the request than the two digits of its id, which stand at its end.
 *
 *     bench_echo
 *
 * Prints its port and serves until it is killed.
 */
#include "net/http_server.h"

#include <stdio.h>
#include <sys/resource.h>

static const char answer[] =
    "{\"work\":\"2b3d689bbcb21dca\","
    "\"hash\":\"718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2\",\"id\":10}";

enum { ANSWER_LENGTH = sizeof answer - 1, ID_FROM_END = 3 };

static struct slice make_answer(char text[sizeof answer], struct slice request)
{
    memcpy(text, answer, sizeof answer);
    if (request.length >= ID_FROM_END)
        memcpy(text + ANSWER_LENGTH - ID_FROM_END, request.data + request.length - ID_FROM_END, 2);
    return (struct slice){text, ANSWER_LENGTH};
}

static void on_request(void *context, struct http_exchange *exchange,
                       const struct http_request *request)
{
    char text[sizeof answer];
    (void)context;
    http_respond(exchange, &(struct http_response){
                               .status = 200,
                               .content_type = "application/json; charset=utf-8",
                               .body = make_answer(text, request->body),
                           });
}

static void on_gone(void *context, struct http_exchange *exchange)
{
    (void)context;
    (void)exchange;
}

static bool on_upgrade(void *context, const struct http_request *request)
{
    (void)context;
    (void)request;
    return true;
}

static void on_open(void *context, struct websocket *socket, const struct http_request *request)
{
    (void)context;
    (void)socket;
    (void)request;
}

static void on_message(void *context, struct websocket *socket, struct slice message)
{
    char text[sizeof answer];
    (void)context;
    websocket_send(socket, make_answer(text, message));
}

static void on_close(void *context, struct websocket *socket)
{
    (void)context;
    (void)socket;
}

int main(void)
{
    uv_loop_t loop;
    struct error error;
    struct rlimit limit;
    const struct log log = {.descriptor = 2, .level = LOG_WARNING, .part = "echo"};
    const struct http_limits limits = http_limits_default();
    const struct http_handlers handlers = {
        .on_request = on_request,
        .on_gone = on_gone,
        .on_upgrade = on_upgrade,
        .on_open = on_open,
        .on_message = on_message,
        .on_close = on_close,
    };
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (uv_loop_init(&loop) != 0)
        return 1;
    struct http_server *server =
        http_server_create(&loop, "127.0.0.1", 0, &handlers, &limits, &log, &error);
    if (server == NULL) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    (void)printf("%u\n", (unsigned)http_server_port(server));
    (void)fflush(stdout);
    return uv_run(&loop, UV_RUN_DEFAULT);
}
