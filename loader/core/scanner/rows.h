/* One line → a row of its table, or nothing at all: whatever is refused is taken back, for Python to look at. */
#ifndef SCANNER_ROWS_H
#define SCANNER_ROWS_H

#include "columns.h"

typedef struct {
    Column *column;
    size_t size; /* of its values before this line */
} Touched;

/* What reading a line needs. `failed`: there is no memory, so that a refusal is none. */
typedef struct {
    Place limit; /* end of what may be read */
    uint64_t turn;
    int max_depth, failed;
    Table *table;
    Touched *touched;
    size_t touched_count, touched_room;
    Buffer scratch;
} Reading;

static Column *touched(Reading *reading, Node *node, enum Kind kind)
{
    if (reading->touched_count == reading->touched_room) {
        size_t room = reading->touched_room ? reading->touched_room * 2 : 256;
        Touched *more = PyMem_RawRealloc(reading->touched, room * sizeof *more);
        if (!more) {
            reading->failed = 1;
            return NULL;
        }
        reading->touched = more;
        reading->touched_room = room;
    }
    Column *column = column_at(reading->table, node, kind);
    if (!column) {
        reading->failed = 1;
        return NULL;
    }
    reading->touched[reading->touched_count++] = (Touched){column, column->values.size};
    return column;
}

static void taken_back(Reading *reading)
{
    while (reading->touched_count) {
        Touched *last = &reading->touched[--reading->touched_count];
        withdrawn(reading->table, last->column, last->size);
    }
}

static int text_taken(Reading *reading, Node *node, enum Kind kind, const void *text, size_t size)
{
    Column *column = touched(reading, node, kind);
    if (!column)
        return 0;
    if (!text_added(reading->table, column, text, size))
        reading->failed = 1;
    return !reading->failed;
}

/* Text of a valid string, in the scratch buffer if it has escapes. */
static Place plain(Reading *reading, Place text, Place end, int escaped, size_t *size)
{
    *size = (size_t)(end - text);
    if (!escaped)
        return text;
    reading->scratch.size = 0;
    if (!grown(&reading->scratch, *size + 1, 0)) {
        reading->failed = 1;
        return NULL;
    }
    *size = unescaped(text, end, reading->scratch.bytes);
    return reading->scratch.bytes;
}

static Place string_taken(Reading *reading, Node *node, Place at)
{
    int escaped;
    size_t size;
    Place end = string_end(at + 1, reading->limit, &escaped);
    if (!end)
        return NULL;
    Place text = plain(reading, at + 1, end, escaped, &size);
    return text && text_taken(reading, node, STRING, text, size) ? end + 1 : NULL;
}

static Place number_taken(Reading *reading, Node *node, Place at)
{
    int whole;
    Place end = number_end(at, &whole);
    if (!end)
        return NULL;
    union {
        int64_t integer;
        double number;
    } value;
    if (whole ? !integer(at, end, &value.integer) : !number(at, end, &value.number))
        return NULL;
    Column *column = touched(reading, node, whole ? INTEGER : DOUBLE);
    if (!column)
        return NULL;
    memcpy(column->values.bytes + 8 * (column->rows - 1), &value, 8);
    return end;
}

static Place boolean_taken(Reading *reading, Node *node, Place at)
{
    Place end = word_end(at, *at == 't' ? "true" : "false");
    Column *column = end ? touched(reading, node, BOOLEAN) : NULL;
    if (!column)
        return NULL;
    int64_t row = column->rows - 1;
    if (*at == 't')
        column->values.bytes[row >> 3] |= (uint8_t)(1 << (row & 7));
    return end;
}

static Place json_taken(Reading *reading, Node *node, Place at)
{
    Place end = value_end(at, reading->limit, node->level);
    return end && text_taken(reading, node, JSON, at, (size_t)(end - at)) ? end : NULL;
}

static Place object_taken(Reading *reading, Node *node, Place at);

static Place value_taken(Reading *reading, Node *node, Place at)
{
    switch (*at) {
    case '"':
        return string_taken(reading, node, at);
    case 'n':
        return word_end(at, "null");
    case 't':
    case 'f':
        return boolean_taken(reading, node, at);
    case '[':
        return json_taken(reading, node, at);
    case '{':
        return object_taken(reading, node, at);
    default:
        return number_taken(reading, node, at);
    }
}

/* Take what is in an object; one deeper than the limit is JSON text. A key that comes twice is refused. */
static Place object_taken(Reading *reading, Node *node, Place at)
{
    Place start = at;
    uint32_t next = 0;
    at = after_space(at + 1);
    if (*at == '}')
        return at + 1;
    if (node->level > reading->max_depth)
        return json_taken(reading, node, start);
    for (;;) {
        int escaped;
        size_t size;
        if (*at != '"')
            return NULL;
        Place end = string_end(at + 1, reading->limit, &escaped);
        Place key = end ? plain(reading, at + 1, end, escaped, &size) : NULL;
        if (!key)
            return NULL;
        Node *below = child(reading->table, node, key, size, &next);
        if (!below) {
            reading->failed = 1;
            return NULL;
        }
        if (below->turn == reading->turn)
            return NULL;
        below->turn = reading->turn;
        at = after_space(end + 1);
        if (*at != ':' || !(at = value_taken(reading, below, after_space(at + 1))))
            return NULL;
        at = after_space(at);
        if (*at == '}')
            return at + 1;
        if (*at != ',')
            return NULL;
        at = after_space(at + 1);
    }
}

#endif
