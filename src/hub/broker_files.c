#include "hub/broker_files.h"

#include "base/random.h"
#include "broker/plugin.h"
#include "hub/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PLUGIN_NAME "dpow_broker.so"

/* Mosquitto's own form of a password: $7$iterations$salt$hash, PBKDF2 with SHA-512. */
enum { SALT_SIZE = 12, HASH_SIZE = 64, ITERATIONS = 101, LINE_SIZE = 192 };

/* dpow.md 2.2, and dispatch.md for what is below worker/: a client writes and reads below its own
 * MQTT client id only (%c). Patterns hold for every user, except where the user's own lines, which
 * are looked at first, deny. */
static const char access_list[] = "user dpowserver\n"
                                  "topic write heartbeat\n"
                                  "topic write statistics\n"
                                  "topic write work/precache\n"
                                  "topic write work/ondemand\n"
                                  "topic write cancel/precache\n"
                                  "topic write cancel/ondemand\n"
                                  "topic write client/+\n"
                                  "topic read result/precache\n"
                                  "topic read result/ondemand\n"
                                  "topic read hub/result/precache\n"
                                  "topic read hub/result/ondemand\n"
                                  "topic read hub/broker\n"
                                  "topic write hub/ban\n"
                                  "topic write worker/+/work\n"
                                  "topic write worker/+/cancel\n"
                                  "topic read worker/+/hello\n"
                                  "topic read worker/+/bye\n"
                                  "topic read worker/+/status\n"
                                  "\n"
                                  "user client\n"
                                  "topic write result/precache\n"
                                  "topic write result/ondemand\n"
                                  "topic read heartbeat\n"
                                  "topic read statistics\n"
                                  "topic read work/precache\n"
                                  "topic read work/ondemand\n"
                                  "topic read cancel/precache\n"
                                  "topic read cancel/ondemand\n"
                                  "topic read client/+\n"
                                  "\n"
                                  "user dpowinterface\n"
                                  "topic read heartbeat\n"
                                  "topic read statistics\n"
                                  "topic read work/precache\n"
                                  "topic read work/ondemand\n"
                                  "topic read cancel/precache\n"
                                  "topic read cancel/ondemand\n"
                                  "topic read client/+\n"
                                  "topic read result/precache\n"
                                  "topic read result/ondemand\n"
                                  "topic deny worker/#\n"
                                  "\n"
                                  "pattern write worker/%c/hello\n"
                                  "pattern write worker/%c/bye\n"
                                  "pattern write worker/%c/status\n"
                                  "pattern read worker/%c/work\n"
                                  "pattern read worker/%c/cancel\n";

static bool write_descriptor(int descriptor, struct slice bytes)
{
    while (bytes.length > 0) {
        const ssize_t written = write(descriptor, bytes.data, bytes.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes = (struct slice){bytes.data + written, bytes.length - (size_t)written};
    }
    return fsync(descriptor) == 0;
}

bool broker_file_write(const char *directory, const char *name, struct slice bytes,
                       struct error *error)
{
    char path[BROKER_PATH_SIZE];
    char temporary[BROKER_PATH_SIZE];
    const int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    const int longer = snprintf(temporary, sizeof temporary, "%s/.%s.new", directory, name);
    if (length < 0 || longer < 0 || (size_t)longer >= sizeof temporary)
        return error_set(error, ERROR_INVALID, "the broker's directory has too long a path");
    const int descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return error_set(error, ERROR_SYSTEM, "cannot write %.160s: %s", temporary,
                         strerror(errno));
    const bool written = write_descriptor(descriptor, bytes);
    const bool closed = close(descriptor) == 0;
    if (written && closed && rename(temporary, path) == 0)
        return true;
    (void)error_set(error, ERROR_SYSTEM, "cannot write %.160s: %s", path, strerror(errno));
    (void)unlink(temporary);
    return false;
}

static bool password_line(const char *user, const char *password, char line[LINE_SIZE])
{
    uint8_t salt[SALT_SIZE];
    uint8_t hash[HASH_SIZE];
    unsigned char salt_text[20];
    unsigned char hash_text[92];
    random_system(salt, sizeof salt);
    if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, sizeof salt, ITERATIONS,
                          EVP_sha512(), sizeof hash, hash) != 1)
        return false;
    (void)EVP_EncodeBlock(salt_text, salt, sizeof salt);
    (void)EVP_EncodeBlock(hash_text, hash, sizeof hash);
    (void)snprintf(line, LINE_SIZE, "%s:$7$%d$%s$%s\n", user, ITERATIONS, salt_text, hash_text);
    return true;
}

/* The dashboard's password lasts, because the operator copies it elsewhere. */
static bool dashboard_password(const char *directory, char password[BROKER_PASSWORD_SIZE],
                               struct error *error)
{
    char path[BROKER_PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/dashboard-password", directory);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        const bool read = fgets(password, BROKER_PASSWORD_SIZE, file) != NULL;
        (void)fclose(file);
        if (read && strlen(password) == BROKER_PASSWORD_SIZE - 1)
            return true;
    }
    credential_generate(password);
    return broker_file_write(directory, "dashboard-password", slice_of(password), error);
}

static bool write_passwords(const char *directory, const char *server_password, struct error *error)
{
    char dashboard[BROKER_PASSWORD_SIZE];
    char lines[3][LINE_SIZE];
    char text[3 * LINE_SIZE];
    if (!dashboard_password(directory, dashboard, error))
        return false;
    if (!password_line("dpowserver", server_password, lines[0]) ||
        !password_line("client", "client", lines[1]) ||
        !password_line("dpowinterface", dashboard, lines[2]))
        return error_set(error, ERROR_SYSTEM, "cannot hash the broker's passwords");
    (void)snprintf(text, sizeof text, "%s%s%s", lines[0], lines[1], lines[2]);
    return broker_file_write(directory, "passwords", slice_of(text), error);
}

/* Mosquitto's limits on size are for all users at once, so they leave room for the statistics.
 * Sessions are kept over restarts: the original's workers subscribe once in their life, and come
 * back to what the broker remembers (dpow.md 8.5). Nothing is queued for them, as all is QoS 0. */
static bool write_configuration(const char *directory, const struct broker_endpoints *endpoints,
                                const struct broker_limits *limits, struct error *error)
{
    char text[7 * BROKER_PATH_SIZE];
    const char *exempt = limits->exempt_addresses;
    const struct passwd *self = getpwuid(geteuid());
    (void)snprintf(text, sizeof text,
                   "listener %u %s\n"
                   "protocol mqtt\n"
                   "max_connections 16384\n"
                   "listener %u %s\n"
                   "protocol websockets\n"
                   "max_connections 16384\n"
                   "allow_anonymous false\n"
                   "password_file %s/passwords\n"
                   "acl_file %s/acl\n"
                   "plugin %s/" PLUGIN_NAME "\n"
                   "plugin_opt_max_connections_per_address %u\n"
                   "%s%s%s"
                   "persistence true\n"
                   "persistence_location %s/\n"
                   "autosave_interval 60\n"
                   "retain_available false\n"
                   "max_packet_size 262144\n"
                   "max_inflight_messages 20\n"
                   "max_queued_messages 1000\n"
                   "persistent_client_expiration 1h\n"
                   "sys_interval 0\n"
                   "set_tcp_nodelay true\n"
                   "connection_messages false\n"
                   "log_dest stderr\n"
                   "log_timestamp false\n"
                   "log_type error\n"
                   "log_type warning\n"
                   "%s%s\n",
                   endpoints->mqtt.port, endpoints->mqtt.host, endpoints->websocket.port,
                   endpoints->websocket.host, directory, directory, directory,
                   limits->connections_per_address,
                   exempt[0] != '\0' ? "plugin_opt_exempt_addresses " : "", exempt,
                   exempt[0] != '\0' ? "\n" : "", directory, self != NULL ? "user " : "",
                   self != NULL ? self->pw_name : "");
    return broker_file_write(directory, "mosquitto.conf", slice_of(text), error);
}

static bool write_plugin(const char *directory, struct error *error)
{
    const struct slice image = {broker_plugin_image, broker_plugin_image_size};
    return broker_file_write(directory, PLUGIN_NAME, image, error);
}

bool broker_files_write(const char *directory, const struct broker_endpoints *endpoints,
                        const struct broker_limits *limits, const char *server_password,
                        struct error *error)
{
    return write_plugin(directory, error) && write_passwords(directory, server_password, error) &&
           broker_file_write(directory, "acl", slice_of(access_list), error) &&
           write_configuration(directory, endpoints, limits, error);
}
