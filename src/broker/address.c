#include "broker/address.h"

#include <arpa/inet.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool address_parse(struct slice text, struct address *address)
{
    char copy[INET6_ADDRSTRLEN];
    struct address read;
    if (text.length == 0 || text.length >= sizeof copy ||
        memchr(text.data, '\0', text.length) != NULL)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    memcpy(read.bytes, mapped, sizeof mapped);
    if (inet_pton(AF_INET, copy, read.bytes + sizeof mapped) != 1 &&
        inet_pton(AF_INET6, copy, read.bytes) != 1)
        return false;
    *address = read;
    return true;
}

bool address_list_parse(struct slice text, struct address_list *list)
{
    struct address_list read = {.count = 0};
    while (text.length > 0) {
        const char *comma = memchr(text.data, ',', text.length);
        const size_t length = comma != NULL ? (size_t)(comma - text.data) : text.length;
        if (read.count == ADDRESS_LIST_MAX ||
            !address_parse((struct slice){text.data, length}, &read.items[read.count]))
            return false;
        read.count++;
        if (comma == NULL)
            break;
        text = (struct slice){comma + 1, text.length - length - 1};
        if (text.length == 0)
            return false;
    }
    *list = read;
    return true;
}

bool address_list_has(const struct address_list *list, const struct address *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(list->items[i].bytes, address->bytes, ADDRESS_SIZE) == 0)
            return true;
    return false;
}

struct address address_owner(const struct address *address)
{
    struct address owner = *address;
    if (memcmp(address->bytes, mapped, sizeof mapped) != 0)
        memset(owner.bytes + 8, 0, ADDRESS_SIZE - 8);
    return owner;
}
