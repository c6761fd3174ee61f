/**
 * label: the name by which hub and plugin know a connection: its MQTT client id, made harmless.
 *
 * A client id of 1 to 64 characters of A-Z a-z 0-9 . _ - is its own label. Old workers choose ids
 * with other characters ("hbmqtt/`]m@..."), and anybody may choose worse: such an id is labelled
 * `~` and 32 hexadecimal digits of its BLAKE2b, which no other id can be labelled. No I/O.
 */
#ifndef DPOW_BROKER_LABEL_H
#define DPOW_BROKER_LABEL_H

#include "base/bytes.h"

enum { LABEL_MAX = 64, LABEL_KEY_SIZE = 32 };

/** Writes the label of a client id of any bytes, and a NUL. */
void label_make(struct slice id, char label[LABEL_MAX + 1]);

/** Whether a text is one that label_make() can have made. */
bool label_valid(struct slice text);

/** The key of a text for a table: its BLAKE2b. */
void label_key(struct slice text, uint8_t key[LABEL_KEY_SIZE]);

#endif
