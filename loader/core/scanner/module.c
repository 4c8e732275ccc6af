/* The scanner: blocks of JSON lines → columns per table, in one pass over the bytes.
 *
 * It takes the lines that are what the spec says, and refuses all others, which Python reads one by one with every
 * rule there is (loader/core/calls.py, exact.py). So it decides nothing: it must only never take a line wrongly.
 *
 * While it scans, it lets go of the interpreter, so that several scanners work at once in threads of one process; it
 * enters it again only for what it has to ask Python, between `entered` and `left`. */
#define PY_SSIZE_T_CLEAN
#include "codes.h"
#include "rows.h"
#include "xxh3.h"

enum { MAX_SLOTS = 32, TYPE = 0, EVENT = 1, MESSAGE_ID = 2, USER_ID = 3, ANONYMOUS_ID = 4 };
enum { LINE_SHIFT = 20, MANY_NODES = 20000, SUM_EVERY = 256, NO_TABLE = -1 };

typedef struct {
    int table; /* NO_TABLE: its lines are only told */
    uint64_t strings, objects; /* slots that become columns, as bits */
    int required; /* slot that must be a string with something in it, or -1 */
} Target;

typedef struct {
    Place start, end; /* of the value */
    int escaped;
} Span;

typedef struct {
    PyObject_HEAD
    PyObject *route, *digest, *paths; /* paths: of all tables, as they share most */
    PyThreadState *thread; /* that scans, while it is not in the interpreter */
    int made, scanning;
    Codes codes;
    Py_ssize_t max_line_bytes, max_bytes, max_cells;
    Place slot_keys[MAX_SLOTS];
    size_t slot_sizes[MAX_SLOTS];
    PyObject *slot_names;
    int slots;
    Target *targets;
    Py_ssize_t target_count;
    Table *tables;
    Py_ssize_t table_count;
    Reading reading;
} Scanner;

/* Memory that was handed over, as an object with Python's buffer interface. */
typedef struct {
    PyObject_HEAD
    Buffer buffer;
} Memory;

static void memory_dealloc(Memory *self)
{
    freed(&self->buffer);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static int memory_view(Memory *self, Py_buffer *view, int flags)
{
    void *bytes = self->buffer.bytes ? self->buffer.bytes : (void *)"";
    return PyBuffer_FillInfo(view, (PyObject *)self, bytes, (Py_ssize_t)self->buffer.size, 1, flags);
}

static PyBufferProcs memory_buffer = {(getbufferproc)memory_view, NULL};

static PyTypeObject MemoryType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader.core._scanner.Memory",
    .tp_basicsize = sizeof(Memory),
    .tp_dealloc = (destructor)memory_dealloc,
    .tp_as_buffer = &memory_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Memory of the scanner, handed over.",
};

/* The buffer as an object, without the room that it does not use; the buffer is empty after. */
static PyObject *handed_over(Buffer *buffer)
{
    Memory *memory = PyObject_New(Memory, &MemoryType);
    if (!memory)
        return NULL;
    uint8_t *less = buffer->size ? PyMem_RawRealloc(buffer->bytes, buffer->size) : NULL;
    if (less) {
        buffer->bytes = less;
        buffer->room = buffer->size;
    }
    memory->buffer = *buffer;
    memset(buffer, 0, sizeof *buffer);
    return (PyObject *)memory;
}

static int slot_of(const Scanner *self, Place key, size_t size)
{
    for (int slot = 0; slot < self->slots; slot++)
        if (self->slot_sizes[slot] == size && same(self->slot_keys[slot], key, size))
            return slot;
    return -1;
}

/* Find the values of the top-level keys that matter; the keys come back as bits, or 0 for a line that is refused. */
static uint64_t spans_of(Scanner *self, Place at, Place end, Span spans[MAX_SLOTS])
{
    uint64_t there = 0;
    Reading *reading = &self->reading;
    at = after_space(at + 1);
    for (;;) {
        int escaped;
        size_t size;
        if (*at != '"')
            return 0;
        Place quote = string_end(at + 1, reading->limit, &escaped);
        Place key = quote ? plain(reading, at + 1, quote, escaped, &size) : NULL;
        if (!key)
            return 0;
        int slot = slot_of(self, key, size);
        at = after_space(quote + 1);
        if (*at != ':')
            return 0;
        at = after_space(at + 1);
        Span span = {at, NULL, 0};
        if (*at == '"')
            span.end = string_end(at + 1, reading->limit, &span.escaped), at = span.end ? span.end + 1 : NULL;
        else
            at = span.end = slot >= 0 && *at == '{' ? object_end(at, reading->limit) : value_end(at, reading->limit, 1);
        if (!at)
            return 0;
        if (slot >= 0) {
            if (there >> slot & 1)
                return 0;
            there |= 1ULL << slot;
            spans[slot] = span;
        }
        at = after_space(at);
        if (*at == '}')
            return at + 1 == end ? there : 0;
        if (*at != ',')
            return 0;
        at = after_space(at + 1);
    }
}

static int has_text(const Span *span) { return *span->start == '"' && span->end > span->start + 1; }

static void entered(Scanner *self) { PyEval_RestoreThread(self->thread); }

static void left(Scanner *self) { self->thread = PyEval_SaveThread(); }

/* The code of a type and an event's name, asked for. -1: refused; -2: an exception is set. */
static Py_ssize_t code_asked(Scanner *self, const Span *type, const Span *event)
{
    size_t size = 0;
    Place name = event ? plain(&self->reading, event->start + 1, event->end, event->escaped, &size) : NULL;
    if (event && !name)
        return -2; /* no memory */
    entered(self);
    PyObject *made = PyObject_CallFunction(self->route, "s#z#", type->start + 1, (Py_ssize_t)(type->end - type->start - 1),
                                           name, (Py_ssize_t)size);
    Py_ssize_t code = made ? PyLong_AsSsize_t(made) : -2;
    Py_XDECREF(made);
    code = PyErr_Occurred() ? -2 : code;
    left(self);
    return code;
}

/* The code of a type and an event's name: asked for once. -1: refused; -2: an exception is set, or no memory. */
static Py_ssize_t code_of(Scanner *self, uint64_t there, const Span spans[MAX_SLOTS])
{
    const Span *type = &spans[TYPE], *event = &spans[EVENT];
    if (!(there >> TYPE & 1) || !has_text(type) || type->escaped)
        return -1;
    int named = there >> EVENT & 1 && *event->start != 'n';
    if (named && *event->start != '"')
        return -1;
    Place first = type->start + 1, second = named ? event->start : first; /* as sent, from its quote on */
    size_t first_size = (size_t)(type->end - first), second_size = named ? (size_t)(event->end - second) : 0;
    uint64_t hash = code_hash(first, first_size, second, second_size);
    const Code *found = code_slot(&self->codes, hash, first, first_size, second, second_size);
    if (found && found->key)
        return found->code;
    Py_ssize_t code = code_asked(self, type, named ? event : NULL);
    if (code != -2 && !code_noted(&self->codes, first, first_size, second, second_size, code))
        return -2;
    return code;
}

static int root_taken(Scanner *self, int slot, const Span *span, int is_object)
{
    Reading *reading = &self->reading;
    uint32_t next = (uint32_t)slot; /* the roots of a table are made once, in order of their slots or nearly so */
    if (*span->start == 'n')
        return 1;
    if (*span->start != (is_object ? '{' : '"'))
        return 0;
    Node *node = child(reading->table, reading->table->root, self->slot_keys[slot], self->slot_sizes[slot], &next);
    if (!node) {
        reading->failed = 1;
        return 0;
    }
    if (is_object)
        return object_taken(reading, node, span->start) == span->end;
    size_t size;
    Place text = plain(reading, span->start + 1, span->end, span->escaped, &size);
    return text && text_taken(reading, node, STRING, text, size);
}

/* Take a line's values into its table. 0 where it is refused; then nothing of it stays. */
static int row_taken(Scanner *self, const Target *target, uint64_t there, const Span spans[MAX_SLOTS])
{
    self->reading.turn++;
    self->reading.table = target->table == NO_TABLE ? NULL : &self->tables[target->table];
    size_t bytes = self->reading.table ? self->reading.table->bytes : 0;
    for (int slot = 0; slot < self->slots; slot++) {
        if (!(there >> slot & 1))
            continue;
        int is_object = target->objects >> slot & 1, matters = is_object || (target->strings >> slot & 1);
        int good;
        if (matters && self->reading.table)
            good = root_taken(self, slot, &spans[slot], is_object);
        else if (matters && *spans[slot].start != 'n' && *spans[slot].start != (is_object ? '{' : '"'))
            good = 0;
        else
            good = *spans[slot].start != '{' || value_end(spans[slot].start, self->reading.limit, 1) == spans[slot].end;
        if (!good) {
            taken_back(&self->reading);
            if (self->reading.table)
                self->reading.table->bytes = bytes;
            return 0;
        }
    }
    return 1;
}

static int hash_of(Scanner *self, Place start, Place end, uint64_t *hash)
{
    if (end - start > XXH3_SHORT) {
        *hash = xxh3_long(start, (size_t)(end - start));
        return 1;
    }
    entered(self);
    PyObject *made = PyObject_CallFunction(self->digest, "y#", start, (Py_ssize_t)(end - start));
    *hash = made ? PyLong_AsUnsignedLongLong(made) : 0;
    Py_XDECREF(made);
    int good = !PyErr_Occurred();
    left(self);
    return good;
}

enum Fate { EMPTY, TAKEN, NAMELESS, TOLD, REFUSED, FAILED };

/* Take one line, told by its ends without white space. */
static enum Fate line_taken(Scanner *self, Place start, Place end, int64_t key, Py_ssize_t *code)
{
    Span spans[MAX_SLOTS];
    if (start == end)
        return EMPTY;
    if (end - start > self->max_line_bytes || *start != '{' || !is_utf8(start, end))
        return REFUSED;
    uint64_t there = spans_of(self, start, end, spans);
    *code = there ? code_of(self, there, spans) : -1;
    if (*code < 0)
        return *code == -2 || self->reading.failed ? FAILED : REFUSED;
    int known = (there >> USER_ID & 1 && has_text(&spans[USER_ID])) ||
                (there >> ANONYMOUS_ID & 1 && has_text(&spans[ANONYMOUS_ID]));
    const Target *target = &self->targets[*code];
    if (!known || (target->required >= 0 && !(there >> target->required & 1 && has_text(&spans[target->required]))))
        return REFUSED;
    if (!row_taken(self, target, there, spans))
        return self->reading.failed ? FAILED : REFUSED;
    if (target->table == NO_TABLE)
        return TOLD;
    uint64_t hash;
    Table *table = self->reading.table;
    if (!hash_of(self, start, end, &hash)) {
        taken_back(&self->reading);
        return FAILED;
    }
    self->reading.touched_count = 0;
    hash ^= 1ULL << 63; /* signed numbers in the same order: warehouses have no unsigned ones */
    if (!added(&table->keys, &key, 8) || !added(&table->hashes, &hash, 8))
        return FAILED;
    table->rows++;
    table->bytes += 16;
    return there >> MESSAGE_ID & 1 && has_text(&spans[MESSAGE_ID]) ? TAKEN : NAMELESS;
}

static int listed(PyObject *list, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    PyObject *made = Py_VaBuildValue(format, values);
    va_end(values);
    int result = made ? PyList_Append(list, made) : -1;
    Py_XDECREF(made);
    return result == 0;
}

/* The same, of a line by its ends, while scanning. */
static int line_listed(Scanner *self, PyObject *list, Py_ssize_t first, Py_ssize_t last, int64_t key)
{
    entered(self);
    int good = listed(list, "(nnL)", first, last, (long long)key);
    left(self);
    return good;
}

static int told_listed(Scanner *self, PyObject *list, Py_ssize_t code, int64_t key)
{
    entered(self);
    int good = listed(list, "(nL)", code, (long long)key);
    left(self);
    return good;
}

static size_t bytes_held(const Scanner *self)
{
    size_t bytes = 0;
    for (Py_ssize_t table = 0; table < self->table_count; table++)
        bytes += self->tables[table].bytes;
    return bytes;
}

static PyObject *scanner_scan(Scanner *self, PyObject *args)
{
    Py_buffer block;
    Py_ssize_t position, lines = 0, rows = 0, crowded = -1;
    long long key;
    if (!PyArg_ParseTuple(args, "y*nL", &block, &position, &key))
        return NULL;
    PyObject *refused = PyList_New(0), *nameless = PyList_New(0), *told = PyList_New(0), *result = NULL;
    Place base = block.buf, limit = base + block.len, at = base + position;
    int full = 0, failed = !refused || !nameless || !told;
    if (!failed && block.len && limit[-1] != '\n') {
        PyErr_SetString(PyExc_ValueError, "a block ends in a newline");
        failed = 1;
    }
    if (!failed && self->scanning) {
        PyErr_SetString(PyExc_RuntimeError, "a scanner serves one thread at a time");
        failed = 1;
    }
    if (failed)
        goto done;
    size_t bytes = 0;
    self->reading.limit = limit;
    self->scanning = 1;
    left(self);
    while (!failed && at < limit && !full) {
        Place newline = memchr(at, '\n', (size_t)(limit - at)), start = after_space(at), end = newline;
        while (end > start && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
            end--;
        Py_ssize_t code = -1;
        Table *table;
        if (lines % SUM_EVERY == 0)
            bytes = bytes_held(self);
        enum Fate fate = line_taken(self, start, end, key, &code);
        Py_ssize_t first = start - base, last = end - base;
        switch (fate) {
        case EMPTY:
            break;
        case TOLD:
            failed = !told_listed(self, told, code, key);
            break;
        case REFUSED:
            failed = !line_listed(self, refused, first, last, key);
            break;
        case FAILED:
            failed = 1;
            break;
        case NAMELESS:
            failed = !line_listed(self, nameless, first, last, key);
            /* fall through */
        case TAKEN:
            rows++;
            table = self->reading.table;
            if (table->rows * table->columns > self->max_cells)
                crowded = table - self->tables;
        }
        lines++;
        key += 1LL << LINE_SHIFT;
        bytes += (size_t)(end - start);
        full = crowded >= 0 || bytes > (size_t)self->max_bytes;
        at = newline + 1;
    }
    entered(self);
    self->scanning = 0;
    if (failed && !PyErr_Occurred())
        PyErr_NoMemory();
    if (!failed)
        result = Py_BuildValue("(nnnnOOO)", (Py_ssize_t)(at - base), lines, rows, crowded, refused, nameless, told);
done:
    PyBuffer_Release(&block);
    Py_XDECREF(refused);
    Py_XDECREF(nameless);
    Py_XDECREF(told);
    return result;
}

static PyObject *path_of(const Scanner *self, Node *node)
{
    if (!node->path) {
        PyObject *path = PyTuple_New(node->level);
        for (Node *each = node; path && each->level; each = each->parent) {
            PyObject *key = PyUnicode_DecodeUTF8((char *)each->key, (Py_ssize_t)each->key_size, NULL);
            if (!key)
                Py_CLEAR(path);
            else
                PyTuple_SET_ITEM(path, each->level - 1, key);
        }
        if (path)
            node->path = Py_XNewRef(PyDict_SetDefault(self->paths, path, path));
        Py_XDECREF(path);
    }
    return Py_XNewRef(node->path);
}

/* List the columns at a node and below it, and empty them. */
static int columns_taken(const Scanner *self, Table *table, Node *node, PyObject *list)
{
    for (int kind = 0; kind < KINDS; kind++) {
        Column *column = node->columns[kind];
        if (!column || !column->rows)
            continue;
        if (column->count) {
            if (!padded(table, column, table->rows)) {
                PyErr_NoMemory();
                return 0;
            }
            Py_ssize_t nulls = (Py_ssize_t)(table->rows - column->count);
            PyObject *path = path_of(self, node), *valid = handed_over(&column->valid);
            PyObject *values = handed_over(&column->values), *offsets = handed_over(&column->offsets);
            if (!path || !valid || !values || !offsets)
                return 0;
            if (!listed(list, "(NsnNNN)", path, kind_names[kind], nulls, valid, offsets, values))
                return 0;
        }
        freed(&column->valid);
        freed(&column->values);
        freed(&column->offsets);
        column->rows = column->count = 0;
    }
    for (uint32_t position = 0; position < node->count; position++)
        if (!columns_taken(self, table, node->children[position], list))
            return 0;
    return 1;
}

static Table *table_at(Scanner *self, Py_ssize_t number)
{
    if (number >= 0 && number < self->table_count)
        return &self->tables[number];
    PyErr_Format(PyExc_IndexError, "there is no table %zd; there are %zd", number, self->table_count);
    return NULL;
}

static PyObject *scanner_take(Scanner *self, PyObject *number)
{
    Table *table = table_at(self, PyLong_AsSsize_t(number));
    if (!table || PyErr_Occurred())
        return NULL;
    PyObject *list = PyList_New(0);
    if (!list || !columns_taken(self, table, table->root, list)) {
        Py_XDECREF(list);
        return NULL;
    }
    Py_ssize_t rows = (Py_ssize_t)table->rows;
    PyObject *result = Py_BuildValue("(nNNN)", rows, handed_over(&table->keys), handed_over(&table->hashes), list);
    table->rows = table->columns = 0;
    table->bytes = 0;
    if (table->nodes > MANY_NODES) { /* keys that never come again must not fill the memory */
        node_freed(table->root);
        PyDict_Clear(self->paths);
        table->nodes = 0;
        if (!(table->root = new_node(NULL, (Place) "", 0)))
            return PyErr_NoMemory();
    }
    return result;
}

static PyObject *scanner_sizes(Scanner *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *sizes = PyList_New(self->table_count);
    for (Py_ssize_t number = 0; sizes && number < self->table_count; number++) {
        PyObject *size = PyLong_FromSize_t(self->tables[number].bytes);
        if (!size)
            Py_CLEAR(sizes);
        else
            PyList_SET_ITEM(sizes, number, size);
    }
    return sizes;
}

static PyObject *scanner_add_table(Scanner *self, PyObject *Py_UNUSED(ignored))
{
    Table *tables = PyMem_RawRealloc(self->tables, (size_t)(self->table_count + 1) * sizeof *tables);
    if (!tables)
        return PyErr_NoMemory();
    self->tables = tables;
    memset(&tables[self->table_count], 0, sizeof *tables);
    if (!(tables[self->table_count].root = new_node(NULL, (Place) "", 0)))
        return PyErr_NoMemory();
    return PyLong_FromSsize_t(self->table_count++);
}

static int bits_of(const Scanner *self, PyObject *keys, uint64_t *bits)
{
    PyObject *each, *iterator = PyObject_GetIter(keys);
    if (!iterator)
        return 0;
    while ((each = PyIter_Next(iterator))) {
        Py_ssize_t size = 0;
        const char *key = PyUnicode_AsUTF8AndSize(each, &size);
        int slot = key ? slot_of(self, (Place)key, (size_t)size) : -1;
        Py_DECREF(each);
        if (slot < 0 && !PyErr_Occurred())
            PyErr_SetString(PyExc_KeyError, "no key that the scanner was made with");
        if (PyErr_Occurred())
            break;
        *bits |= 1ULL << slot;
    }
    Py_DECREF(iterator);
    return !PyErr_Occurred();
}

static PyObject *scanner_add_target(Scanner *self, PyObject *args)
{
    PyObject *strings, *objects, *required;
    Target target = {0, 0, 0, -1};
    uint64_t needed = 0;
    if (!PyArg_ParseTuple(args, "iOOO", &target.table, &strings, &objects, &required))
        return NULL;
    if (target.table != NO_TABLE && !table_at(self, target.table))
        return NULL;
    if (!bits_of(self, strings, &target.strings) || !bits_of(self, objects, &target.objects) ||
        !bits_of(self, required, &needed))
        return NULL;
    for (int slot = 0; slot < self->slots; slot++)
        if (needed >> slot & 1)
            target.required = slot;
    Target *targets = PyMem_RawRealloc(self->targets, (size_t)(self->target_count + 1) * sizeof *targets);
    if (!targets)
        return PyErr_NoMemory();
    self->targets = targets;
    targets[self->target_count] = target;
    return PyLong_FromSsize_t(self->target_count++);
}

static int scanner_init(Scanner *self, PyObject *args, PyObject *named)
{
    static char *names[] = {"keys", "route", "digest", "max_depth", "max_line_bytes", "max_bytes", "max_cells", NULL};
    PyObject *keys, *route, *digest;
    if (!PyArg_ParseTupleAndKeywords(args, named, "O!OO$innn", names, &PyTuple_Type, &keys, &route, &digest,
                                     &self->reading.max_depth, &self->max_line_bytes, &self->max_bytes,
                                     &self->max_cells))
        return -1;
    if (self->made || PyTuple_GET_SIZE(keys) > MAX_SLOTS) {
        PyErr_Format(PyExc_ValueError, "a scanner is made once, with at most %d keys", MAX_SLOTS);
        return -1;
    }
    for (Py_ssize_t slot = 0; slot < PyTuple_GET_SIZE(keys); slot++) {
        Py_ssize_t size;
        self->slot_keys[slot] = (Place)PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(keys, slot), &size);
        if (!self->slot_keys[slot])
            return -1;
        self->slot_sizes[slot] = (size_t)size;
    }
    self->slots = (int)PyTuple_GET_SIZE(keys);
    self->slot_names = Py_NewRef(keys); /* keeps the texts of the keys alive */
    self->route = Py_NewRef(route);
    self->digest = Py_NewRef(digest);
    self->made = 1;
    self->paths = PyDict_New();
    return self->paths ? 0 : -1;
}

static int scanner_traverse(Scanner *self, visitproc visit, void *arg)
{
    Py_VISIT(self->route);
    Py_VISIT(self->digest);
    Py_VISIT(self->paths);
    return 0;
}

static int scanner_clear(Scanner *self)
{
    Py_CLEAR(self->route);
    Py_CLEAR(self->digest);
    Py_CLEAR(self->paths);
    return 0;
}

static void scanner_dealloc(Scanner *self)
{
    PyObject_GC_UnTrack(self);
    scanner_clear(self);
    Py_XDECREF(self->slot_names);
    for (Py_ssize_t number = 0; number < self->table_count; number++) {
        if (self->tables[number].root)
            node_freed(self->tables[number].root);
        freed(&self->tables[number].keys);
        freed(&self->tables[number].hashes);
    }
    PyMem_RawFree(self->tables);
    PyMem_RawFree(self->targets);
    codes_freed(&self->codes);
    PyMem_RawFree(self->reading.touched);
    freed(&self->reading.scratch);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef scanner_methods[] = {
    {"add_table", (PyCFunction)scanner_add_table, METH_NOARGS, "Make a table; return its number."},
    {"add_target", (PyCFunction)scanner_add_target, METH_VARARGS, "Say what becomes of some lines; return their code."},
    {"scan", (PyCFunction)scanner_scan, METH_VARARGS, "Take the lines of a block from a position on."},
    {"take", (PyCFunction)scanner_take, METH_O, "Hand over the rows of a table, which is empty after."},
    {"sizes", (PyCFunction)scanner_sizes, METH_NOARGS, "Return the bytes that each table holds."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject ScannerType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "loader.core._scanner.Scanner",
    .tp_basicsize = sizeof(Scanner),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Takes blocks of JSON lines into columns per table; see _scanner.pyi.",
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)scanner_init,
    .tp_traverse = (traverseproc)scanner_traverse,
    .tp_clear = (inquiry)scanner_clear,
    .tp_dealloc = (destructor)scanner_dealloc,
    .tp_methods = scanner_methods,
};

static struct PyModuleDef scanner_module = {
    PyModuleDef_HEAD_INIT, .m_name = "loader.core._scanner", .m_doc = "JSON lines to columns.", .m_size = -1,
};

PyMODINIT_FUNC PyInit__scanner(void)
{
    if (PyType_Ready(&MemoryType) < 0)
        return NULL;
    if (!plain_numbers && !(plain_numbers = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0)))
        return PyErr_NoMemory();
    PyObject *module = PyModule_Create(&scanner_module);
    if (module && PyModule_AddType(module, &ScannerType) < 0)
        Py_CLEAR(module);
    return module;
}
