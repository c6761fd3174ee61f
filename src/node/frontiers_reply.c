#include "node/frontiers_reply.h"

#include "base/json.h"

enum { TEXT_SIZE = 160 };

size_t frontiers_write(const struct frontier_question *questions, size_t count,
                       char body[FRONTIERS_BODY_SIZE])
{
    struct json_writer writer;
    json_writer_init(&writer, body, FRONTIERS_BODY_SIZE);
    json_begin_object(&writer);
    json_key(&writer, "action");
    json_write_text(&writer, "accounts_frontiers");
    json_key(&writer, "accounts");
    json_begin_array(&writer);
    for (size_t i = 0; i < count; i++) {
        char text[ACCOUNT_TEXT_SIZE];
        account_format(&questions[i].account, text);
        json_write_text(&writer, text);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    return writer.length;
}

/* The question that a member's name is about; a node may write an account in its older form. */
static struct frontier_question *find_question(struct slice name,
                                               struct frontier_question *questions, size_t count)
{
    struct account account;
    const struct slice bare = {name.data + 1, name.length - 2};
    if (account_parse(bare, &account) != ACCOUNT_OK)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (memcmp(questions[i].account.key, account.key, sizeof account.key) == 0)
            return &questions[i];
    return NULL;
}

static void read_member(struct json_value value, struct frontier_question *question)
{
    static const char not_found[] = "Account not found";
    static const char old_prefix[] = "error: ";
    char data[TEXT_SIZE];
    struct slice text = {data, 0};
    if (!json_string(value, data, sizeof data, &text.length))
        return;
    if (root_parse(text, &question->frontier)) {
        question->answer = FRONTIER_KNOWN;
        return;
    }
    const size_t prefix = sizeof old_prefix - 1;
    if (text.length > prefix && memcmp(text.data, old_prefix, prefix) == 0)
        text = (struct slice){text.data + prefix, text.length - prefix};
    if (slice_is(text, not_found))
        question->answer = FRONTIER_UNOPENED;
}

/* An object of accounts; an empty one may come as "" or not at all. */
static bool read_members(struct json_value value, struct frontier_question *questions, size_t count)
{
    struct json_object object;
    if (value.type == JSON_ABSENT || slice_is(value.text, "\"\""))
        return true;
    if (json_read_object(value.text, &object) != JSON_OK)
        return false;
    for (size_t i = 0; i < object.count; i++) {
        struct frontier_question *question =
            find_question(object.members[i].name, questions, count);
        if (question != NULL)
            read_member(object.members[i].value, question);
    }
    return true;
}

const char *frontiers_read(struct slice body, struct frontier_question *questions, size_t count)
{
    struct json_object object;
    for (size_t i = 0; i < count; i++)
        questions[i].answer = FRONTIER_UNKNOWN;
    if (json_read_object(body, &object) != JSON_OK)
        return "the answer is not a JSON object";
    const struct json_value frontiers = json_find(&object, "frontiers");
    const struct json_value errors = json_find(&object, "errors");
    if (json_find(&object, "error").type != JSON_ABSENT)
        return "the node answers with an error";
    if (frontiers.type == JSON_ABSENT && errors.type == JSON_ABSENT)
        return "the answer has no frontiers";
    if (!read_members(errors, questions, count) || !read_members(frontiers, questions, count))
        return "the answer's frontiers are not an object";
    return NULL;
}
