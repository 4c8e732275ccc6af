/* JSON text: where values end, and what they are. Strict (RFC 8259), and then stricter: what is valid but unusual
 * (NUL, lone surrogates, numbers beyond 64 bits) is refused too, since Python reads it, with every rule there is.
 *
 * Functions take a place in a line and return the place behind what they read, or NULL for what they refuse. A line
 * ends in a newline, which is no part of any value: no loop runs past it. */
#ifndef SCANNER_JSON_H
#define SCANNER_JSON_H

#include <Python.h> /* first: it asks the system for all that strtod_l needs */
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

typedef const uint8_t *Place;

enum { MAX_NESTING = 500 }; /* as in loader/core/calls.py */

static inline Place after_space(Place at)
{
    while (*at == ' ' || *at == '\t' || *at == '\r')
        at++;
    return at;
}

/* Whether one of eight bytes is a quote, a backslash or a control character.
 * Source: "determine if a word has a zero byte", graphics.stanford.edu/~seander/bithacks.html. */
static inline int has_special(Place at)
{
    const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    uint64_t quote = bytes ^ (ones * '"'), backslash = bytes ^ (ones * '\\');
    uint64_t control = (bytes - ones * 0x20) & ~bytes;
    return ((control | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & tops) != 0;
}

static inline int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The number of the four hex digits at a place, or -1. */
static inline int32_t code_unit(Place at)
{
    int32_t unit = 0;
    for (int index = 0; index < 4; index++) {
        int digit = hex_digit(at[index]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The character of the escape `\uXXXX`, with its second half where it has one; `at` is behind the `u`.
 * 0 for NUL and for half a character. */
static uint32_t escaped_character(Place at, int *units)
{
    int32_t unit = code_unit(at);
    *units = 1;
    if (unit <= 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return 0;
    if (unit < 0xD800 || unit > 0xDBFF)
        return (uint32_t)unit;
    if (at[4] != '\\' || at[5] != 'u')
        return 0;
    int32_t low = code_unit(at + 6);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *units = 2;
    return 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
}

/* The closing quote of a string; `at` is behind the opening one, `limit` the end of what may be read. */
static Place string_end(Place at, Place limit, int *escaped)
{
    *escaped = 0;
    for (;;) {
        while (at + 8 <= limit && !has_special(at))
            at += 8;
        while (*at != '"' && *at != '\\' && *at >= 0x20)
            at++;
        if (*at == '"')
            return at;
        if (*at < 0x20)
            return NULL;
        if (*at != '\\')
            continue;
        *escaped = 1;
        if (at[1] == 'u') {
            int units;
            if (!escaped_character(at + 2, &units))
                return NULL;
            at += units * 6;
        } else if (at[1] && strchr("\"\\/bfnrt", at[1])) {
            at += 2;
        } else {
            return NULL;
        }
    }
}

/* Write the text of a valid string without its escapes; return its size, at most that of the string. */
static size_t unescaped(Place at, Place end, uint8_t *out)
{
    uint8_t *start = out;
    while (at < end) {
        if (*at != '\\') {
            *out++ = *at++;
            continue;
        }
        if (at[1] != 'u') {
            const char *found = strchr("bfnrt", at[1]);
            *out++ = found ? (uint8_t) "\b\f\n\r\t"[found - "bfnrt"] : at[1];
            at += 2;
            continue;
        }
        int units;
        uint32_t character = escaped_character(at + 2, &units);
        at += units * 6;
        if (character < 0x80) {
            *out++ = (uint8_t)character;
        } else if (character < 0x800) {
            *out++ = (uint8_t)(0xC0 | character >> 6);
            *out++ = (uint8_t)(0x80 | (character & 0x3F));
        } else if (character < 0x10000) {
            *out++ = (uint8_t)(0xE0 | character >> 12);
            *out++ = (uint8_t)(0x80 | (character >> 6 & 0x3F));
            *out++ = (uint8_t)(0x80 | (character & 0x3F));
        } else {
            *out++ = (uint8_t)(0xF0 | character >> 18);
            *out++ = (uint8_t)(0x80 | (character >> 12 & 0x3F));
            *out++ = (uint8_t)(0x80 | (character >> 6 & 0x3F));
            *out++ = (uint8_t)(0x80 | (character & 0x3F));
        }
    }
    return (size_t)(out - start);
}

static inline int is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static Place number_end(Place at, int *whole)
{
    *whole = 1;
    at += *at == '-';
    if (!is_digit(*at))
        return NULL;
    if (*at == '0')
        at++;
    else
        while (is_digit(*at))
            at++;
    if (*at == '.') {
        *whole = 0;
        if (!is_digit(*++at))
            return NULL;
        while (is_digit(*at))
            at++;
    }
    if (*at == 'e' || *at == 'E') {
        *whole = 0;
        at++;
        at += *at == '+' || *at == '-';
        if (!is_digit(*at))
            return NULL;
        while (is_digit(*at))
            at++;
    }
    return at;
}

/* Whether a whole number has 64 bits, and which. */
static int integer(Place at, Place end, int64_t *value)
{
    int negative = *at == '-';
    uint64_t size = 0, most = (uint64_t)INT64_MAX + (uint64_t)negative;
    for (at += negative; at < end; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (size > (most - digit) / 10)
            return 0;
        size = size * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - size) : (int64_t)size;
    return 1;
}

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static locale_t plain_numbers; /* whose decimal point is a point; made with the module */

/* Whether a number is finite in binary64, and which. Few digits and a small exponent need one exact operation
 * (W. D. Clinger, How to read floating point numbers accurately, 1990); the rest is left to the C library, which
 * rounds correctly too, and to which no thread needs the interpreter, unlike for Python's own reading. */
static int number(Place at, Place end, double *value)
{
    Place start = at;
    uint64_t digits = 0;
    int count = 0, exponent = 0, fraction = 0;
    for (at += *at == '-'; at < end && (is_digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            fraction = 1;
        } else {
            digits = digits * 10 + (uint64_t)(*at - '0');
            count += count || *at != '0';
            exponent -= fraction;
            if (count > 18)
                break;
        }
    }
    if (at == end && digits <= 1ULL << 53 && exponent >= -22) {
        *value = (double)digits / powers_of_ten[-exponent];
        *value = *start == '-' ? -*value : *value;
        return 1;
    }
    char *stop;
    *value = strtod_l((const char *)start, &stop, plain_numbers);
    return (Place)stop == end && isfinite(*value);
}

static Place word_end(Place at, const char *word)
{
    size_t size = strlen(word);
    return strncmp((const char *)at, word, size) == 0 ? at + size : NULL;
}

/* The end of any value. `nesting`: how many brackets are open around it. */
static Place value_end(Place at, Place limit, int nesting)
{
    int ignored;
    switch (*at) {
    case '"':
        at = string_end(at + 1, limit, &ignored);
        return at ? at + 1 : NULL;
    case 't':
        return word_end(at, "true");
    case 'f':
        return word_end(at, "false");
    case 'n':
        return word_end(at, "null");
    case '{':
    case '[':
        break;
    default:
        return number_end(at, &ignored);
    }
    uint8_t close = *at == '{' ? '}' : ']';
    if (nesting >= MAX_NESTING)
        return NULL;
    at = after_space(at + 1);
    if (*at == close)
        return at + 1;
    for (;;) {
        if (close == '}') {
            if (*at != '"' || !(at = string_end(at + 1, limit, &ignored)))
                return NULL;
            at = after_space(at + 1);
            if (*at != ':')
                return NULL;
            at = after_space(at + 1);
        }
        if (!(at = value_end(at, limit, nesting + 1)))
            return NULL;
        at = after_space(at);
        if (*at == close)
            return at + 1;
        if (*at != ',')
            return NULL;
        at = after_space(at + 1);
    }
}

/* The end of an object by its brackets alone: what is inside is read later. */
static Place object_end(Place at, Place limit)
{
    int depth = 0, ignored;
    for (;; at++) {
        switch (*at) {
        case '"':
            if (!(at = string_end(at + 1, limit, &ignored)))
                return NULL;
            break;
        case '{':
            depth++;
            break;
        case '}':
            if (--depth == 0)
                return at + 1;
            break;
        case '\n':
            return NULL;
        default:
            break;
        }
    }
}

/* Whether text is UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static int is_utf8(Place at, Place end)
{
    while (at < end) {
        uint64_t bytes;
        while (at + 8 <= end && (memcpy(&bytes, at, 8), !(bytes & 0x8080808080808080ULL)))
            at += 8;
        if (at == end)
            break;
        uint8_t first = *at++;
        if (first < 0x80)
            continue;
        int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
        if (first < 0xC2 || first > 0xF4 || end - at < more)
            return 0;
        if ((first == 0xE0 && *at < 0xA0) || (first == 0xED && *at > 0x9F) || (first == 0xF0 && *at < 0x90) ||
            (first == 0xF4 && *at > 0x8F))
            return 0;
        for (; more; more--)
            if ((*at++ & 0xC0) != 0x80)
                return 0;
    }
    return 1;
}

#endif
