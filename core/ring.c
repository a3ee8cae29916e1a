/*
 * The ring: see ring.h for the idea. Layout of the memory: lp_ring_t, the table
 * of chain heads, the log. Records never straddle the end of the log; where one
 * would not fit, the rest is left unused and `end` remembers where it began.
 *
 * Offsets count units of 8 bytes from the start of the log; in chains they are
 * one higher, so that 0 means none. 32 bits reach 32 GB.
 */

#include "ring.h"

#define LP_RING_UNIT 8
#define LP_RING_MAX  ((uint64_t) UINT32_MAX * LP_RING_UNIT)

typedef struct {
    uint32_t size; /* of the whole record, in units */
    uint32_t next; /* in the chain */
    uint64_t hash;
    uint32_t value_len;
    uint16_t key_len;
    uint16_t live;
    /* the key, padded to a unit: with the head in one or two cache lines */
    /* the value */
} lp_record_t;

static size_t    lp_ring_padded(size_t len);
static uint32_t *lp_ring_table(const lp_ring_t *ring);
static char     *lp_ring_log(const lp_ring_t *ring);
static uint32_t *lp_ring_chain(const lp_ring_t *ring, uint64_t hash);
static lp_record_t *lp_ring_at(const lp_ring_t *ring, uint32_t link);
static uint32_t *lp_ring_link(const lp_ring_t *ring, uint64_t hash,
                              lp_span_t key);
static lp_record_t *lp_ring_room(lp_ring_t *ring, uint64_t size);
static void lp_ring_evict(lp_ring_t *ring);
static void lp_ring_unlink(lp_ring_t *ring, uint32_t *link);
static void lp_ring_begin(lp_ring_t *ring);
static void lp_ring_end(lp_ring_t *ring);


lp_ring_t *
lp_ring_init(void *memory, size_t size, const uint64_t seed[2])
{
    uint64_t   log;
    lp_ring_t *ring;

    ring = memory;
    ring->seed[0] = seed[0];
    ring->seed[1] = seed[1];

    /* about one chain for each 256 bytes: a token takes some 300 */
    ring->buckets = 64;
    while (ring->buckets < (1u << 30)
           && (uint64_t) ring->buckets * 256 < size / 2)
    {
        ring->buckets *= 2;
    }

    log = size - sizeof(lp_ring_t) - ring->buckets * sizeof(uint32_t);
    ring->size = log / LP_RING_UNIT * LP_RING_UNIT;
    if (ring->size > LP_RING_MAX) {
        ring->size = LP_RING_MAX;
    }

    ring->evicted = 0;
    lp_ring_reset(ring);

    return ring;
}


void
lp_ring_reset(lp_ring_t *ring)
{
    memset(lp_ring_table(ring), 0, ring->buckets * sizeof(uint32_t));
    ring->head = 0;
    ring->tail = 0;
    ring->end = ring->size;
    ring->stored = 0;
    ring->live = 0;
    ring->live_size = 0;
    lp_ring_end(ring);
}


int
lp_ring_broken(const lp_ring_t *ring)
{
    return ring->changing != 0;
}


#define LP_ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

#define LP_SIP_ROUND                                                          \
    do {                                                                      \
        v0 += v1;                                                             \
        v2 += v3;                                                             \
        v1 = LP_ROTATE(v1, 13) ^ v0;                                          \
        v3 = LP_ROTATE(v3, 16) ^ v2;                                          \
        v0 = LP_ROTATE(v0, 32) + v3;                                          \
        v2 += v1;                                                             \
        v1 = LP_ROTATE(v1, 17) ^ v2;                                          \
        v3 = LP_ROTATE(v3, 21) ^ v0;                                          \
        v2 = LP_ROTATE(v2, 32);                                               \
    } while (0)


/*
 * SipHash-1-3 (Aumasson and Bernstein): one round for each 8 bytes, three at
 * the end; enough for a table whose chains nobody outside can watch.
 */
uint64_t
lp_ring_hash(const lp_ring_t *ring, lp_span_t key)
{
    size_t   i;
    uint64_t v0, v1, v2, v3, word;

    v0 = ring->seed[0] ^ 0x736f6d6570736575ULL;
    v1 = ring->seed[1] ^ 0x646f72616e646f6dULL;
    v2 = ring->seed[0] ^ 0x6c7967656e657261ULL;
    v3 = ring->seed[1] ^ 0x7465646279746573ULL;

    for (i = 0; i + 8 <= key.len; i += 8) {
        memcpy(&word, key.data + i, 8);
        v3 ^= word;
        LP_SIP_ROUND;
        v0 ^= word;
    }

    word = 0;
    if (i < key.len) {
        memcpy(&word, key.data + i, key.len - i);
    }
    word |= (uint64_t) key.len << 56;

    v3 ^= word;
    LP_SIP_ROUND;
    v0 ^= word;

    v2 ^= 0xff;
    LP_SIP_ROUND;
    LP_SIP_ROUND;
    LP_SIP_ROUND;

    return v0 ^ v1 ^ v2 ^ v3;
}


void
lp_ring_expect(const lp_ring_t *ring, uint64_t hash)
{
    __builtin_prefetch(lp_ring_chain(ring, hash));
}


void
lp_ring_expect_record(const lp_ring_t *ring, uint64_t hash)
{
    uint32_t           link;
    const lp_record_t *record;

    link = *lp_ring_chain(ring, hash);
    if (link == 0) {
        return;
    }

    record = lp_ring_at(ring, link);
    __builtin_prefetch(record);
    __builtin_prefetch((const char *) record + 64);
    __builtin_prefetch((const char *) record + 128);
    __builtin_prefetch((const char *) record + 192);
}


lp_span_t
lp_ring_find(const lp_ring_t *ring, uint64_t hash, lp_span_t key)
{
    uint32_t          *link;
    const lp_record_t *record;

    link = lp_ring_link(ring, hash, key);
    if (link == NULL) {
        return (lp_span_t) {NULL, 0};
    }

    record = lp_ring_at(ring, *link);

    return (lp_span_t) {(const char *) (record + 1)
                            + lp_ring_padded(record->key_len),
                        record->value_len};
}


int
lp_ring_store(lp_ring_t *ring, uint64_t hash, lp_span_t key,
              const lp_span_t *parts, size_t n)
{
    char        *value;
    size_t       i, len;
    uint32_t    *chain;
    uint64_t     size;
    lp_record_t *record;

    (void) lp_ring_drop(ring, hash, key);

    len = 0;
    for (i = 0; i < n; i++) {
        len += parts[i].len;
    }

    size = sizeof(lp_record_t) + lp_ring_padded(len) + lp_ring_padded(key.len);
    if (len > UINT32_MAX || key.len > UINT16_MAX || size > ring->size / 4) {
        return 0;
    }

    lp_ring_begin(ring);

    record = lp_ring_room(ring, size);
    chain = lp_ring_chain(ring, hash);

    record->size = (uint32_t) (size / LP_RING_UNIT);
    record->next = *chain;
    record->hash = hash;
    record->value_len = (uint32_t) len;
    record->key_len = (uint16_t) key.len;
    record->live = 1;

    value = (char *) (record + 1);
    memcpy(value, key.data, key.len);
    value += lp_ring_padded(key.len);

    for (i = 0; i < n; i++) {
        memcpy(value, parts[i].data, parts[i].len);
        value += parts[i].len;
    }

    *chain = (uint32_t) (ring->head / LP_RING_UNIT) + 1;
    ring->head += size;
    ring->stored++;
    ring->live++;
    ring->live_size += size;

    lp_ring_end(ring);

    return 1;
}


int
lp_ring_drop(lp_ring_t *ring, uint64_t hash, lp_span_t key)
{
    uint32_t *link;

    link = lp_ring_link(ring, hash, key);
    if (link == NULL) {
        return 0;
    }

    lp_ring_begin(ring);
    lp_ring_unlink(ring, link);
    lp_ring_end(ring);

    return 1;
}


static size_t
lp_ring_padded(size_t len)
{
    return (len + LP_RING_UNIT - 1) / LP_RING_UNIT * LP_RING_UNIT;
}


static uint32_t *
lp_ring_table(const lp_ring_t *ring)
{
    return (uint32_t *) (uintptr_t) (ring + 1);
}


static char *
lp_ring_log(const lp_ring_t *ring)
{
    return (char *) (lp_ring_table(ring) + ring->buckets);
}


static uint32_t *
lp_ring_chain(const lp_ring_t *ring, uint64_t hash)
{
    return lp_ring_table(ring) + (hash & (ring->buckets - 1));
}


static lp_record_t *
lp_ring_at(const lp_ring_t *ring, uint32_t link)
{
    return (lp_record_t *) (void *) (lp_ring_log(ring)
                                     + (uint64_t) (link - 1) * LP_RING_UNIT);
}


/* Where the chain points at the record of this key; NULL: nowhere. */
static uint32_t *
lp_ring_link(const lp_ring_t *ring, uint64_t hash, lp_span_t key)
{
    uint32_t    *link;
    lp_record_t *record;

    for (link = lp_ring_chain(ring, hash); *link != 0; link = &record->next) {
        record = lp_ring_at(ring, *link);

        if (record->hash == hash && record->key_len == key.len
            && memcmp(record + 1, key.data, key.len) == 0)
        {
            return link;
        }
    }

    return NULL;
}


/* Moves head to where size bytes are free, evicting what stands in the way. */
static lp_record_t *
lp_ring_room(lp_ring_t *ring, uint64_t size)
{
    for (;;) {
        if (ring->stored == 0) {
            ring->head = 0;
            ring->tail = 0;
            ring->end = ring->size;
            break;
        }

        if (ring->head > ring->tail) {
            if (ring->size - ring->head >= size) {
                break;
            }
            ring->end = ring->head;
            ring->head = 0;
            continue;
        }

        if (ring->tail - ring->head >= size) {
            break;
        }

        lp_ring_evict(ring);
    }

    return (lp_record_t *) (void *) (lp_ring_log(ring) + ring->head);
}


static void
lp_ring_evict(lp_ring_t *ring)
{
    uint32_t     own, *link;
    lp_record_t *record;

    own = (uint32_t) (ring->tail / LP_RING_UNIT) + 1;
    record = lp_ring_at(ring, own);

    if (record->live) {
        link = lp_ring_chain(ring, record->hash);
        while (*link != own) {
            link = &lp_ring_at(ring, *link)->next;
        }
        lp_ring_unlink(ring, link);
        ring->evicted++;
    }

    ring->tail += (uint64_t) record->size * LP_RING_UNIT;
    ring->stored--;

    if (ring->tail == ring->end) {
        ring->tail = 0;
        ring->end = ring->size;
    }
}


static void
lp_ring_unlink(lp_ring_t *ring, uint32_t *link)
{
    lp_record_t *record;

    record = lp_ring_at(ring, *link);
    *link = record->next;
    record->live = 0;
    ring->live--;
    ring->live_size -= (uint64_t) record->size * LP_RING_UNIT;
}


/*
 * The mark around a change. The process that dies is the one that wrote, and
 * its stores reach memory in program order as far as it got (release fences
 * keep the compiler, and weakly ordered machines, to that).
 */
static void
lp_ring_begin(lp_ring_t *ring)
{
    ring->changing = 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}


static void
lp_ring_end(lp_ring_t *ring)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring->changing = 0;
}
