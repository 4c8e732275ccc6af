/* What becomes of lines, by their type and their event's name as sent: asked for once, remembered here.
 *
 * A table of our own, as a dictionary of Python's may be looked at only by a thread that holds the interpreter. */
#ifndef SCANNER_CODES_H
#define SCANNER_CODES_H

#include "columns.h"

typedef struct {
    uint64_t hash;
    uint8_t *key; /* type, and event with its opening quote; NULL: a free slot */
    size_t size;
    Py_ssize_t code;
} Code;

typedef struct {
    Code *slots;
    size_t room, count;
} Codes;

/* The slot of a type and an event, or the free one where it belongs; NULL while there are no slots at all. */
static Code *code_slot(const Codes *codes, uint64_t hash, Place type, size_t type_size, Place event, size_t event_size)
{
    if (!codes->room)
        return NULL;
    size_t mask = codes->room - 1, slot = (size_t)hash & mask, size = type_size + event_size;
    for (;; slot = (slot + 1) & mask) {
        Code *found = &codes->slots[slot];
        if (!found->key || (found->hash == hash && found->size == size && same(found->key, type, type_size) &&
                            same(found->key + type_size, event, event_size)))
            return found;
    }
}

static uint64_t code_hash(Place type, size_t type_size, Place event, size_t event_size)
{
    return key_hash(type, type_size) * 31 + key_hash(event, event_size);
}

static int codes_grown(Codes *codes)
{
    Codes more = {NULL, codes->room ? codes->room * 4 : 256, codes->count};
    if (!(more.slots = PyMem_RawCalloc(more.room, sizeof *more.slots)))
        return 0;
    for (size_t slot = 0; slot < codes->room; slot++)
        if (codes->slots[slot].key) {
            const Code *each = &codes->slots[slot];
            *code_slot(&more, each->hash, each->key, each->size, each->key, 0) = *each;
        }
    PyMem_RawFree(codes->slots);
    *codes = more;
    return 1;
}

/* Remember a code. 0 where there is no memory. */
static int code_noted(Codes *codes, Place type, size_t type_size, Place event, size_t event_size, Py_ssize_t code)
{
    if ((codes->count + 1) * 2 > codes->room && !codes_grown(codes))
        return 0;
    uint8_t *key = PyMem_RawMalloc(type_size + event_size + 1);
    if (!key)
        return 0;
    memcpy(key, type, type_size);
    if (event_size)
        memcpy(key + type_size, event, event_size);
    uint64_t hash = code_hash(type, type_size, event, event_size);
    *code_slot(codes, hash, type, type_size, event, event_size) = (Code){hash, key, type_size + event_size, code};
    codes->count++;
    return 1;
}

static void codes_freed(Codes *codes)
{
    for (size_t slot = 0; slot < codes->room; slot++)
        PyMem_RawFree(codes->slots[slot].key);
    PyMem_RawFree(codes->slots);
}

#endif
