/**
 * address: IP addresses as whom they belong to. No I/O.
 */
#ifndef DPOW_BROKER_ADDRESS_H
#define DPOW_BROKER_ADDRESS_H

#include "base/bytes.h"

enum { ADDRESS_SIZE = 16, ADDRESS_LIST_MAX = 16 };

/** An IPv6 address, or an IPv4 address mapped into IPv6 (::ffff:a.b.c.d). */
struct address {
    uint8_t bytes[ADDRESS_SIZE];
};

/** Addresses that are not limited: those of proxies, behind which many workers may be. */
struct address_list {
    struct address items[ADDRESS_LIST_MAX];
    size_t count;
};

/** Reads an IPv4 or IPv6 address in its usual text, at most 45 characters. */
bool address_parse(struct slice text, struct address *address);

/** Reads addresses with commas between; an empty text is an empty list. */
bool address_list_parse(struct slice text, struct address_list *list);

bool address_list_has(const struct address_list *list, const struct address *address);

/** The owner: an IPv4 address itself; of an IPv6 address the first 64 bits, the rest 0, because
 * whoever has one address has all of these. */
struct address address_owner(const struct address *address);

#endif
