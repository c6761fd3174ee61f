#include "cli/commands.h"
#include "cli/directories.h"

#include "base/hex.h"
#include "broker/address.h"
#include "hub/hub.h"

#include <stdio.h>

static const struct option_spec hub_options[] = {
    {.name = "data-dir",
     .kind = OPTION_TEXT,
     .argument = "DIR",
     .help = "Where the store, the broker and the control socket live; created if missing. By "
             "default /var/lib/dpow for root, otherwise $XDG_STATE_HOME/dpow."},
    {.name = "listen",
     .kind = OPTION_TEXT,
     .argument = "ADDR:PORT",
     .help = "Where services are served over HTTP and WebSocket; port 0 is any free port.",
     .fallback = "127.0.0.1:5030"},
    {.name = "tls-cert",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "Serve services over HTTPS: the certificate in PEM, followed by its issuers'. SIGHUP "
             "reads it and the key again."},
    {.name = "tls-key",
     .kind = OPTION_TEXT,
     .argument = "FILE",
     .help = "The certificate's key in PEM, without a passphrase."},
    {.name = "store",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "The store; by default SQLite in the data folder.",
     .secret = true},
    {.name = "broker",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "An MQTT broker to use instead of an own one.",
     .secret = true},
    {.name = "mqtt-listen",
     .kind = OPTION_TEXT,
     .argument = "ADDR:PORT",
     .help = "Where the own broker serves workers over MQTT.",
     .fallback = "127.0.0.1:1883"},
    {.name = "mqtt-ws-listen",
     .kind = OPTION_TEXT,
     .argument = "ADDR:PORT",
     .help = "Where the own broker serves workers over MQTT in WebSocket, as /mqtt of --listen "
             "does too.",
     .fallback = "127.0.0.1:9001"},
    {.name = "metrics-listen",
     .kind = OPTION_TEXT,
     .argument = "ADDR:PORT",
     .help = "Where GET /metrics is served to anybody; without it, where services are served, to "
             "this machine only."},
    {.name = "connections-per-address",
     .kind = OPTION_U64,
     .argument = "N",
     .minimum = 1,
     .maximum = 65535,
     .help = "How many workers the own broker lets in from one IP address.",
     .fallback = "64"},
    {.name = "messages-per-second",
     .kind = OPTION_U64,
     .argument = "N",
     .minimum = 1,
     .maximum = 1000000,
     .help = "How many messages a second the own broker takes from one worker; four times as many "
             "at once.",
     .fallback = "20000"},
    {.name = "exempt-addresses",
     .kind = OPTION_TEXT,
     .argument = "LIST",
     .help =
         "IP addresses, with commas between, that the own broker neither limits nor bans: those "
         "of proxies that workers come through.",
     .fallback = "127.0.0.1,::1"},
    {.name = "network",
     .kind = OPTION_CHOICE,
     .choices = "live|beta|dev|test",
     .help = "Whose thresholds apply.",
     .fallback = "live"},
    {.name = "base-difficulty",
     .kind = OPTION_TEXT,
     .argument = "HEX",
     .help = "The base of multipliers, 16 hexadecimal digits; by default the network's send "
             "class."},
    {.name = "max-multiplier",
     .kind = OPTION_NUMBER,
     .argument = "X",
     .low = 1,
     .high = 1e6,
     .help = "The greatest multiplier a service may ask for. Read again on SIGHUP.",
     .fallback = "5"},
    {.name = "clamp",
     .kind = OPTION_FLAG,
     .help = "Answers a request for more with work for the greatest multiplier, and says so, "
             "instead of an error. Read again on SIGHUP."},
    {.name = "precache",
     .kind = OPTION_CHOICE,
     .choices = "on|off",
     .help = "Whether the next work of services' accounts is made ahead when their blocks are "
             "confirmed.",
     .fallback = "on"},
    {.name = "node-ws",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "The WebSocket of a Nano node, ws://HOST:7078, which tells of confirmed blocks.",
     .secret = true},
    {.name = "node-rpc",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "The RPC of a Nano node, http://HOST:7076, which is asked for what was missed.",
     .secret = true},
    {.name = "block-allow",
     .kind = OPTION_LIST,
     .argument = "ADDR",
     .help = "An address that may tell of confirmed blocks by POST to /block/, a node's HTTP "
             "callback; may be given several times. By default 127.0.0.1 and ::1."},
    {.name = "block-secret",
     .kind = OPTION_TEXT,
     .argument = "TEXT",
     .help = "Lets everybody tell of confirmed blocks who knows it, by POST to /block/TEXT; 16 to "
             "128 characters of A-Z a-z 0-9 - and _.",
     .secret = true},
    {.name = NULL},
};

static bool read_listen(const struct options *options, const char *name,
                        struct listen_address *address, struct error *error)
{
    struct error reason;
    if (listen_address_parse(options_text(options, name), address, &reason))
        return true;
    return error_set(error, ERROR_INVALID, "--%s %s", name, reason.text);
}

static bool read_difficulty(const struct options *options, struct hub_options *hub,
                            struct error *error)
{
    const char *text = options_text(options, "base-difficulty");
    uint64_t maximum;
    if (text != NULL &&
        (!hex_u64_parse(slice_of(text), &hub->base_difficulty) || hub->base_difficulty == 0))
        return error_set(error, ERROR_INVALID,
                         "--base-difficulty must be 16 hexadecimal digits, not all of them 0");
    const uint64_t base = hub->base_difficulty != 0 ? hub->base_difficulty : hub->network->send;
    if (!difficulty_from_multiplier(hub->settings.max_multiplier, base, &maximum))
        return error_set(error, ERROR_INVALID,
                         "--max-multiplier: the base difficulty leaves no room for so much");
    return true;
}

static void read_node(const struct options *options, struct hub_options *hub)
{
    hub->precache = strcmp(options_text(options, "precache"), "on") == 0;
    hub->node_ws_url = options_text(options, "node-ws");
    hub->node_rpc_url = options_text(options, "node-rpc");
    hub->block_secret = options_text(options, "block-secret");
    hub->block_allow_count = options_list_count(options, "block-allow");
    for (size_t i = 0; i < hub->block_allow_count && i < HUB_BLOCK_ALLOW_MAX; i++)
        hub->block_allow[i] = options_list(options, "block-allow", i);
}

static bool read_tls(const struct options *options, struct hub_options *hub, struct error *error)
{
    hub->tls_certificate = options_text(options, "tls-cert");
    hub->tls_key = options_text(options, "tls-key");
    if (hub->tls_certificate != NULL && hub->tls_key == NULL)
        return error_set(error, ERROR_INVALID, "--tls-cert needs --tls-key too");
    if (hub->tls_certificate == NULL && hub->tls_key != NULL)
        return error_set(error, ERROR_INVALID, "--tls-key needs --tls-cert too");
    return true;
}

static bool read_limits(const struct options *options, struct broker_limits *limits,
                        struct error *error)
{
    const char *exempt = options_text(options, "exempt-addresses");
    struct address_list list;
    if (strlen(exempt) >= sizeof limits->exempt_addresses ||
        !address_list_parse(slice_of(exempt), &list))
        return error_set(error, ERROR_INVALID,
                         "--exempt-addresses must be at most %d IP addresses with commas between",
                         ADDRESS_LIST_MAX);
    (void)snprintf(limits->exempt_addresses, sizeof limits->exempt_addresses, "%s", exempt);
    limits->connections_per_address = (unsigned)options_u64(options, "connections-per-address");
    limits->messages_per_second = (unsigned)options_u64(options, "messages-per-second");
    return true;
}

static struct hub_settings read_settings(const struct options *options)
{
    return (struct hub_settings){
        .max_multiplier = options_number(options, "max-multiplier"),
        .clamp = options_flag(options, "clamp"),
    };
}

/* The base difficulty stays as it was at the start; a multiplier must have room above it still. */
static bool reread(void *context, struct hub_settings *settings, struct error *error)
{
    const struct invocation *invocation = context;
    struct hub_options hub = {.network =
                                  network_find(options_text(invocation->options, "network"))};
    struct options *options = command_reread(invocation, error);
    if (options == NULL)
        return false;
    hub.settings = read_settings(options);
    const bool good = read_difficulty(invocation->options, &hub, error);
    if (good)
        *settings = hub.settings;
    options_destroy(options);
    return good;
}

static bool read_options(const struct options *options, struct hub_options *hub,
                         struct error *error)
{
    hub->store_url = options_text(options, "store");
    hub->broker_url = options_text(options, "broker");
    hub->network = network_find(options_text(options, "network"));
    hub->settings = read_settings(options);
    read_node(options, hub);
    if (options_list_count(options, "block-allow") > HUB_BLOCK_ALLOW_MAX)
        return error_set(error, ERROR_INVALID, "--block-allow: at most %d can be given",
                         HUB_BLOCK_ALLOW_MAX);
    return read_listen(options, "listen", &hub->listen, error) && read_tls(options, hub, error) &&
           read_listen(options, "mqtt-listen", &hub->mqtt_listen, error) &&
           read_listen(options, "mqtt-ws-listen", &hub->mqtt_ws_listen, error) &&
           (options_text(options, "metrics-listen") == NULL ||
            read_listen(options, "metrics-listen", &hub->metrics_listen, error)) &&
           read_limits(options, &hub->broker_limits, error) && read_difficulty(options, hub, error);
}

static int run(const struct invocation *invocation)
{
    struct hub_options hub = {0};
    struct error error;
    char directory[DIRECTORY_SIZE];
    bool interrupted;
    if (!read_options(invocation->options, &hub, &error) ||
        !state_directory_find(options_text(invocation->options, "data-dir"), directory, &error))
        return command_misused(invocation, "%s", error.text);
    hub.data_directory = directory;
    hub.reread = reread;
    hub.reread_context = (void *)invocation;
    if (!hub_run(&hub, &invocation->log, &interrupted, &error))
        return command_fail(invocation, &error);
    return interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
}

const struct command command_hub = {
    .name = "hub",
    .summary = "Serve services and workers",
    .synopsis = "[OPTIONS]",
    .description =
        "Takes requests for work from services over HTTP and WebSocket, gets the work from workers "
        "over MQTT, and keeps the accounts of both. Unless --broker names one, it starts and "
        "supervises a Mosquitto broker of its own.\n"
        "When requests can be served, one line of JSON is printed on standard output with the "
        "addresses.",
    .examples = "dpow hub\n"
                "dpow hub --data-dir ./hub --listen 127.0.0.1:0 --mqtt-listen 127.0.0.1:0 "
                "--mqtt-ws-listen 127.0.0.1:0",
    .options = hub_options,
    .run = run,
};
