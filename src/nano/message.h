/**
 * message: the MQTT topics and payloads that hub and workers exchange (dpow.md 2.1).
 */
#ifndef DPOW_NANO_MESSAGE_H
#define DPOW_NANO_MESSAGE_H

#include "nano/account.h"
#include "nano/work.h"

/** What a work is asked for: ahead of need, or because somebody waits. Index of pairs of counters. */
enum work_type { WORK_PRECACHE, WORK_ONDEMAND, WORK_TYPES };

#endif
