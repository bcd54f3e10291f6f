/* Numbers in a query, for the example plugins. */
#ifndef QUERY_H
#define QUERY_H

#include <nylon_ring.h>

#include <stdbool.h>

/* Reads the number key=<number> of a query. */
static inline bool query_number(NrStr query, const char *key, uint64_t *value)
{
    const size_t key_len = strlen(key);
    const uint8_t *at = query.ptr;
    const uint8_t *end = query.len > 0 ? query.ptr + query.len : query.ptr;

    while (at != end) {
        const uint8_t *and = memchr(at, '&', (size_t)(end - at));
        const uint8_t *stop = and != NULL ? and : end;
        if ((size_t)(stop - at) > key_len + 1 && memcmp(at, key, key_len) == 0 && at[key_len] == '=') {
            const uint8_t *digit = at + key_len + 1;
            for (*value = 0; digit < stop; digit++) {
                const uint64_t ones = (uint64_t)(*digit - '0');
                if (*digit < '0' || *digit > '9' || *value > (UINT64_MAX - ones) / 10)
                    return false;
                *value = *value * 10 + ones;
            }
            return true;
        }
        at = and != NULL ? and + 1 : end;
    }
    return false;
}

#endif
