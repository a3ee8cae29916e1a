/*
 * A table with one place for each hash: who comes later takes the place. A
 * lost entry costs one question to Redis.
 */

#include "known.h"

#include <stdlib.h>

#define PLACES 8192

typedef struct {
    int64_t    until; /* 0: free */
    uint8_t    len;
    char       key[LP_KEY_MAX];
    lp_value_t value;
} entry_t;

struct lp_known_s {
    int64_t seconds;
    entry_t places[PLACES];
};

lp_known_t *
lp_known_create(int64_t seconds)
{
    lp_known_t *known = calloc(1, sizeof(lp_known_t));

    if (known != NULL) {
        known->seconds = seconds;
    }
    return known;
}

void
lp_known_destroy(lp_known_t *known)
{
    free(known);
}

/* FNV-1a: the keys are ours or checked, and a collision does no harm. */
static size_t
place_of(lp_span_t key)
{
    uint32_t hash = 2166136261u;
    size_t   i;

    for (i = 0; i < key.len; i++) {
        hash = (hash ^ (unsigned char) key.data[i]) * 16777619u;
    }
    return hash % PLACES;
}

int
lp_known(const lp_known_t *known, lp_span_t key, int64_t now, lp_span_t *value)
{
    const entry_t *entry;

    if (known == NULL) {
        return 0;
    }
    entry = &known->places[place_of(key)];
    if (entry->until <= now
        || !lp_span_equal((lp_span_t) {entry->key, entry->len}, key)) {
        return 0;
    }
    if (value != NULL) {
        *value = lp_field(&entry->value);
    }
    return 1;
}

void
lp_known_note(lp_known_t *known, lp_span_t key, int64_t now, lp_span_t value)
{
    entry_t *entry;

    if (known == NULL || key.len > LP_KEY_MAX || value.len > LP_FIELD_MAX) {
        return;
    }
    entry = &known->places[place_of(key)];
    memcpy(entry->key, key.data, key.len);
    entry->len = (uint8_t) key.len;
    entry->value.len = (uint8_t) value.len;
    if (value.len > 0) {
        memcpy(entry->value.text, value.data, value.len);
    }
    entry->until = now + known->seconds;
}
