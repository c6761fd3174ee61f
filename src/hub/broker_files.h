/**
 * broker_files: what Mosquitto reads: its configuration, who may log in, who may do what.
 */
#ifndef DPOW_HUB_BROKER_FILES_H
#define DPOW_HUB_BROKER_FILES_H

#include "hub/broker.h"

enum { BROKER_PATH_SIZE = 1024 };

/** Replaces a file: all of it or nothing, also after a crash; mode 0600. */
bool broker_file_write(const char *directory, const char *name, struct slice bytes,
                       struct error *error);

/**
 * Writes `mosquitto.conf`, `acl`, `passwords` and the plugin, `dpow_broker.so`. Users
 * (dpow.md 2.2): `dpowserver` with the given password; `client`, whose password is `client` on
 * purpose; and `dpowinterface`, for dashboards, whose random password is kept in
 * `dashboard-password` for the operator.
 */
bool broker_files_write(const char *directory, const struct broker_endpoints *endpoints,
                        const struct broker_limits *limits, const char *server_password,
                        struct error *error);

#endif
