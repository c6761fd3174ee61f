/* Requests that a peer sends ahead of the answers. */
#include "test.h"

#include "net/http_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server whose owner answers with the request's path: the first from a prepare handle, which runs
 * just before the loop looks what has come, and all others at once. */
struct setup {
    uv_loop_t loop;
    uv_prepare_t prepare;
    struct http_server *server;
    struct http_exchange *held;
    bool release;
    char path[16];
    int socket;
};

static void answer(struct http_exchange *exchange, const char *path)
{
    http_respond(exchange, &(struct http_response){.status = 200, .body = slice_of(path)});
}

static void on_request(void *context, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct setup *setup = context;
    char path[16];
    (void)snprintf(path, sizeof path, "%.*s", (int)request->path.length, request->path.data);
    if (setup->path[0] != '\0') {
        answer(exchange, path);
        return;
    }
    memcpy(setup->path, path, sizeof path);
    setup->held = exchange;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct setup *setup = prepare->data;
    if (!setup->release || setup->held == NULL)
        return;
    answer(setup->held, setup->path);
    setup->held = NULL;
}

static void open_setup(struct setup *setup)
{
    const struct http_handlers handlers = {.on_request = on_request, .context = setup};
    const struct http_limits limits = http_limits_default();
    const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct error error;
    *setup = (struct setup){0};
    assert_int_equal(uv_loop_init(&setup->loop), 0);
    assert_int_equal(uv_prepare_init(&setup->loop, &setup->prepare), 0);
    setup->prepare.data = setup;
    assert_int_equal(uv_prepare_start(&setup->prepare, on_prepare), 0);
    setup->server =
        http_server_create(&setup->loop, "127.0.0.1", 0, &handlers, &limits, &quiet, &error);
    assert_non_null(setup->server);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(http_server_port(setup->server));
    setup->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(setup->socket, (struct sockaddr *)&address, sizeof address), 0);
}

static void close_setup(struct setup *setup)
{
    (void)close(setup->socket);
    uv_close((uv_handle_t *)&setup->prepare, NULL);
    http_server_close(setup->server, NULL, NULL);
    (void)uv_run(&setup->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&setup->loop), 0);
}

static void say(const struct setup *setup, const char *text)
{
    assert_int_equal(send(setup->socket, text, strlen(text), 0), strlen(text));
}

static void turn(struct setup *setup, int times)
{
    for (int i = 0; i < times; i++) {
        (void)uv_run(&setup->loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
}

/* What came while one was answered is older than what comes in the same turn of the loop. */
static void requests_sent_ahead_keep_their_order(void **state)
{
    struct setup setup;
    char answers[1024] = "";
    (void)state;
    open_setup(&setup);
    say(&setup, "GET /1 HTTP/1.1\r\n\r\nGET /2 HT");
    while (setup.held == NULL)
        turn(&setup, 1);
    turn(&setup, 5);
    setup.release = true;
    say(&setup, "TP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n");
    turn(&setup, 20);
    assert_true(recv(setup.socket, answers, sizeof answers - 1, MSG_DONTWAIT) > 0);
    const char *first = strstr(answers, "\r\n\r\n/1");
    const char *second = strstr(answers, "\r\n\r\n/2");
    const char *third = strstr(answers, "\r\n\r\n/3");
    assert_true(first != NULL && second != NULL && third != NULL);
    assert_true(first < second && second < third);
    close_setup(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_sent_ahead_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
