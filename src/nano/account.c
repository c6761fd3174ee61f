#include "nano/account.h"

#include "nano/blake2b.h"

enum { KEY_CHARACTERS = 52, CHECKSUM_CHARACTERS = 8, BODY = KEY_CHARACTERS + CHECKSUM_CHARACTERS };

static const char alphabet[] = "13456789abcdefghijkmnopqrstuwxyz";

static int character_value(char character)
{
    if (character == '\0')
        return -1;
    const char *found = strchr(alphabet, character);
    return found != NULL ? (int)(found - alphabet) : -1;
}

static size_t prefix_length(struct slice text)
{
    if (text.length >= 5 && memcmp(text.data, "nano_", 5) == 0)
        return 5;
    if (text.length >= 4 && memcmp(text.data, "xrb_", 4) == 0)
        return 4;
    return 0;
}

static enum account_fault check_characters(const char *body)
{
    for (int i = 0; i < BODY; i++) {
        if (body[i] >= 'A' && body[i] <= 'Z')
            return ACCOUNT_UPPER_CASE;
        if (character_value(body[i]) < 0)
            return ACCOUNT_CHARACTER;
        if (i == 0 && body[0] != '1' && body[0] != '3')
            return ACCOUNT_FIRST;
    }
    return ACCOUNT_OK;
}

/* Characters of 5 bits each, most significant first, into bytes; the first `padding` bits, which
 * are zero, are left out. */
static void decode(const char *characters, int count, int padding, uint8_t *bytes)
{
    unsigned bits = 0;
    int held = -padding;
    for (int i = 0; i < count; i++) {
        bits = (bits << 5 | (unsigned)character_value(characters[i])) & 0xfff;
        held += 5;
        if (held >= 8) {
            held -= 8;
            *bytes++ = (uint8_t)(bits >> held);
        }
    }
}

static void encode(const uint8_t *bytes, int count, int padding, char *characters)
{
    unsigned bits = 0;
    int held = padding;
    for (int i = 0; i < count; i++) {
        bits = bits << 8 | bytes[i];
        held += 8;
        while (held >= 5) {
            held -= 5;
            *characters++ = alphabet[bits >> held & 31];
        }
        bits &= 31;
    }
}

/* The digest's bytes reversed. */
static void checksum(const uint8_t key[32], uint8_t reversed[5])
{
    uint8_t digest[5];
    blake2b(key, 32, digest, sizeof digest);
    for (int i = 0; i < 5; i++)
        reversed[i] = digest[4 - i];
}

enum account_fault account_parse(struct slice text, struct account *account)
{
    const size_t prefix = prefix_length(text);
    if (text.length == 0)
        return ACCOUNT_EMPTY;
    if (prefix == 0)
        return ACCOUNT_PREFIX;
    if (text.length - prefix < BODY)
        return ACCOUNT_SHORT;
    if (text.length - prefix > BODY)
        return ACCOUNT_LONG;
    const char *body = text.data + prefix;
    const enum account_fault fault = check_characters(body);
    if (fault != ACCOUNT_OK)
        return fault;
    struct account read;
    uint8_t given[5];
    uint8_t expected[5];
    decode(body, KEY_CHARACTERS, 4, read.key);
    decode(body + KEY_CHARACTERS, CHECKSUM_CHARACTERS, 0, given);
    checksum(read.key, expected);
    if (memcmp(given, expected, sizeof given) != 0)
        return ACCOUNT_CHECKSUM;
    *account = read;
    return ACCOUNT_OK;
}

void account_format(const struct account *account, char text[ACCOUNT_TEXT_SIZE])
{
    uint8_t sum[5];
    checksum(account->key, sum);
    memcpy(text, "nano_", 5);
    encode(account->key, 32, 4, text + 5);
    encode(sum, 5, 0, text + 5 + KEY_CHARACTERS);
    text[ACCOUNT_TEXT_SIZE - 1] = '\0';
}

const char *account_fault_text(enum account_fault fault)
{
    switch (fault) {
    case ACCOUNT_OK:
        return "it is right";
    case ACCOUNT_EMPTY:
        return "it is empty";
    case ACCOUNT_PREFIX:
        return "it must begin with nano_ (or xrb_)";
    case ACCOUNT_SHORT:
        return "it is too short: 60 characters must follow the prefix";
    case ACCOUNT_LONG:
        return "it is too long: 60 characters must follow the prefix";
    case ACCOUNT_UPPER_CASE:
        return "it has a capital letter: accounts are written in lower case";
    case ACCOUNT_CHARACTER:
        return "it has a character that no account has (0, 2, l, v, white space or a sign)";
    case ACCOUNT_FIRST:
        return "the first character after the prefix must be 1 or 3";
    case ACCOUNT_CHECKSUM:
        return "the checksum does not fit: a character is wrong or two are swapped";
    }
    return "it is wrong";
}
