#include "hub/broker.h"

#include "hub/broker_files.h"
#include "hub/credential.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    RESTART_FIRST_MS = 100,
    RESTART_LAST_MS = 5000,
    STEADY_MS = 10000,   /* A broker that ran this long is restarted at once again. */
    PORT_WAIT_MS = 3000, /* For the broker of a killed hub to let go of its ports. */
    PORT_POLL_MS = 50,
    KILL_MS = 3000, /* For the broker to end by itself when asked. */
    LINE_SIZE = 256,
    CONNECTIONS_PER_ADDRESS = 64,
    MESSAGES_PER_SECOND = 20000,
};

/* One running Mosquitto and the pipe of its log; freed when both handles have closed. */
struct child {
    uv_process_t process;
    uv_pipe_t output;
    struct broker *broker;
    unsigned handles_open;
    char line[LINE_SIZE];
    size_t line_length;
    char buffer[1024];
};

struct broker {
    uv_loop_t *loop;
    struct log log;
    char directory[BROKER_PATH_SIZE];
    struct broker_endpoints endpoints;
    struct broker_limits limits;
    char password[BROKER_PASSWORD_SIZE];
    char last_line[LINE_SIZE];
    char complaint[LINE_SIZE]; /* The last line of this child about the plugin. */
    void (*on_unusable)(void *context, const char *reason);
    void *context;
    struct child *child;
    uv_timer_t timer; /* Restarts; while stopping, kills. */
    uint64_t restart_ms;
    uint64_t started_ms;
    unsigned deaths;
    bool stopping;
    void (*done)(void *context);
    void *done_context;
};

static bool spawn(struct broker *broker, struct error *error);

static bool make_address(const struct listen_address *endpoint, struct sockaddr_storage *address,
                         socklen_t *length)
{
    *length = sizeof(struct sockaddr_in);
    if (uv_ip4_addr(endpoint->host, endpoint->port, (struct sockaddr_in *)address) == 0)
        return true;
    *length = sizeof(struct sockaddr_in6);
    return uv_ip6_addr(endpoint->host, endpoint->port, (struct sockaddr_in6 *)address) == 0;
}

/* Binds for a moment: learns of a port in use while the reason can be told, and finds a free one
 * for port 0. Returns 0 or an errno. */
static int try_port(struct listen_address *endpoint)
{
    struct sockaddr_storage address = {0};
    socklen_t length;
    const int one = 1;
    if (!make_address(endpoint, &address, &length))
        return EINVAL;
    const int descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return errno;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int status = 0;
    if (bind(descriptor, (const struct sockaddr *)&address, length) != 0 ||
        listen(descriptor, 1) != 0 ||
        getsockname(descriptor, (struct sockaddr *)&address, &length) != 0)
        status = errno;
    else
        endpoint->port = ntohs(address.ss_family == AF_INET
                                   ? ((const struct sockaddr_in *)&address)->sin_port
                                   : ((const struct sockaddr_in6 *)&address)->sin6_port);
    (void)close(descriptor);
    return status;
}

/* A hub that was killed leaves its broker a moment behind: a port in use is tried for a while. This
 * waits before the loop runs, when there is nothing else to do. */
static bool claim_port(struct listen_address *endpoint, struct error *error)
{
    const struct timespec pause = {0, PORT_POLL_MS * 1000000L};
    int status = try_port(endpoint);
    for (int waited = 0; status == EADDRINUSE && waited < PORT_WAIT_MS; waited += PORT_POLL_MS) {
        (void)nanosleep(&pause, NULL);
        status = try_port(endpoint);
    }
    if (status == 0)
        return true;
    return error_set(error, ERROR_SYSTEM, "the broker cannot listen on %s port %u: %s%s",
                     endpoint->host, endpoint->port, strerror(status),
                     status == EADDRINUSE ? " (another broker? choose a port, or 0 for any)" : "");
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct broker *broker = handle->data;
    void (*done)(void *context) = broker->done;
    void *context = broker->done_context;
    sodium_memzero(broker->password, sizeof broker->password);
    free(broker);
    if (done != NULL)
        done(context);
}

static void finish_stop(struct broker *broker)
{
    if (broker->stopping && broker->child == NULL)
        uv_close((uv_handle_t *)&broker->timer, on_timer_closed);
}

static void on_restart(uv_timer_t *timer)
{
    struct broker *broker = timer->data;
    struct error error;
    if (spawn(broker, &error))
        return;
    log_write(&broker->log, LOG_ERROR, "%s", error.text);
    (void)uv_timer_start(&broker->timer, on_restart, broker->restart_ms, 0);
}

static void restart_later(struct broker *broker)
{
    if (uv_now(broker->loop) - broker->started_ms > STEADY_MS)
        broker->restart_ms = RESTART_FIRST_MS;
    (void)uv_timer_start(&broker->timer, on_restart, broker->restart_ms, 0);
    broker->restart_ms =
        broker->restart_ms * 2 < RESTART_LAST_MS ? broker->restart_ms * 2 : RESTART_LAST_MS;
}

/* A Mosquitto of another version says so and ends, each time anew. */
static void tell_unusable(const struct broker *broker)
{
    char reason[2 * LINE_SIZE + 96];
    const bool more = strcmp(broker->complaint, broker->last_line) != 0;
    (void)snprintf(
        reason, sizeof reason,
        "mosquitto does not load the hub's plugin; version 2.0 is needed. It said: %s%s%s",
        broker->complaint, more ? " " : "", more ? broker->last_line : "");
    broker->on_unusable(broker->context, reason);
}

static void on_child_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    struct broker *broker = child->broker;
    if (--child->handles_open > 0)
        return;
    free(child);
    broker->child = NULL;
    if (broker->stopping)
        finish_stop(broker);
    else if (broker->complaint[0] != '\0' && broker->on_unusable != NULL)
        tell_unusable(broker);
    else
        restart_later(broker);
}

static void on_child_exit(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *child = process->data;
    struct broker *broker = child->broker;
    if (!broker->stopping) {
        broker->deaths++;
        log_write(&broker->log, LOG_ERROR, "mosquitto ended (status %d, signal %d); restarting",
                  (int)status, signal_number);
    }
    uv_close((uv_handle_t *)&child->process, on_child_closed);
    if (!uv_is_closing((uv_handle_t *)&child->output))
        uv_close((uv_handle_t *)&child->output, on_child_closed);
}

static void end_line(struct child *child)
{
    struct broker *broker = child->broker;
    child->line[child->line_length] = '\0';
    if (child->line_length > 0 && !broker->stopping) {
        memcpy(broker->last_line, child->line, child->line_length + 1);
        const bool starting = uv_now(broker->loop) - broker->started_ms <= STEADY_MS;
        if (starting && strcasestr(child->line, "plugin") != NULL)
            memcpy(broker->complaint, child->line, child->line_length + 1);
        log_write(&broker->log, LOG_WARNING, "mosquitto: %s", child->line);
    }
    child->line_length = 0;
}

static void on_output(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct child *child = stream->data;
    for (ssize_t i = 0; i < count; i++) {
        if (buffer->base[i] == '\n')
            end_line(child);
        else if (child->line_length < LINE_SIZE - 1)
            child->line[child->line_length++] = buffer->base[i];
    }
    if (count < 0 && !uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, on_child_closed);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct child *child = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(child->buffer, sizeof child->buffer);
}

/* Distributions put the broker where only root's path leads. */
static const char *executable(void)
{
    static const char usual[] = "/usr/sbin/mosquitto";
    return access(usual, X_OK) == 0 ? usual : "mosquitto";
}

/* setpriv asks the kernel to end the broker when the hub's thread dies, also by SIGKILL. */
static int spawn_child(struct broker *broker, struct child *child)
{
    char configuration[BROKER_PATH_SIZE + 32];
    (void)snprintf(configuration, sizeof configuration, "%s/mosquitto.conf", broker->directory);
    const char *arguments[] = {"setpriv", "--pdeathsig", "TERM", executable(),
                               "-c",      configuration, NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->output},
    };
    const uv_process_options_t options = {
        .exit_cb = on_child_exit,
        .file = arguments[0],
        .args = (char **)(uintptr_t)arguments, /* libuv does not write to them */
        .stdio = stdio,
        .stdio_count = 3,
        /* A session of its own: Ctrl-C at the terminal is for the hub, which still needs it. */
        .flags = UV_PROCESS_DETACHED,
    };
    return uv_spawn(broker->loop, &child->process, &options);
}

static bool spawn(struct broker *broker, struct error *error)
{
    struct child *child = calloc(1, sizeof *child);
    if (child == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to start mosquitto");
    child->broker = broker;
    child->process.data = child;
    child->output.data = child;
    (void)uv_pipe_init(broker->loop, &child->output, 0);
    child->handles_open = 2;
    broker->child = child;
    broker->complaint[0] = '\0';
    broker->started_ms = uv_now(broker->loop);
    const int status = spawn_child(broker, child);
    if (status != 0) {
        /* The end of its handles brings the next try, or the end of the broker. */
        uv_close((uv_handle_t *)&child->process, on_child_closed);
        uv_close((uv_handle_t *)&child->output, on_child_closed);
        return error_set(error, ERROR_SYSTEM, "cannot start setpriv and mosquitto: %s",
                         uv_strerror(status));
    }
    (void)uv_read_start((uv_stream_t *)&child->output, on_allocate, on_output);
    return true;
}

/* Both are let go of before Mosquitto takes them, so the system may offer one port twice. */
static bool claim_ports(struct broker_endpoints *endpoints, struct error *error)
{
    const bool any = endpoints->websocket.port == 0;
    if (!claim_port(&endpoints->mqtt, error))
        return false;
    do {
        if (any)
            endpoints->websocket.port = 0;
        if (!claim_port(&endpoints->websocket, error))
            return false;
    } while (any && endpoints->websocket.port == endpoints->mqtt.port);
    if (endpoints->websocket.port != endpoints->mqtt.port)
        return true;
    return error_set(error, ERROR_INVALID,
                     "the broker cannot use port %u for MQTT and for MQTT over WebSocket; choose "
                     "another for one of them, or 0 for any",
                     endpoints->mqtt.port);
}

static bool prepare(struct broker *broker, struct error *error)
{
    if (mkdir(broker->directory, 0700) != 0 && errno != EEXIST)
        return error_set(error, ERROR_SYSTEM, "cannot create %.160s: %s", broker->directory,
                         strerror(errno));
    if (chmod(broker->directory, 0700) != 0)
        return error_set(error, ERROR_SYSTEM, "cannot protect %.160s: %s", broker->directory,
                         strerror(errno));
    return claim_ports(&broker->endpoints, error) &&
           broker_files_write(broker->directory, &broker->endpoints, &broker->limits,
                              broker->password, error);
}

/* The path becomes part of lines of Mosquitto's configuration. */
static bool set_directory(struct broker *broker, const char *directory, struct error *error)
{
    for (const char *c = directory; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            return error_set(error, ERROR_INVALID,
                             "the data directory's path has a control character");
    const int length = snprintf(broker->directory, sizeof broker->directory, "%s", directory);
    return (length >= 0 && (size_t)length < sizeof broker->directory - 32) ||
           error_set(error, ERROR_INVALID, "the data directory's path is too long");
}

struct broker *broker_start(const struct broker_options *options, struct error *error)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the broker");
        return NULL;
    }
    if (!set_directory(broker, options->directory, error)) {
        free(broker);
        return NULL;
    }
    broker->loop = options->loop;
    broker->log = log_for_part(options->log, "broker");
    broker->endpoints = options->endpoints;
    broker->limits = options->limits;
    if (broker->limits.connections_per_address == 0)
        broker->limits.connections_per_address = CONNECTIONS_PER_ADDRESS;
    if (broker->limits.messages_per_second == 0)
        broker->limits.messages_per_second = MESSAGES_PER_SECOND;
    broker->on_unusable = options->on_unusable;
    broker->context = options->context;
    broker->restart_ms = RESTART_FIRST_MS;
    credential_generate(broker->password);
    if (!prepare(broker, error)) {
        free(broker);
        return NULL;
    }
    (void)uv_timer_init(broker->loop, &broker->timer);
    broker->timer.data = broker;
    if (spawn(broker, error))
        return broker;
    broker->stopping = true; /* it frees itself as its handles close */
    return NULL;
}

const struct broker_endpoints *broker_endpoints(const struct broker *broker)
{
    return &broker->endpoints;
}

const char *broker_server_password(const struct broker *broker)
{
    return broker->password;
}

const char *broker_last_line(const struct broker *broker)
{
    return broker->last_line;
}

unsigned broker_deaths(const struct broker *broker)
{
    return broker->deaths;
}

static void on_kill(uv_timer_t *timer)
{
    const struct broker *broker = timer->data;
    if (broker->child != NULL)
        (void)uv_process_kill(&broker->child->process, SIGKILL);
}

void broker_stop(struct broker *broker, void (*done)(void *context), void *context)
{
    broker->stopping = true;
    broker->done = done;
    broker->done_context = context;
    (void)uv_timer_stop(&broker->timer);
    if (broker->child == NULL) {
        finish_stop(broker);
        return;
    }
    (void)uv_process_kill(&broker->child->process, SIGTERM);
    (void)uv_timer_start(&broker->timer, on_kill, KILL_MS, 0);
}
