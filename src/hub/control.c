#include "hub/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_SIZE = sizeof((struct sockaddr_un *)0)->sun_path, TALKS_MAX = 16, ASK_S = 30 };

/* One connection: its line is read, carried out, answered. */
struct talk {
    uv_pipe_t pipe;
    uv_write_t write;
    struct control *control;
    struct talk *previous; /* Among all of them. */
    struct talk *next;
    size_t length;
    bool executing; /* An answer is to come; the memory must wait for it. */
    bool closed;
    char *answer;
    char line[ADMIN_REQUEST_MAX];
};

struct control {
    uv_pipe_t listener;
    struct admin_options admin;
    struct log log;
    struct talk *talks;
    size_t talk_count;
    bool listener_closed;
    bool closing;
    char path[PATH_SIZE];
    void (*done)(void *context);
    void *done_context;
};

static bool make_path(const char *data_directory, char path[PATH_SIZE], struct error *error)
{
    const int length = snprintf(path, PATH_SIZE, "%s/control.sock", data_directory);
    if (length > 0 && length < PATH_SIZE)
        return true;
    return error_set(error, ERROR_INVALID,
                     "the data directory's path may have at most %d characters",
                     PATH_SIZE - (int)sizeof "/control.sock");
}

static void finish_close(struct control *control)
{
    if (!control->closing || control->talks != NULL || !control->listener_closed)
        return;
    void (*done)(void *context) = control->done;
    void *context = control->done_context;
    free(control);
    if (done != NULL)
        done(context);
}

static void free_talk(struct talk *talk)
{
    struct control *control = talk->control;
    if (!talk->closed || talk->executing)
        return;
    if (talk->previous != NULL)
        talk->previous->next = talk->next;
    else
        control->talks = talk->next;
    if (talk->next != NULL)
        talk->next->previous = talk->previous;
    control->talk_count--;
    free(talk->answer);
    free(talk);
    finish_close(control);
}

static void on_talk_closed(uv_handle_t *handle)
{
    struct talk *talk = handle->data;
    talk->closed = true;
    free_talk(talk);
}

static void end_talk(struct talk *talk)
{
    if (!uv_is_closing((uv_handle_t *)&talk->pipe))
        uv_close((uv_handle_t *)&talk->pipe, on_talk_closed);
}

static void on_answered(uv_write_t *write, int status)
{
    struct talk *talk = write->data;
    (void)status;
    end_talk(talk);
}

static void on_reply(void *context, struct slice json)
{
    struct talk *talk = context;
    talk->executing = false;
    talk->answer = malloc(json.length + 1);
    if (talk->answer == NULL || uv_is_closing((uv_handle_t *)&talk->pipe)) {
        end_talk(talk);
        free_talk(talk);
        return;
    }
    memcpy(talk->answer, json.data, json.length);
    talk->answer[json.length] = '\n';
    const uv_buf_t part = uv_buf_init(talk->answer, (unsigned)json.length + 1);
    talk->write.data = talk;
    if (uv_write(&talk->write, (uv_stream_t *)&talk->pipe, &part, 1, on_answered) != 0)
        end_talk(talk);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct talk *talk = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(talk->line + talk->length, (unsigned)(sizeof talk->line - talk->length));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct talk *talk = stream->data;
    (void)buffer;
    if (count < 0) {
        end_talk(talk);
        return;
    }
    talk->length += (size_t)count;
    const char *line_end = memchr(talk->line, '\n', talk->length);
    if (line_end == NULL && talk->length == sizeof talk->line) {
        end_talk(talk);
        return;
    }
    if (line_end == NULL)
        return;
    (void)uv_read_stop(stream);
    talk->executing = true;
    admin_execute(&talk->control->admin,
                  (struct slice){talk->line, (size_t)(line_end - talk->line)}, on_reply, talk);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    struct talk *talk = status == 0 ? calloc(1, sizeof *talk) : NULL;
    if (talk == NULL)
        return;
    talk->control = control;
    talk->pipe.data = talk;
    (void)uv_pipe_init(listener->loop, &talk->pipe, 0);
    talk->next = control->talks;
    if (talk->next != NULL)
        talk->next->previous = talk;
    control->talks = talk;
    control->talk_count++;
    if (uv_accept(listener, (uv_stream_t *)&talk->pipe) != 0 || control->talk_count > TALKS_MAX ||
        uv_read_start((uv_stream_t *)&talk->pipe, on_allocate, on_read) != 0)
        end_talk(talk);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    control->listener_closed = true;
    finish_close(control);
}

struct control *control_create(uv_loop_t *loop, const char *data_directory,
                               const struct admin_options *admin, const struct log *log,
                               struct error *error)
{
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the control socket");
        return NULL;
    }
    if (!make_path(data_directory, control->path, error)) {
        free(control);
        return NULL;
    }
    control->admin = *admin;
    control->log = log_for_part(log, "control");
    (void)uv_pipe_init(loop, &control->listener, 0);
    control->listener.data = control;
    (void)unlink(control->path);
    const mode_t before = umask(0177);
    int status = uv_pipe_bind(&control->listener, control->path);
    (void)umask(before);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&control->listener, TALKS_MAX, on_connection);
    if (status == 0)
        return control;
    (void)error_set(error, ERROR_SYSTEM, "cannot listen on %.180s: %s", control->path,
                    uv_strerror(status));
    control_close(control, NULL, NULL);
    return NULL;
}

void control_close(struct control *control, void (*done)(void *context), void *context)
{
    control->closing = true;
    control->done = done;
    control->done_context = context;
    (void)unlink(control->path);
    uv_close((uv_handle_t *)&control->listener, on_listener_closed);
    /* Whoever is still connected neither asks nor reads: nothing waits for that. */
    for (struct talk *talk = control->talks; talk != NULL; talk = talk->next)
        end_talk(talk);
}

static bool send_all(int descriptor, struct slice text)
{
    while (text.length > 0) {
        const ssize_t sent = send(descriptor, text.data, text.length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        text.data += sent;
        text.length -= (size_t)sent;
    }
    return true;
}

static char *receive_all(int descriptor)
{
    size_t length = 0;
    size_t capacity = 4096;
    char *text = malloc(capacity);
    while (text != NULL) {
        const ssize_t received = recv(descriptor, text + length, capacity - length - 1, 0);
        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0)
            break;
        length += (size_t)received;
        if (capacity - length > 1)
            continue;
        char *grown = realloc(text, 2 * capacity);
        if (grown == NULL) {
            free(text);
            return NULL;
        }
        text = grown;
        capacity *= 2;
    }
    if (text == NULL || length == 0 || text[length - 1] != '\n') {
        free(text);
        return NULL;
    }
    text[length - 1] = '\0';
    return text;
}

bool control_ask(const char *data_directory, struct slice request, char **answer,
                 struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {ASK_S, 0};
    if (!make_path(data_directory, address.sun_path, error))
        return false;
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return error_set(error, ERROR_SYSTEM, "no socket: %s", strerror(errno));
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) != 0) {
        const bool absent = errno == ENOENT || errno == ECONNREFUSED;
        (void)error_set(error, absent ? ERROR_NOT_FOUND : ERROR_SYSTEM, "%.160s: %s",
                        address.sun_path, strerror(errno));
        (void)close(descriptor);
        return false;
    }
    const bool sent = send_all(descriptor, request) && send_all(descriptor, slice_of("\n"));
    *answer = sent ? receive_all(descriptor) : NULL;
    (void)close(descriptor);
    return *answer != NULL ||
           error_set(error, ERROR_SYSTEM, "the hub closed %.160s without an answer",
                     address.sun_path);
}
