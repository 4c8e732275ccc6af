/* The rows of one table while they gather: a tree of keys, and at each leaf a column per kind of value.
 *
 * Columns have Arrow's layout (arrow.apache.org/docs/format/Columnar.html), so they are handed over without a copy.
 * A column is as long as the last row that has a value; it is filled up when it is taken. */
#ifndef SCANNER_COLUMNS_H
#define SCANNER_COLUMNS_H

#include "json.h"

enum Kind { BOOLEAN, INTEGER, DOUBLE, STRING, JSON, KINDS };
static const char *const kind_names[KINDS] = {"boolean", "integer", "double", "string", "json"};

typedef struct {
    uint8_t *bytes;
    size_t size, room;
} Buffer;

typedef struct {
    enum Kind kind;
    Buffer valid, values, offsets; /* offsets of strings and JSON text only */
    int64_t rows, count;           /* how far it goes, and how many are no nulls */
} Column;

typedef struct Node {
    struct Node *parent;
    uint8_t *key;
    size_t key_size;
    uint64_t hash;
    int level;     /* how many keys lead here */
    uint64_t turn; /* the line that had this key last */
    struct Node **children;
    uint32_t *index; /* hash table of positions in children, from 1; 0 is free */
    uint32_t count, room, index_room;
    Column *columns[KINDS];
    PyObject *path; /* tuple of strings, made when it is first needed */
} Node;

typedef struct {
    Node *root;
    Buffer keys, hashes; /* of the rows */
    int64_t rows, columns; /* columns that have a value */
    size_t bytes, nodes;
} Table;

/* More room for a buffer, as zeros. 0 where there is no memory. */
static int roomier(Buffer *buffer, size_t size, int zeroed)
{
    size_t room = buffer->room ? buffer->room : 16; /* with thousands of tables most columns have few values */
    while (room < size)
        room *= 2;
    uint8_t *bytes = PyMem_RawRealloc(buffer->bytes, room);
    if (!bytes)
        return 0;
    if (zeroed)
        memset(bytes + buffer->room, 0, room - buffer->room);
    buffer->bytes = bytes;
    buffer->room = room;
    return 1;
}

/* Make a buffer `size` bytes long; new ones are zero where it is always made longer with `zeroed`. */
static inline int grown(Buffer *buffer, size_t size, int zeroed)
{
    if (size > buffer->room && !roomier(buffer, size, zeroed))
        return 0;
    buffer->size = size;
    return 1;
}

static inline int added(Buffer *buffer, const void *bytes, size_t size)
{
    size_t start = buffer->size;
    if (!grown(buffer, start + size, 0))
        return 0;
    if (size) /* a buffer that never held a byte has no place */
        memcpy(buffer->bytes + start, bytes, size);
    return 1;
}

static void freed(Buffer *buffer)
{
    PyMem_RawFree(buffer->bytes);
    memset(buffer, 0, sizeof *buffer);
}

static uint64_t key_hash(Place key, size_t size)
{
    uint64_t hash = 0xCBF29CE484222325ULL ^ size; /* FNV-1a: keys are short */
    for (size_t index = 0; index < size; index++)
        hash = (hash ^ key[index]) * 0x100000001B3ULL;
    return hash ^ hash >> 32;
}

static inline int same(Place one, Place other, size_t size)
{
    for (; size >= 8; size -= 8, one += 8, other += 8)
        if (memcmp(one, other, 8))
            return 0;
    while (size--)
        if (one[size] != other[size])
            return 0;
    return 1;
}

static inline int is_key(const Node *node, Place key, size_t size)
{
    return node->key_size == size && same(node->key, key, size);
}

static int indexed(Node *node, uint32_t position)
{
    uint32_t mask = node->index_room - 1, slot = (uint32_t)node->children[position]->hash & mask;
    while (node->index[slot])
        slot = (slot + 1) & mask;
    node->index[slot] = position + 1;
    return 1;
}

static int index_grown(Node *node)
{
    uint32_t room = node->index_room ? node->index_room * 4 : 16;
    uint32_t *index = PyMem_RawCalloc(room, sizeof *index);
    if (!index)
        return 0;
    PyMem_RawFree(node->index);
    node->index = index;
    node->index_room = room;
    for (uint32_t position = 0; position < node->count; position++)
        indexed(node, position);
    return 1;
}

static Node *new_node(Node *parent, Place key, size_t size)
{
    Node *node = PyMem_RawCalloc(1, sizeof *node + size + 1);
    if (!node)
        return NULL;
    node->parent = parent;
    node->level = parent ? parent->level + 1 : 0;
    node->key = (uint8_t *)(node + 1);
    node->key_size = size;
    memcpy(node->key, key, size);
    node->hash = key_hash(key, size);
    return node;
}

/* The child with a key, made if there is none; `next`, where it is expected, becomes the place behind it.
 * NULL where there is no memory. */
static Node *child(Table *table, Node *node, Place key, size_t size, uint32_t *next)
{
    if (*next < node->count && is_key(node->children[*next], key, size))
        return node->children[(*next)++];
    if (node->index_room) {
        uint64_t hash = key_hash(key, size);
        uint32_t mask = node->index_room - 1;
        for (uint32_t slot = (uint32_t)hash & mask; node->index[slot]; slot = (slot + 1) & mask) {
            Node *found = node->children[node->index[slot] - 1];
            if (found->hash == hash && is_key(found, key, size)) {
                *next = node->index[slot];
                return found;
            }
        }
    }
    if (node->count == node->room) {
        uint32_t room = node->room ? node->room * 2 : 4;
        Node **children = PyMem_RawRealloc(node->children, room * sizeof *children);
        if (!children)
            return NULL;
        node->children = children;
        node->room = room;
    }
    if ((node->count + 1) * 2 > node->index_room && !index_grown(node))
        return NULL;
    Node *made = new_node(node, key, size);
    if (!made)
        return NULL;
    node->children[node->count] = made;
    indexed(node, node->count++);
    *next = node->count;
    table->nodes++;
    return made;
}

static void node_freed(Node *node)
{
    for (uint32_t position = 0; position < node->count; position++)
        node_freed(node->children[position]);
    for (int kind = 0; kind < KINDS; kind++)
        if (node->columns[kind]) {
            freed(&node->columns[kind]->valid);
            freed(&node->columns[kind]->values);
            freed(&node->columns[kind]->offsets);
            PyMem_RawFree(node->columns[kind]);
        }
    Py_XDECREF(node->path);
    PyMem_RawFree(node->children);
    PyMem_RawFree(node->index);
    PyMem_RawFree(node);
}

static inline int is_text(enum Kind kind) { return kind == STRING || kind == JSON; }

/* Make a column at least `rows` long, the new ones null. It has one more after a line that was taken back. */
static inline int padded(Table *table, Column *column, int64_t rows)
{
    if (rows <= column->rows)
        return 1;
    size_t length = (size_t)rows, more = length - (size_t)column->rows;
    if (!grown(&column->valid, (length + 7) / 8, 1))
        return 0;
    if (is_text(column->kind)) {
        int32_t end = (int32_t)column->values.size;
        if (!grown(&column->offsets, (length + 1) * 4, 1))
            return 0;
        for (size_t row = length - more + 1; row <= length; row++)
            ((int32_t *)column->offsets.bytes)[row] = end;
        table->bytes += more * 4;
    } else if (column->kind == BOOLEAN) {
        if (!grown(&column->values, (length + 7) / 8, 1))
            return 0;
    } else {
        if (!grown(&column->values, length * 8, 0))
            return 0;
        memset(column->values.bytes + (length - more) * 8, 0, more * 8);
        table->bytes += more * 8;
    }
    column->rows = rows;
    return 1;
}

/* The column of a kind at a node, with room for the table's present row, which is set to be no null. */
static Column *column_at(Table *table, Node *node, enum Kind kind)
{
    Column *column = node->columns[kind];
    if (!column) {
        column = node->columns[kind] = PyMem_RawCalloc(1, sizeof *column);
        if (!column)
            return NULL;
        column->kind = kind;
    }
    int64_t row = table->rows;
    if (!padded(table, column, row + 1))
        return NULL;
    column->valid.bytes[row >> 3] |= (uint8_t)(1 << (row & 7));
    table->columns += !column->count++;
    return column;
}

/* Take back the value of the present row, which is not to be one; `size`: of the values before it. */
static void withdrawn(Table *table, Column *column, size_t size)
{
    int64_t row = table->rows;
    column->valid.bytes[row >> 3] &= (uint8_t)~(1 << (row & 7));
    if (column->kind == BOOLEAN)
        column->values.bytes[row >> 3] &= (uint8_t)~(1 << (row & 7));
    if (is_text(column->kind)) {
        column->values.size = size;
        ((int32_t *)column->offsets.bytes)[row + 1] = (int32_t)size;
    }
    table->columns -= !--column->count;
}

static int text_added(Table *table, Column *column, const void *text, size_t size)
{
    table->bytes += size;
    if (!added(&column->values, text, size))
        return 0;
    ((int32_t *)column->offsets.bytes)[column->rows] = (int32_t)column->values.size;
    return 1;
}

#endif
