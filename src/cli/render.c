#include "cli/render.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = JSON_MEMBERS_MAX, CELL_MAX = 4096 };

/* A text that grows; once memory is short it stays as it is. */
struct text {
    char *data;
    size_t length;
    size_t size;
    bool failed;
};

static void append(struct text *text, const char *data, size_t length)
{
    if (text->data == NULL || text->length + length + 1 > text->size) {
        const size_t size = 2 * (text->length + length + 1);
        char *grown = text->failed ? NULL : realloc(text->data, size);
        if (grown == NULL) {
            text->failed = true;
            return;
        }
        text->data = grown;
        text->size = size;
    }
    memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

static void append_text(struct text *text, const char *data)
{
    append(text, data, strlen(data));
}

/* How many characters a UTF-8 text shows, as most terminals have them. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void pad(struct text *text, const char *shown, size_t width)
{
    for (size_t i = width_of(shown); i < width; i++)
        append(text, " ", 1);
}

/* Each byte of a control character, of which some have two, and of what is no UTF-8. */
static void hide_controls(char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        const size_t bytes = utf8_length(text + i, length - i);
        if (bytes == 0 || utf8_is_control(text + i, bytes))
            memset(text + i, '?', bytes > 0 ? bytes : 1);
        i += bytes > 0 ? bytes : 1;
    }
}

/* One value in one line: a text without its quotes, "-" for null, all else as it stands. */
static void format_cell(struct json_value value, char cell[CELL_MAX])
{
    size_t length = 0;
    if (value.type == JSON_NULL || value.type == JSON_ABSENT)
        (void)snprintf(cell, CELL_MAX, "-");
    else if (value.type != JSON_STRING || !json_string(value, cell, CELL_MAX, &length))
        (void)snprintf(cell, CELL_MAX, "%.*s", (int)value.text.length, value.text.data);
    hide_controls(cell, length > 0 ? length : strlen(cell));
}

static void format_name(struct slice name, char text[64])
{
    (void)snprintf(text, 64, "%.*s", (int)name.length - 2, name.data + 1);
}

static void render_object(struct text *text, const struct json_object *object)
{
    char name[64];
    char cell[CELL_MAX];
    size_t width = 0;
    for (size_t i = 0; i < object->count; i++) {
        format_name(object->members[i].name, name);
        if (strlen(name) > width)
            width = strlen(name);
    }
    for (size_t i = 0; i < object->count; i++) {
        format_name(object->members[i].name, name);
        format_cell(object->members[i].value, cell);
        append_text(text, i > 0 ? "\n" : "");
        append_text(text, name);
        pad(text, name, width + 2);
        append_text(text, cell);
    }
}

/* A table's columns are the members of its rows, in the order in which they come first. */
struct table {
    struct text *text;
    size_t columns;
    size_t rows;
    struct {
        char name[64];
        size_t width;
    } column[COLUMNS_MAX];
};

static size_t find_column(struct table *table, const char *name)
{
    size_t i = 0;
    while (i < table->columns && strcmp(table->column[i].name, name) != 0)
        i++;
    if (i == table->columns && i < COLUMNS_MAX) {
        (void)snprintf(table->column[i].name, sizeof table->column[i].name, "%s", name);
        table->column[i].width = strlen(name);
        table->columns++;
    }
    return i;
}

static bool measure_row(void *context, struct json_value element)
{
    struct table *table = context;
    struct json_object object;
    char name[64];
    char cell[CELL_MAX];
    if (json_read_object(element.text, &object) != JSON_OK)
        return true;
    for (size_t i = 0; i < object.count; i++) {
        format_name(object.members[i].name, name);
        format_cell(object.members[i].value, cell);
        const size_t column = find_column(table, name);
        if (column < COLUMNS_MAX && width_of(cell) > table->column[column].width)
            table->column[column].width = width_of(cell);
    }
    return true;
}

static void end_cell(struct table *table, size_t column, const char *cell)
{
    append_text(table->text, cell);
    if (column + 1 < table->columns)
        pad(table->text, cell, table->column[column].width + 2);
}

static bool render_row(void *context, struct json_value element)
{
    struct table *table = context;
    struct json_object object;
    char cell[CELL_MAX];
    append_text(table->text, table->columns > 0 || table->rows > 0 ? "\n" : "");
    table->rows++;
    if (json_read_object(element.text, &object) != JSON_OK) {
        format_cell(element, cell);
        append_text(table->text, cell);
        return true;
    }
    for (size_t i = 0; i < table->columns; i++) {
        format_cell(json_find(&object, table->column[i].name), cell);
        end_cell(table, i, cell);
    }
    return true;
}

static void render_array(struct text *text, struct json_value array)
{
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        text->failed = true;
        return;
    }
    table->text = text;
    json_each_element(array, measure_row, table);
    if (slice_is(array.text, "[]"))
        append_text(text, "(none)");
    for (size_t i = 0; i < table->columns; i++)
        end_cell(table, i, table->column[i].name);
    json_each_element(array, render_row, table);
    free(table);
}

char *render_text(struct json_value json)
{
    struct text text = {0};
    struct json_object object;
    char cell[CELL_MAX];
    append_text(&text, "");
    if (json.type == JSON_ARRAY) {
        render_array(&text, json);
    } else if (json.type == JSON_OBJECT && json_read_object(json.text, &object) == JSON_OK) {
        render_object(&text, &object);
    } else {
        format_cell(json, cell);
        append_text(&text, cell);
    }
    if (!text.failed)
        return text.data;
    free(text.data);
    return NULL;
}
