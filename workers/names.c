/*
 * An open table of numbers beside the strings, which lie one after the other.
 * The hash (FNV-1a) has no key: a batch is small enough that even names which
 * all collide cost milliseconds.
 */

#include "names.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024 /* a power of two */
#define FIRST_BYTES 65536

static uint64_t hash_of(lp_span_t text);
static uint32_t *find(const lp_names_t *names, lp_span_t text, uint64_t hash);
static int reserve(lp_names_t *names, size_t len);
static int more_slots(lp_names_t *names);

void
lp_names_free(lp_names_t *names)
{
    free(names->bytes);
    free(names->list);
    free(names->slots);
    memset(names, 0, sizeof(*names));
}

void
lp_names_reset(lp_names_t *names)
{
    if (names->n_slots > 0) {
        memset(names->slots, 0, names->n_slots * sizeof(uint32_t));
    }
    names->n = 0;
    names->used = 0;
}

uint32_t
lp_names_add(lp_names_t *names, lp_span_t text)
{
    uint64_t   hash = hash_of(text);
    uint32_t  *slot;
    lp_name_t *name;

    if (reserve(names, text.len) != 0) {
        return LP_NAMES_FULL;
    }

    slot = find(names, text, hash);
    if (*slot != 0) {
        return *slot - 1;
    }

    name = &names->list[names->n];
    name->hash = hash;
    name->at = names->used;
    name->len = text.len;
    memcpy(names->bytes + names->used, text.data, text.len);
    names->used += text.len;
    *slot = ++names->n;

    return names->n - 1;
}

static uint64_t
hash_of(lp_span_t text)
{
    uint64_t hash = 0xcbf29ce484222325;
    size_t   i;

    for (i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char) text.data[i]) * 0x100000001b3;
    }

    return hash ^ (hash >> 32);
}

/* The slot of the name, or the free one where it belongs. */
static uint32_t *
find(const lp_names_t *names, lp_span_t text, uint64_t hash)
{
    uint32_t mask = names->n_slots - 1, i = (uint32_t) hash & mask, at;

    for ( ;; ) {
        at = names->slots[i];
        if (at == 0
            || (names->list[at - 1].hash == hash
                && lp_span_equal(lp_name(names, at - 1), text))) {
            return &names->slots[i];
        }
        i = (i + 1) & mask;
    }
}

/* Room for one more name, in all three. */
static int
reserve(lp_names_t *names, size_t len)
{
    size_t     size = names->size == 0 ? FIRST_BYTES : names->size;
    char      *bytes;
    lp_name_t *list;
    uint32_t   room;

    while (size - names->used < len) {
        size *= 2;
    }
    if (size != names->size) {
        bytes = realloc(names->bytes, size);
        if (bytes == NULL) {
            return -1;
        }
        names->bytes = bytes;
        names->size = size;
    }
    if (names->n == names->room) {
        room = names->room == 0 ? FIRST_SLOTS : names->room * 2;
        list = realloc(names->list, room * sizeof(lp_name_t));
        if (list == NULL) {
            return -1;
        }
        names->list = list;
        names->room = room;
    }
    return names->n * 2 < names->n_slots ? 0 : more_slots(names);
}

static int
more_slots(lp_names_t *names)
{
    uint32_t  n = names->n_slots == 0 ? FIRST_SLOTS : names->n_slots * 2;
    uint32_t *slots = calloc(n, sizeof(uint32_t));
    uint32_t  i, at;

    if (slots == NULL) {
        return -1;
    }
    for (i = 0; i < names->n; i++) {
        at = (uint32_t) names->list[i].hash & (n - 1);
        while (slots[at] != 0) {
            at = (at + 1) & (n - 1);
        }
        slots[at] = i + 1;
    }
    free(names->slots);
    names->slots = slots;
    names->n_slots = n;
    return 0;
}
