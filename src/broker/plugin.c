/* Mosquitto's events, put to the screen. Mosquitto has one thread, which must never wait here. */
#include "broker/plugin.h"

#include "base/clock.h"
#include "broker/screen.h"

#include <errno.h>
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORT_S = 10, REPORT_SIZE = 512, NUMBER_SIZE = 12 };

struct plugin {
    mosquitto_plugin_id_t *id;
    struct screen *screen;
    uint64_t report_us; /* When the next report is due. */
};

static struct slice text_or_empty(const char *text)
{
    return text != NULL ? slice_of(text) : (struct slice){NULL, 0};
}

static bool is_user(const struct mosquitto *client, const char *name)
{
    const char *user = mosquitto_client_username(client);
    return user != NULL && strcmp(user, name) == 0;
}

/* Comes before the password file. Workers are let in here, because only so is each connection
 * known that Mosquitto will have: their password is public (dpow.md 2.2). All others are left to
 * the file. */
static int on_login(int event, void *data, void *context)
{
    const struct mosquitto_evt_basic_auth *login = data;
    struct plugin *plugin = context;
    (void)event;
    if (login->username == NULL || strcmp(login->username, "client") != 0)
        return MOSQ_ERR_PLUGIN_DEFER;
    if (login->password == NULL || strcmp(login->password, "client") != 0)
        return MOSQ_ERR_AUTH;
    const enum screen_admission admission =
        screen_admit(plugin->screen, clock_monotonic_us(),
                     &(struct screen_login){
                         .connection = login->client,
                         .id = text_or_empty(mosquitto_client_id(login->client)),
                         .address = text_or_empty(mosquitto_client_address(login->client)),
                         .persistent = !mosquitto_client_clean_session(login->client),
                     });
    return admission == SCREEN_ADMITTED ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH;
}

static int on_disconnect(int event, void *data, void *context)
{
    const struct mosquitto_evt_disconnect *end = data;
    struct plugin *plugin = context;
    (void)event;
    screen_leave(plugin->screen, end->client);
    return MOSQ_ERR_SUCCESS;
}

/* What Mosquitto does with a message that is dropped, or whose sender is not to stay. */
static int result_of(enum screen_verdict verdict)
{
    return verdict == SCREEN_HOSTILE ? MOSQ_ERR_CONN_REFUSED : MOSQ_ERR_ACL_DENIED;
}

/* Comes before the access list, and, unlike on_message(), also for last wills. */
static int on_access(int event, void *data, void *context)
{
    const struct mosquitto_evt_acl_check *access = data;
    struct plugin *plugin = context;
    (void)event;
    if (access->access == MOSQ_ACL_READ) /* for each receiver of each message: at once */
        return MOSQ_ERR_PLUGIN_DEFER;
    const bool worker = is_user(access->client, "client");
    if (access->access == MOSQ_ACL_SUBSCRIBE && !worker) {
        screen_reserve(plugin->screen, access->client,
                       text_or_empty(mosquitto_client_id(access->client)));
        if (strcmp(access->topic, BROKER_REPORT_TOPIC) == 0)
            plugin->report_us = 0; /* whoever asks need not wait for the next one */
    }
    if (access->access != MOSQ_ACL_WRITE || !worker)
        return MOSQ_ERR_PLUGIN_DEFER;
    const enum screen_verdict verdict = screen_inspect(
        plugin->screen, clock_monotonic_us(), access->client, slice_of(access->topic),
        (struct slice){access->payload, access->payloadlen});
    return verdict == SCREEN_PASS ? MOSQ_ERR_PLUGIN_DEFER : result_of(verdict);
}

/* `LABEL,seconds` of the hub, which makes no mistakes; yet nothing is believed. */
static void ban(struct plugin *plugin, struct slice payload)
{
    char number[NUMBER_SIZE];
    char *end;
    const char *comma = payload.length > 0 ? memchr(payload.data, ',', payload.length) : NULL;
    if (comma == NULL)
        return;
    const struct slice label = {payload.data, (size_t)(comma - payload.data)};
    const size_t digits = payload.length - label.length - 1;
    if (digits == 0 || digits >= sizeof number)
        return;
    memcpy(number, comma + 1, digits);
    number[digits] = '\0';
    errno = 0;
    const unsigned long seconds = strtoul(number, &end, 10);
    if (errno != 0 || *end != '\0' || seconds == 0 || seconds > BROKER_BAN_MAX_S)
        return;
    const char *id = screen_ban(plugin->screen, clock_monotonic_us(), label, (unsigned)seconds);
    if (id == NULL)
        return;
    char copy[SCREEN_ID_MAX + 1]; /* the connection is forgotten before this returns */
    (void)snprintf(copy, sizeof copy, "%s", id);
    (void)mosquitto_kick_client_by_clientid(copy, false);
}

static void pass_on(const char *label, const struct mosquitto_evt_message *message)
{
    char topic[64];
    char payload[LABEL_MAX + 2 + SCREEN_PACKET_MAX];
    (void)snprintf(topic, sizeof topic, BROKER_RESULT_PREFIX "%s", message->topic);
    const size_t length = (size_t)snprintf(payload, LABEL_MAX + 2, "%s,", label);
    memcpy(payload + length, message->payload, message->payloadlen);
    (void)mosquitto_broker_publish_copy(NULL, topic, (int)(length + message->payloadlen), payload,
                                        0, false, NULL);
}

/* Comes after the access list: the topic is one that the sender may write. */
static int on_message(int event, void *data, void *context)
{
    const struct mosquitto_evt_message *message = data;
    struct plugin *plugin = context;
    const char *label;
    (void)event;
    if (is_user(message->client, "dpowserver") && strcmp(message->topic, BROKER_BAN_TOPIC) == 0) {
        ban(plugin, (struct slice){message->payload, message->payloadlen});
        return MOSQ_ERR_ACL_DENIED; /* it has arrived; nobody else is to hear it */
    }
    if (!is_user(message->client, "client"))
        return MOSQ_ERR_SUCCESS;
    const uint64_t now_us = clock_monotonic_us();
    /* MQTT 5 would hand on 256 KiB of properties that no limit sees, and that nobody needs. */
    if (message->properties != NULL)
        return result_of(screen_malformed(plugin->screen, now_us, message->client));
    const enum screen_verdict verdict =
        screen_take(plugin->screen, now_us, message->client, &label);
    if (verdict != SCREEN_PASS)
        return result_of(verdict);
    if (strncmp(message->topic, "result/", strlen("result/")) == 0 &&
        message->payloadlen <= SCREEN_PACKET_MAX)
        pass_on(label, message);
    return MOSQ_ERR_SUCCESS;
}

static void report(const struct plugin *plugin)
{
    struct screen_counters counters;
    char json[REPORT_SIZE];
    screen_counters(plugin->screen, &counters);
    const int length =
        snprintf(json, sizeof json,
                 "{\"connections\":%llu,"
                 "\"dropped\":{\"large\":%llu,\"malformed\":%llu,\"rate\":%llu,\"banned\":%llu},"
                 "\"refused\":{\"banned\":%llu,\"crowded\":%llu,\"taken\":%llu,\"sessions\":%llu,"
                 "\"id\":%llu}}",
                 (unsigned long long)counters.connections,
                 (unsigned long long)counters.verdicts[SCREEN_LARGE],
                 (unsigned long long)counters.verdicts[SCREEN_MALFORMED],
                 (unsigned long long)counters.verdicts[SCREEN_RATE],
                 (unsigned long long)counters.verdicts[SCREEN_HOSTILE],
                 (unsigned long long)counters.admissions[SCREEN_BANNED],
                 (unsigned long long)counters.admissions[SCREEN_CROWDED],
                 (unsigned long long)counters.admissions[SCREEN_TAKEN],
                 (unsigned long long)counters.admissions[SCREEN_SESSIONS],
                 (unsigned long long)counters.admissions[SCREEN_BAD_ID]);
    (void)mosquitto_broker_publish_copy(NULL, BROKER_REPORT_TOPIC, length, json, 0, false, NULL);
}

/* Once in each turn of Mosquitto's loop. */
static int on_tick(int event, void *data, void *context)
{
    struct plugin *plugin = context;
    const uint64_t now_us = clock_monotonic_us();
    (void)event;
    (void)data;
    if (now_us < plugin->report_us)
        return MOSQ_ERR_SUCCESS;
    plugin->report_us = now_us + REPORT_S * UINT64_C(1000000);
    report(plugin);
    screen_sweep(plugin->screen, now_us);
    return MOSQ_ERR_SUCCESS;
}

static bool read_option(const struct mosquitto_opt *option, struct screen_options *options)
{
    if (strcmp(option->key, "exempt_addresses") == 0)
        return address_list_parse(text_or_empty(option->value), &options->exempt);
    if (strcmp(option->key, "max_connections_per_address") != 0 || option->value == NULL)
        return false;
    char *end;
    const unsigned long number = strtoul(option->value, &end, 10);
    options->connections_per_address = (unsigned)number;
    return *end == '\0' && number >= 1 && number <= 65535;
}

static int complain(const char *text)
{
    mosquitto_log_printf(MOSQ_LOG_ERR, "dpow's plugin: %s", text);
    return MOSQ_ERR_UNKNOWN;
}

static int register_all(struct plugin *plugin)
{
    static const struct {
        int event;
        MOSQ_FUNC_generic_callback function;
    } callbacks[] = {
        {MOSQ_EVT_BASIC_AUTH, on_login},      {MOSQ_EVT_ACL_CHECK, on_access},
        {MOSQ_EVT_MESSAGE, on_message},       {MOSQ_EVT_TICK, on_tick},
        {MOSQ_EVT_DISCONNECT, on_disconnect},
    };
    for (size_t i = 0; i < sizeof callbacks / sizeof callbacks[0]; i++)
        if (mosquitto_callback_register(plugin->id, callbacks[i].event, callbacks[i].function, NULL,
                                        plugin) != MOSQ_ERR_SUCCESS)
            return complain("this Mosquitto lacks an event that it needs");
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int count, const int *versions)
{
    for (int i = 0; i < count; i++)
        if (versions[i] == MOSQ_PLUGIN_VERSION)
            return MOSQ_PLUGIN_VERSION;
    return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                          struct mosquitto_opt *options, int option_count)
{
    struct screen_options screen_options = screen_options_default();
    if (sodium_init() < 0)
        return complain("no random numbers");
    for (int i = 0; i < option_count; i++)
        if (!read_option(&options[i], &screen_options))
            return complain("an option is wrong");
    randombytes_buf(screen_options.seed, sizeof screen_options.seed);
    struct plugin *plugin = calloc(1, sizeof *plugin);
    if (plugin == NULL)
        return complain("out of memory");
    plugin->id = identifier;
    plugin->screen = screen_create(&screen_options);
    *userdata = plugin;
    if (plugin->screen == NULL)
        return complain("out of memory");
    return register_all(plugin);
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
    struct plugin *plugin = userdata;
    (void)options;
    (void)option_count;
    if (plugin == NULL)
        return MOSQ_ERR_SUCCESS;
    (void)mosquitto_callback_unregister(plugin->id, MOSQ_EVT_BASIC_AUTH, on_login, NULL);
    (void)mosquitto_callback_unregister(plugin->id, MOSQ_EVT_ACL_CHECK, on_access, NULL);
    (void)mosquitto_callback_unregister(plugin->id, MOSQ_EVT_MESSAGE, on_message, NULL);
    (void)mosquitto_callback_unregister(plugin->id, MOSQ_EVT_TICK, on_tick, NULL);
    (void)mosquitto_callback_unregister(plugin->id, MOSQ_EVT_DISCONNECT, on_disconnect, NULL);
    screen_destroy(plugin->screen);
    free(plugin);
    return MOSQ_ERR_SUCCESS;
}
