#include "broker/label.h"

#include "base/hex.h"
#include "nano/blake2b.h"

enum { DIGEST_SIZE = 16 };

static bool all_plain(struct slice text)
{
    if (text.length == 0 || text.length > LABEL_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.data[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

void label_make(struct slice id, char label[LABEL_MAX + 1])
{
    uint8_t digest[DIGEST_SIZE];
    if (all_plain(id)) {
        memcpy(label, id.data, id.length);
        label[id.length] = '\0';
        return;
    }
    blake2b(id.data, id.length, digest, sizeof digest);
    label[0] = '~';
    hex_encode_upper(digest, sizeof digest, label + 1);
}

bool label_valid(struct slice text)
{
    uint8_t digest[DIGEST_SIZE];
    if (text.length > 0 && text.data[0] == '~')
        return hex_decode((struct slice){text.data + 1, text.length - 1}, digest, sizeof digest);
    return all_plain(text);
}

void label_key(struct slice text, uint8_t key[LABEL_KEY_SIZE])
{
    blake2b(text.data, text.length, key, LABEL_KEY_SIZE);
}
