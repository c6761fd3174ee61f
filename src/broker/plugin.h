/**
 * broker: the plugin of the hub's own Mosquitto, which says what a worker's connection may do.
 *
 * A part of its own, since Mosquitto and not the hub runs it: plugin.c puts Mosquitto's events to
 * the screen (screen.h), which decides without I/O; start there. address.h and label.h name who is
 * meant, bucket.h measures how much. The plugin is a shared object, built without sanitizers so
 * that Mosquitto can load it, and embedded in the program, which writes it out for its broker.
 *
 * This folder includes `base` and `nano`. The hub includes this header and label.h.
 */
#ifndef DPOW_BROKER_PLUGIN_H
#define DPOW_BROKER_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

/** The shared object, as it is to be written to a file. */
extern const char broker_plugin_image[];
extern const uint64_t broker_plugin_image_size;

/*
 * What plugin and hub say to each other; of all users only the hub's may read or write it:
 *
 *     hub/result/<type>  LABEL,HASH,work,account   plugin to hub: a result, and whose it is
 *     hub/broker         JSON                      plugin to hub, every 10 s: counters
 *     hub/ban            LABEL,seconds             hub to plugin: end that connection
 */
#define BROKER_RESULT_PREFIX "hub/"
#define BROKER_REPORT_TOPIC "hub/broker"
#define BROKER_BAN_TOPIC "hub/ban"

enum { BROKER_BAN_MAX_S = 7 * 24 * 3600 };

#endif
