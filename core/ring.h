/*
 * A first-in first-out store in one fixed stretch of memory, which several
 * processes may map at different addresses: it holds offsets, not pointers.
 *
 * Everything that the edge keeps (verified tokens, mirrored hashes) lives for
 * minutes and is written anew when it has run out, so the order of writing is
 * nearly the order of last use. Records are therefore appended to a log that
 * goes round; what stood there first makes room. That costs no bookkeeping on
 * a read, no fragmentation and no failure when full. A table of chains finds
 * the record of a key; its hash is keyed, because keys hold what users typed.
 *
 * The caller holds a lock around every call. A process may be killed inside
 * one: lp_ring_broken() tells the next holder that a change was not finished.
 */

#ifndef LP_RING_H
#define LP_RING_H

#include <stdint.h>

#include "span.h"

typedef struct {
    uint64_t size;      /* bytes of the log */
    uint64_t head;      /* where the next record goes */
    uint64_t tail;      /* the oldest record */
    uint64_t end;       /* end of the records above tail, when head is below */
    uint64_t stored;    /* records in the log, dead ones too */
    uint64_t live;      /* records that can be found */
    uint64_t live_size; /* their bytes */
    uint64_t evicted;   /* live records that had to make room, ever */
    uint64_t seed[2];
    uint32_t buckets;   /* a power of two */
    volatile uint32_t changing;
} lp_ring_t;

#define LP_RING_MIN (16 * 1024) /* bytes that lp_ring_init() needs at least */

/*
 * Lays out an empty ring in size bytes at memory, which is 8-byte aligned and
 * outlives it. seed: random bytes. Returns the ring, which is memory itself.
 */
lp_ring_t *lp_ring_init(void *memory, size_t size, const uint64_t seed[2]);

/* Empties the ring and forgets a change that was not finished. */
void lp_ring_reset(lp_ring_t *ring);

/* 1 where a process died in the middle of a change: reset before use. */
int lp_ring_broken(const lp_ring_t *ring);

/* The keyed hash of a key; needs no lock. */
uint64_t lp_ring_hash(const lp_ring_t *ring, lp_span_t key);

/*
 * Two hints that a key will be looked for: the first, which needs no lock, has
 * its chain brought near; the second, under the lock, the record that
 * the chain begins with. Several keys then wait for memory together.
 */
void lp_ring_expect(const lp_ring_t *ring, uint64_t hash);
void lp_ring_expect_record(const lp_ring_t *ring, uint64_t hash);

/*
 * Finds the newest record of a key. The span lies inside the ring and is 8-byte
 * aligned; it is good until the lock is released. data NULL: none.
 */
lp_span_t lp_ring_find(const lp_ring_t *ring, uint64_t hash, lp_span_t key);

/*
 * Stores a record under key in place of an older one, evicting the oldest
 * records as needed. Its value is the n parts, one after the other.
 * Returns 1; 0 where it would not fit into a quarter of the ring: then an older
 * record of the key is gone all the same.
 */
int lp_ring_store(lp_ring_t *ring, uint64_t hash, lp_span_t key,
                  const lp_span_t *parts, size_t n);

/* Forgets a key. Returns 1 where there was a record. */
int lp_ring_drop(lp_ring_t *ring, uint64_t hash, lp_span_t key);

#endif
