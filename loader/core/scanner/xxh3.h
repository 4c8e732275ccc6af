/* XXH3, 64 bits, no seed, of texts over 240 bytes: the same numbers as the xxhash library gives.
 *
 * Source: the specification in github.com/Cyan4973/xxHash, doc/xxhash_spec.md. Checked against the library in tests. */
#ifndef SCANNER_XXH3_H
#define SCANNER_XXH3_H

#include <stdint.h>
#include <string.h>

enum { XXH3_SHORT = 240, XXH3_STRIPE = 64, XXH3_SECRET = 192, XXH3_LANES = 8 };

static const uint8_t xxh3_secret[XXH3_SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d, 0xe9,
    0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78,
    0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6,
    0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8, 0xfa, 0x76, 0x3f,
    0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31,
    0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff,
    0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f,
    0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

#define XXH3_PRIME32_1 0x9E3779B1U
#define XXH3_PRIME32_2 0x85EBCA77U
#define XXH3_PRIME32_3 0xC2B2AE3DU
#define XXH3_PRIME64_1 0x9E3779B185EBCA87ULL
#define XXH3_PRIME64_2 0xC2B2AE3D27D4EB4FULL
#define XXH3_PRIME64_3 0x165667B19E3779F9ULL
#define XXH3_PRIME64_4 0x85EBCA77C2B2AE63ULL
#define XXH3_PRIME64_5 0x27D4EB2F165667C5ULL
#define XXH3_PRIME_MX1 0x165667919E3779F9ULL

static inline uint64_t xxh3_read(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int index = 7; index >= 0; index--)
        value = value << 8 | bytes[index]; /* little endian whatever the machine: compilers make it one load */
    return value;
}

static inline void xxh3_stripe(uint64_t lanes[XXH3_LANES], const uint8_t *input, const uint8_t *secret)
{
    for (int lane = 0; lane < XXH3_LANES; lane++) {
        uint64_t data = xxh3_read(input + 8 * lane), keyed = data ^ xxh3_read(secret + 8 * lane);
        lanes[lane ^ 1] += data;
        lanes[lane] += (keyed & 0xFFFFFFFFU) * (keyed >> 32);
    }
}

static inline void xxh3_scramble(uint64_t lanes[XXH3_LANES])
{
    const uint8_t *secret = xxh3_secret + XXH3_SECRET - XXH3_STRIPE;
    for (int lane = 0; lane < XXH3_LANES; lane++) {
        lanes[lane] ^= lanes[lane] >> 47;
        lanes[lane] ^= xxh3_read(secret + 8 * lane);
        lanes[lane] *= XXH3_PRIME32_1;
    }
}

static inline uint64_t xxh3_folded(uint64_t one, uint64_t other)
{
    unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t xxh3_avalanche(uint64_t hash)
{
    hash ^= hash >> 37;
    hash *= XXH3_PRIME_MX1;
    return hash ^ (hash >> 32);
}

/* The hash of `size` bytes, more than XXH3_SHORT. */
static uint64_t xxh3_long(const uint8_t *input, size_t size)
{
    enum { STRIPES = (XXH3_SECRET - XXH3_STRIPE) / 8, BLOCK = STRIPES * XXH3_STRIPE };
    uint64_t lanes[XXH3_LANES] = {
        XXH3_PRIME32_3, XXH3_PRIME64_1, XXH3_PRIME64_2, XXH3_PRIME64_3,
        XXH3_PRIME64_4, XXH3_PRIME32_2, XXH3_PRIME64_5, XXH3_PRIME32_1,
    };
    size_t blocks = (size - 1) / BLOCK;
    for (size_t block = 0; block < blocks; block++) {
        for (size_t stripe = 0; stripe < STRIPES; stripe++)
            xxh3_stripe(lanes, input + block * BLOCK + stripe * XXH3_STRIPE, xxh3_secret + 8 * stripe);
        xxh3_scramble(lanes);
    }
    size_t stripes = (size - 1 - blocks * BLOCK) / XXH3_STRIPE;
    for (size_t stripe = 0; stripe < stripes; stripe++)
        xxh3_stripe(lanes, input + blocks * BLOCK + stripe * XXH3_STRIPE, xxh3_secret + 8 * stripe);
    xxh3_stripe(lanes, input + size - XXH3_STRIPE, xxh3_secret + XXH3_SECRET - XXH3_STRIPE - 7);
    uint64_t hash = (uint64_t)size * XXH3_PRIME64_1;
    for (int pair = 0; pair < XXH3_LANES; pair += 2)
        hash += xxh3_folded(lanes[pair] ^ xxh3_read(xxh3_secret + 11 + 8 * pair),
                            lanes[pair + 1] ^ xxh3_read(xxh3_secret + 11 + 8 * pair + 8));
    return xxh3_avalanche(hash);
}

#endif
