#include "test.h"

#include "hub/broker.h"
#include "net/mqtt_client.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <mosquitto.h>
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

enum { PATIENCE_MS = 30000, TOPICS_MAX = 40, PATH_SIZE = 128, TEXT_SIZE = 256 };

/* A broker in a folder of its own, and the loop it lives on. */
struct place {
    uv_loop_t loop;
    uv_timer_t patience;
    char parent[64];
    char directory[96];
    struct broker *broker;
    unsigned stopped;
};

/* A client of the broker, and what it has heard. */
struct peer {
    struct mqtt_client *client;
    unsigned connected;
    unsigned disconnected;
    unsigned fences; /* Subscriptions acknowledged. */
    unsigned closed;
    unsigned messages;
    char reason[TEXT_SIZE];
    char topics[TOPICS_MAX][64]; /* Of messages, in order. */
    size_t last_length;
};

static void on_patience(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("what was waited for did not happen");
}

static void wait_for(struct place *place, const unsigned *counter, unsigned number)
{
    assert_int_equal(uv_timer_start(&place->patience, on_patience, PATIENCE_MS, 0), 0);
    while (*counter < number)
        (void)uv_run(&place->loop, UV_RUN_ONCE);
    assert_int_equal(uv_timer_stop(&place->patience), 0);
}

static void on_connected(void *context)
{
    ((struct peer *)context)->connected++;
}

static void on_disconnected(void *context, const char *reason)
{
    struct peer *peer = context;
    (void)snprintf(peer->reason, sizeof peer->reason, "%s", reason);
    peer->disconnected++;
}

static void on_message(void *context, struct slice topic, struct slice payload)
{
    struct peer *peer = context;
    assert_true(peer->messages < TOPICS_MAX);
    assert_true(topic.length < sizeof peer->topics[0]);
    memcpy(peer->topics[peer->messages], topic.data, topic.length);
    peer->topics[peer->messages++][topic.length] = '\0';
    peer->last_length = payload.length;
}

static void on_subscribed(void *context, const char *filter, bool granted)
{
    struct peer *peer = context;
    (void)filter;
    (void)granted;
    peer->fences++;
}

static void on_peer_closed(void *context)
{
    ((struct peer *)context)->closed++;
}

static void begin_peer(struct place *place, struct peer *peer, const char *user,
                       const char *password, const char *client_id)
{
    struct error error;
    peer->client = mqtt_client_create(&place->loop,
                                      &(struct mqtt_options){
                                          .host = "127.0.0.1",
                                          .port = broker_endpoints(place->broker)->mqtt.port,
                                          .user = user,
                                          .password = password,
                                          .client_id = client_id,
                                          .keepalive_s = 30,
                                          .retry_min_ms = 5,
                                          .retry_max_ms = 50,
                                          .on_connected = on_connected,
                                          .on_disconnected = on_disconnected,
                                          .on_message = on_message,
                                          .on_subscribed = on_subscribed,
                                          .context = peer,
                                      },
                                      &quiet, &error);
    assert_non_null(peer->client);
}

/* When its subscription is acknowledged, the broker has dealt with all that the peer sent before,
 * and the peer has received all that the broker sent it before. */
static void fence(struct place *place, struct peer *peer, const char *filter)
{
    const unsigned before = peer->fences;
    assert_true(mqtt_client_subscribe(peer->client, filter, 0));
    wait_for(place, &peer->fences, before + 1);
}

static void connect_peer(struct place *place, struct peer *peer, const char *user,
                         const char *password, const char *client_id)
{
    begin_peer(place, peer, user, password, client_id);
    wait_for(place, &peer->connected, 1);
    peer->disconnected = 0; /* before the broker was up */
    fence(place, peer, "#");
}

static void close_peer(struct place *place, struct peer *peer)
{
    mqtt_client_close(peer->client, on_peer_closed, peer);
    wait_for(place, &peer->closed, 1);
}

static bool start_at(struct place *place, uint16_t mqtt_port, uint16_t websocket_port,
                     struct error *error)
{
    place->broker = broker_start(
        &(struct broker_options){.loop = &place->loop,
                                 .log = &quiet,
                                 .directory = place->directory,
                                 .endpoints = {.mqtt = {"127.0.0.1", mqtt_port},
                                               .websocket = {"127.0.0.1", websocket_port}}},
        error);
    return place->broker != NULL;
}

static void start(struct place *place)
{
    struct error error;
    if (!start_at(place, 0, 0, &error))
        fail_msg("%s", error.text);
}

static void on_stopped(void *context)
{
    ((struct place *)context)->stopped++;
}

static void stop(struct place *place)
{
    place->stopped = 0;
    broker_stop(place->broker, on_stopped, place);
    place->broker = NULL;
    wait_for(place, &place->stopped, 1);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)strcpy(place->parent, "/tmp/dpow-broker-XXXXXX");
    assert_non_null(mkdtemp(place->parent));
    (void)snprintf(place->directory, sizeof place->directory, "%s/broker", place->parent);
    assert_int_equal(uv_loop_init(&place->loop), 0);
    assert_int_equal(uv_timer_init(&place->loop, &place->patience), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"mosquitto.conf", "acl",
                                        "passwords",      "dashboard-password",
                                        "dpow_broker.so", "mosquitto.db"};
    struct place *place = *state;
    char path[PATH_SIZE];
    if (place->broker != NULL)
        stop(place);
    uv_close((uv_handle_t *)&place->patience, NULL);
    for (int i = 0; i < 10; i++) /* not to the end: a test that failed leaves clients behind */
        (void)uv_run(&place->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", place->directory, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(place->directory);
    assert_int_equal(rmdir(place->parent), 0); /* nothing else was left in it */
    free(place);
    return 0;
}

/* The process that the broker was started as: the one child of this process; 0 if there is none. */
static pid_t find_child(pid_t parent)
{
    DIR *processes = opendir("/proc");
    pid_t found = 0;
    assert_non_null(processes);
    for (const struct dirent *entry = readdir(processes); entry != NULL && found == 0;
         entry = readdir(processes)) {
        char path[sizeof entry->d_name + 16];
        char state;
        int process;
        int its_parent;
        (void)snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        if (fscanf(file, "%d (%*[^)]) %c %d", &process, &state, &its_parent) == 3 &&
            its_parent == parent && state != 'Z')
            found = process;
        (void)fclose(file);
    }
    (void)closedir(processes);
    return found;
}

static void read_file(const struct place *place, const char *name, char *text, size_t size)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", place->directory, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static void its_files_are_for_the_owner_only_and_hold_no_password(void **state)
{
    struct place *place = *state;
    static const char *const files[] = {"mosquitto.conf", "acl", "passwords", "dashboard-password"};
    char text[4096];
    char dashboard[BROKER_PASSWORD_SIZE];
    char path[PATH_SIZE];
    struct stat status;
    const mode_t before = umask(0);
    start(place);
    (void)umask(before);
    assert_int_equal(stat(place->directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", place->directory, files[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    read_file(place, "dashboard-password", dashboard, sizeof dashboard);
    assert_int_equal(strlen(dashboard), BROKER_PASSWORD_SIZE - 1);
    for (size_t i = 0; i < 3; i++) {
        read_file(place, files[i], text, sizeof text);
        assert_null(strstr(text, broker_server_password(place->broker)));
        assert_null(strstr(text, dashboard));
    }
    struct peer up = {0};
    connect_peer(place, &up, "client", "client", "w-first");
    close_peer(place, &up);
    stop(place);
    (void)snprintf(path, sizeof path, "%s/mosquitto.db", place->directory); /* the sessions */
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void the_hubs_password_is_new_at_each_start_the_dashboards_lasts(void **state)
{
    struct place *place = *state;
    char server[BROKER_PASSWORD_SIZE];
    char dashboard[BROKER_PASSWORD_SIZE];
    char again[BROKER_PASSWORD_SIZE];
    start(place);
    memcpy(server, broker_server_password(place->broker), sizeof server);
    read_file(place, "dashboard-password", dashboard, sizeof dashboard);
    stop(place);
    start(place);
    read_file(place, "dashboard-password", again, sizeof again);
    assert_string_equal(again, dashboard);
    assert_string_not_equal(broker_server_password(place->broker), server);
}

static void nobody_enters_without_a_right_password(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *user;
        const char *password;
    } rows[] = {
        {NULL, NULL},         {"client", "Client"},
        {"client", ""},       {"dpowserver", "client"},
        {"dpowserver", NULL}, {"dpowinterface", "client"},
        {"nobody", "client"},
    };
    struct peer entered = {0};
    start(place);
    connect_peer(place, &entered, "client", "client", "w-first"); /* the broker is up */
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer peer = {0};
        begin_peer(place, &peer, rows[i].user, rows[i].password, "w-second");
        wait_for(place, &peer.disconnected, 1);
        assert_string_equal(peer.reason, "the broker refused the login: user name or password");
        assert_int_equal(peer.connected, 0);
        close_peer(place, &peer);
    }
    close_peer(place, &entered);
}

/* Who the peers of the access table are. */
enum { HUB, ALICE, BOB, PLUS, DASHBOARD, PEERS };

/* One topic: who may write it and who may read it. A letter for each peer: H, A, B, D; nobody may
 * do anything as P, whose client id is a wildcard, that not every client may. */
struct access_row {
    const char *topic;
    const char *writers;
    const char *readers;
};

static const struct access_row access_table[] = {
    {"heartbeat", "H", "ABPD"},
    {"statistics", "H", "ABPD"},
    {"work/precache", "H", "ABPD"},
    {"work/ondemand", "H", "ABPD"},
    {"work/other", "", ""},
    {"work", "", ""},
    {"cancel/precache", "H", "ABPD"},
    {"cancel/ondemand", "H", "ABPD"},
    {"client/nano_1", "H", "ABPD"},
    {"client/nano_1/more", "", ""},
    {"result/precache", "ABP", "HD"},
    {"result/ondemand", "ABP", "HD"},
    {"result/other", "", ""},
    {"hub/result/precache", "ABP", "H"}, /* the plugin's copies of what they write to result/ */
    {"hub/result/ondemand", "ABP", "H"},
    {"hub/result/other", "", ""},
    {"hub/broker", "", "H"},
    {"hub/ban", "", ""}, /* the hub's is for the plugin only */
    {"worker/w-alice/hello", "A", "H"},
    {"worker/w-alice/bye", "A", "H"},
    {"worker/w-alice/status", "A", "H"},
    {"worker/w-alice/work", "H", "A"},
    {"worker/w-alice/cancel", "H", "A"},
    {"worker/w-alice/other", "", ""},
    {"worker/w-alice/work/more", "", ""},
    {"worker/w-bob/hello", "B", "H"},
    {"worker/w-bob/work", "H", "B"},
    {"worker/w-bob/cancel", "H", "B"},
    {"worker/dashboard/hello", "", ""},
    {"worker/dashboard/work", "H", ""},
    {"anything", "", ""},
};

static const char peer_letters[PEERS] = {'H', 'A', 'B', 'P', 'D'};

static bool may(const char *letters, int peer)
{
    return strchr(letters, peer_letters[peer]) != NULL;
}

static bool has_heard(const struct peer *peer, const char *topic)
{
    for (unsigned i = 0; i < peer->messages; i++)
        if (strcmp(peer->topics[i], topic) == 0)
            return true;
    return false;
}

static void connect_all(struct place *place, struct peer peers[PEERS])
{
    char dashboard[BROKER_PASSWORD_SIZE];
    read_file(place, "dashboard-password", dashboard, sizeof dashboard);
    connect_peer(place, &peers[HUB], "dpowserver", broker_server_password(place->broker), "hub");
    connect_peer(place, &peers[ALICE], "client", "client", "w-alice");
    connect_peer(place, &peers[BOB], "client", "client", "w-bob");
    connect_peer(place, &peers[PLUS], "client", "client", "+");
    connect_peer(place, &peers[DASHBOARD], "dpowinterface", dashboard, "dashboard");
}

/* A result by the grammar: the plugin drops all others. */
static const char good[] =
    "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF,0123456789abcdef,x";

static void publish_everything(struct place *place, struct peer peers[PEERS], int writer)
{
    for (int reader = 0; reader < PEERS; reader++)
        peers[reader].messages = 0;
    for (size_t i = 0; i < COUNT(access_table); i++)
        assert_true(
            mqtt_client_publish(peers[writer].client, access_table[i].topic, slice_of(good), 0));
    fence(place, &peers[writer], "fence/writer");
    for (int reader = 0; reader < PEERS; reader++)
        fence(place, &peers[reader], "fence/reader");
}

static void each_user_writes_and_reads_what_the_table_says(void **state)
{
    struct place *place = *state;
    struct peer peers[PEERS] = {0};
    start(place);
    connect_all(place, peers);
    for (int writer = 0; writer < PEERS; writer++) {
        publish_everything(place, peers, writer);
        for (int reader = 0; reader < PEERS; reader++) {
            for (size_t i = 0; i < COUNT(access_table); i++) {
                const struct access_row *row = &access_table[i];
                const bool expected = may(row->writers, writer) && may(row->readers, reader);
                if (has_heard(&peers[reader], row->topic) != expected)
                    fail_msg("%s, written by %c, %s by %c", row->topic, peer_letters[writer],
                             expected ? "was not heard" : "was heard", peer_letters[reader]);
            }
        }
    }
    for (int peer = 0; peer < PEERS; peer++) {
        assert_int_equal(peers[peer].disconnected, 0);
        close_peer(place, &peers[peer]);
    }
}

static void nothing_is_retained(void **state)
{
    struct place *place = *state;
    struct peer up = {0};
    struct peer late = {0};
    start(place);
    connect_peer(place, &up, "client", "client", "w-first"); /* the broker is up */
    struct mosquitto *hub = mosquitto_new("hub", true, NULL);
    assert_non_null(hub);
    assert_int_equal(
        mosquitto_username_pw_set(hub, "dpowserver", broker_server_password(place->broker)), 0);
    assert_int_equal(
        mosquitto_connect(hub, "127.0.0.1", broker_endpoints(place->broker)->mqtt.port, 10), 0);
    assert_int_equal(mosquitto_publish(hub, NULL, "heartbeat", 1, "x", 0, true), 0);
    int result = MOSQ_ERR_SUCCESS;
    for (int i = 0; i < 10 && result == MOSQ_ERR_SUCCESS; i++)
        result = mosquitto_loop(hub, 1000, 1);
    assert_int_equal(result, MOSQ_ERR_CONN_LOST); /* the broker ended it */
    mosquitto_destroy(hub);
    connect_peer(place, &late, "client", "client", "w-late");
    fence(place, &late, "fence");
    assert_int_equal(late.messages, 0);
    close_peer(place, &up);
    close_peer(place, &late);
}

static void statistics_fit_and_larger_packets_do_not(void **state)
{
    struct place *place = *state;
    enum { STATISTICS_SIZE = 200000, TOO_LARGE = 300000 };
    char *text = calloc(1, TOO_LARGE);
    struct peer hub = {0};
    struct peer worker = {0};
    assert_non_null(text);
    start(place);
    connect_peer(place, &worker, "client", "client", "w-first");
    connect_peer(place, &hub, "dpowserver", broker_server_password(place->broker), "hub");
    assert_true(
        mqtt_client_publish(hub.client, "statistics", (struct slice){text, STATISTICS_SIZE}, 0));
    wait_for(place, &worker.messages, 1);
    assert_int_equal(worker.last_length, STATISTICS_SIZE);
    assert_true(
        mqtt_client_publish(worker.client, "result/ondemand", (struct slice){text, TOO_LARGE}, 0));
    wait_for(place, &worker.disconnected, 1);
    assert_int_equal(hub.messages, 0);
    close_peer(place, &worker);
    close_peer(place, &hub);
    free(text);
}

static void browsers_enter_through_the_websocket_listener(void **state)
{
    struct place *place = *state;
    static const char request[] = "GET / HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    struct peer up = {0};
    struct sockaddr_in address;
    char answer[512] = "";
    start(place);
    connect_peer(place, &up, "client", "client", "w-first"); /* the broker is up */
    const uint16_t port = broker_endpoints(place->broker)->websocket.port;
    assert_int_not_equal(port, broker_endpoints(place->broker)->mqtt.port);
    assert_int_equal(uv_ip4_addr("127.0.0.1", port, &address), 0);
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    assert_int_equal(connect(descriptor, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(descriptor, request, sizeof request - 1, MSG_NOSIGNAL),
                     sizeof request - 1);
    assert_true(recv(descriptor, answer, sizeof answer - 1, 0) > 0);
    assert_int_equal(strncmp(answer, "HTTP/1.1 101", 12), 0);
    assert_int_equal(close(descriptor), 0);
    close_peer(place, &up);
}

static void killed_it_comes_back_on_the_same_ports(void **state)
{
    struct place *place = *state;
    struct peer hub = {0};
    start(place);
    const struct broker_endpoints before = *broker_endpoints(place->broker);
    connect_peer(place, &hub, "dpowserver", broker_server_password(place->broker), "hub");
    assert_int_equal(broker_deaths(place->broker), 0);
    for (unsigned death = 1; death <= 3; death++) {
        const pid_t child = find_child(getpid());
        assert_true(child > 0);
        assert_int_equal(kill(child, SIGKILL), 0);
        wait_for(place, &hub.connected, death + 1);
        assert_int_equal(broker_deaths(place->broker), death);
        assert_int_equal(broker_endpoints(place->broker)->mqtt.port, before.mqtt.port);
        assert_int_equal(broker_endpoints(place->broker)->websocket.port, before.websocket.port);
    }
    close_peer(place, &hub);
}

static void stopped_it_leaves_no_process_and_frees_its_ports(void **state)
{
    struct place *place = *state;
    struct peer up = {0};
    struct error error;
    start(place);
    connect_peer(place, &up, "client", "client", "w-first");
    const struct broker_endpoints before = *broker_endpoints(place->broker);
    close_peer(place, &up);
    stop(place);
    assert_int_equal(find_child(getpid()), 0);
    assert_true(start_at(place, before.mqtt.port, before.websocket.port, &error));
    stop(place); /* at once, before it is up */
    assert_int_equal(find_child(getpid()), 0);
}

/* Runs a broker until it is killed, having told its process. */
static void own_a_broker(struct place *place, int tell)
{
    struct peer up = {0};
    start(place);
    connect_peer(place, &up, "client", "client", "w-first");
    const pid_t child = find_child(getpid());
    if (write(tell, &child, sizeof child) == (ssize_t)sizeof child)
        (void)uv_run(&place->loop, UV_RUN_DEFAULT);
    _exit(1);
}

static void killed_owners_leave_no_broker(void **state)
{
    struct place *place = *state;
    int tell[2];
    pid_t broker;
    int status;
    /* What outlives its parent becomes a child of this process, which so sees it end. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe(tell), 0);
    assert_int_equal(uv_loop_fork(&place->loop), 0);
    const pid_t owner = fork();
    assert_true(owner >= 0);
    if (owner == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        assert_int_equal(uv_loop_fork(&place->loop), 0);
        own_a_broker(place, tell[1]);
    }
    assert_int_equal(read(tell[0], &broker, sizeof broker), sizeof broker);
    assert_true(broker > 0);
    assert_int_equal(kill(owner, SIGKILL), 0);
    assert_int_equal(waitpid(owner, &status, 0), owner);
    assert_int_equal(waitpid(broker, &status, 0), broker);
    assert_int_equal(close(tell[0]), 0);
    assert_int_equal(close(tell[1]), 0);
}

static void a_port_in_use_is_named_with_what_to_do(void **state)
{
    struct place *place = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct error error;
    char number[16];
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    assert_int_equal(bind(descriptor, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(descriptor, 1), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &length), 0);
    const uint16_t port = ntohs(address.sin_port);
    (void)snprintf(number, sizeof number, "port %u", port);
    assert_false(start_at(place, port, 0, &error));
    assert_int_equal(error.code, ERROR_SYSTEM);
    assert_non_null(strstr(error.text, "127.0.0.1"));
    assert_non_null(strstr(error.text, number));
    assert_non_null(strstr(error.text, "choose a port"));
    assert_int_equal(close(descriptor), 0);
    assert_false(start_at(place, port, port, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.text, number));
}

static void a_directory_that_cannot_be_is_told(void **state)
{
    struct place *place = *state;
    char saved[sizeof place->directory];
    struct error error;
    memcpy(saved, place->directory, sizeof saved);
    (void)strcpy(place->directory, "/nonexistent/place/broker");
    assert_false(start_at(place, 0, 0, &error));
    assert_non_null(strstr(error.text, "/nonexistent/place/broker"));
    (void)strcpy(place->directory, "/tmp/a\nuser root");
    assert_false(start_at(place, 0, 0, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    memcpy(place->directory, saved, sizeof saved);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(killed_owners_leave_no_broker),
        WITH_PLACE(its_files_are_for_the_owner_only_and_hold_no_password),
        WITH_PLACE(the_hubs_password_is_new_at_each_start_the_dashboards_lasts),
        WITH_PLACE(nobody_enters_without_a_right_password),
        WITH_PLACE(each_user_writes_and_reads_what_the_table_says),
        WITH_PLACE(nothing_is_retained),
        WITH_PLACE(statistics_fit_and_larger_packets_do_not),
        WITH_PLACE(browsers_enter_through_the_websocket_listener),
        WITH_PLACE(killed_it_comes_back_on_the_same_ports),
        WITH_PLACE(stopped_it_leaves_no_process_and_frees_its_ports),
        WITH_PLACE(a_port_in_use_is_named_with_what_to_do),
        WITH_PLACE(a_directory_that_cannot_be_is_told),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
