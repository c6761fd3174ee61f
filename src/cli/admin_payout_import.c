#include "cli/payout_book.h"

#include "base/hex.h"

#include <stdio.h>
#include <stdlib.h>

/* A payment as the file has it. */
struct entry {
    struct payout_item *item;
    char block[BLOCK_TEXT_SIZE];
};

struct import {
    struct payout_book book;
    char *text; /* The file's. */
    struct entry *entries;
    size_t count;
    size_t room;
    struct error *error;
    bool failed;
};

static int compare_item(const void *key, const void *element)
{
    const struct payout_item *item = element;
    return memcmp(key, item->account.key, sizeof item->account.key);
}

static struct payout_item *find_item(const struct import *import, struct json_value name)
{
    char text[ACCOUNT_TEXT_SIZE + 2];
    struct account account;
    size_t length;
    if (!json_string(name, text, sizeof text, &length) ||
        account_parse((struct slice){text, length}, &account) != ACCOUNT_OK)
        return NULL;
    return bsearch(&account, import->book.items, import->book.count, sizeof *import->book.items,
                   compare_item);
}

/* Raw, as a text or as a number. */
static bool read_amount(struct json_value value, u128 *amount)
{
    char text[U128_DECIMAL_MAX + 2];
    size_t length;
    if (value.type == JSON_NUMBER)
        return u128_parse(value.text, amount);
    return json_string(value, text, sizeof text, &length) &&
           u128_parse((struct slice){text, length}, amount);
}

static bool read_block(struct json_value value, char block[BLOCK_TEXT_SIZE])
{
    static const uint8_t zeros[32];
    char text[BLOCK_TEXT_SIZE + 1];
    uint8_t hash[32];
    size_t length;
    if (!json_string(value, text, sizeof text, &length) ||
        !hex_decode((struct slice){text, length}, hash, sizeof hash) ||
        memcmp(hash, zeros, sizeof hash) == 0)
        return false;
    hex_encode_upper(hash, sizeof hash, block);
    return true;
}

/* What is wrong with an entry; NULL if nothing is. An entry without a block is not sent yet. */
static const char *read_entry(const struct import *import, struct json_value name,
                              struct json_value value, struct entry *entry)
{
    struct json_object object;
    u128 amount;
    entry->item = find_item(import, name);
    if (entry->item == NULL)
        return "is no account of this payout";
    if (value.type != JSON_OBJECT || json_read_object(value.text, &object) != JSON_OK)
        return "has no object with amount and block";
    if (!read_amount(json_find(&object, "amount"), &amount) || amount != entry->item->amount)
        return "has another amount than the payout";
    const struct json_value block = json_find(&object, "block");
    entry->block[0] = '\0';
    if (block.type == JSON_ABSENT || block.type == JSON_NULL)
        return NULL;
    if (!read_block(block, entry->block))
        return "has a block that is not 64 hexadecimal digits";
    if (entry->item->block[0] != '\0' && strcmp(entry->item->block, entry->block) != 0)
        return "is paid already, by another block";
    return NULL;
}

static bool add_entry(void *context, struct json_value name, struct json_value value)
{
    struct import *import = context;
    if (import->count == import->room) {
        const size_t room = 2 * import->room + 64;
        struct entry *entries = realloc(import->entries, room * sizeof *entries);
        if (entries == NULL) {
            import->failed = true;
            return error_set(import->error, ERROR_MEMORY, "no memory for the file");
        }
        import->entries = entries;
        import->room = room;
    }
    struct entry *entry = &import->entries[import->count];
    const char *wrong = read_entry(import, name, value, entry);
    if (wrong != NULL) {
        import->failed = true;
        return error_set(import->error, ERROR_INVALID, "%.*s %s: nothing is imported",
                         name.text.length < 80 ? (int)name.text.length : 80, name.text.data, wrong);
    }
    import->count += entry->block[0] != '\0' ? 1 : 0;
    return true;
}

/* The whole file is checked before anything is written. */
static bool read_entries(const struct invocation *invocation, struct import *import)
{
    struct error *error = import->error;
    if (!payout_book_read(invocation, invocation->arguments[0], &import->book, error) ||
        !payout_file_read(invocation->arguments[1], &import->text, error))
        return false;
    if (import->book.cancelled)
        return error_set(error, ERROR_INVALID, "payout %s is cancelled", import->book.id);
    json_each_member(slice_of(import->text), add_entry, import);
    return !import->failed;
}

static bool write_entries(const struct invocation *invocation, struct import *import,
                          size_t *imported)
{
    for (size_t i = 0; i < import->count; i++) {
        const struct entry *entry = &import->entries[i];
        if (entry->item->state != PAYOUT_PLANNED && strcmp(entry->item->block, entry->block) == 0)
            continue;
        if (!payout_sent(invocation, &import->book, entry->item, entry->block, import->error))
            return false;
        ++*imported;
    }
    return true;
}

static int run(const struct invocation *invocation)
{
    struct error error;
    struct import import = {.error = &error};
    size_t imported = 0;
    char text[64];
    int status;
    if (read_entries(invocation, &import) && write_entries(invocation, &import, &imported)) {
        (void)snprintf(text, sizeof text, "{\"id\":%s,\"imported\":%zu}", import.book.id, imported);
        status = admin_print(invocation, (struct json_value){JSON_OBJECT, slice_of(text)});
    } else {
        status = command_fail(invocation, &error);
    }
    payout_book_free(&import.book);
    free(import.entries);
    free(import.text);
    return status;
}

const struct command command_payout_import = {
    .name = "payout import",
    .summary = "Note what another wallet has sent",
    .synopsis = "ID FILE [OPTIONS]",
    .description =
        "Reads one JSON object: for each account its block and its amount in raw, as the "
        "original's "
        "payout_finished_info.json has it, or payout export with \"block\" added. The amounts must "
        "be those of the payout; accounts without a block are not sent yet.",
    .examples = "dpow admin payout import 3 payout_finished_info.json",
    .arguments_min = 2,
    .arguments_max = 2,
    .run = run,
};
