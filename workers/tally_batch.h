/*
 * What some entries of one usage stream add up to, in memory: for each
 * entitlement its uses, for each school, week and product its clicks and who
 * they were. Nothing here speaks to Redis; workers/tally.c writes it.
 */

#ifndef LP_TALLY_BATCH_H
#define LP_TALLY_BATCH_H

#include "../core/right.h"
#include "../core/user_key.h"
#include "names.h"
#include "usage_entry.h"

#define LP_BATCH_ENTRIES 64   /* at most */
#define LP_BATCH_LINES   4096 /* after so many no other entry is taken in: EXEC
                                 must not hold Redis up for long */

typedef struct {
    lp_span_t        id;       /* in the stream */
    lp_usage_entry_t entry;
    int              readable; /* else it is acknowledged and no more */
    int              deleted;  /* somebody took it out of the stream */
    int              repeated; /* counted before: nothing is added */
    uint32_t         seen;     /* number of its key in batch->seen */
    unsigned         reply;    /* that tells whether it was counted */
} lp_batch_entry_t;

/* What is known of an entitlement's record in Redis. */
typedef enum {
    LP_USE_ASK = 0, /* it may be in this shard */
    LP_USE_PLACE,   /* it is not: x: may know where */
    LP_USE_FOUND,
    LP_USE_GONE     /* there is none */
} lp_use_state_t;

/* An entitlement; its name in batch->entitlements is its 22 characters. */
typedef struct {
    uint64_t       n;
    uint32_t       first, last; /* days */

    lp_use_state_t state;  /* from here on workers/tally_count.c's */
    unsigned       shard;  /* of its record */
    int            placed; /* shard is what x: said */
    unsigned       reply;
    unsigned       in_chunk; /* it is the first of so many to be written */
    uint32_t       stored_first, stored_last; /* 0: never used */
    uint64_t       stored_count;
} lp_batch_use_t;

/* A school's week; the name in batch->weeks is the key week:... */
typedef struct {
    lp_span_t school; /* points into a reply */
    char      week[LP_WEEK_LEN];
    int       changed; /* one of its cells is */
} lp_batch_week_t;

/* A product in it; the name in batch->cells is the key readers:... */
typedef struct {
    lp_span_t product;
    uint64_t  clicks;
    uint32_t  week;    /* number */
    uint32_t  readers; /* the last one's number + 1; 0: none */
    uint32_t  n_readers;
    unsigned  reply;   /* of the command that counts its clicks */
    int       changed; /* it is new, or has a new reader */
} lp_batch_cell_t;

/* A user of a cell, once; the name in batch->readers ends with the user key. */
typedef struct {
    uint32_t before; /* another reader of the cell: its number + 1 */
} lp_batch_reader_t;

typedef struct {
    unsigned           shard;
    lp_batch_entry_t   entries[LP_BATCH_ENTRIES];
    unsigned           n_entries;
    lp_names_t         seen, entitlements, weeks, cells, readers;
    lp_batch_use_t    *uses;
    lp_batch_week_t   *week;
    lp_batch_cell_t   *cell;
    lp_batch_reader_t *reader;
    uint32_t           uses_room, week_room, cell_room, reader_room;
    uint64_t           lines, unreadable, schoolless;
} lp_batch_t;

/* All zero is an empty batch. */
void lp_batch_free(lp_batch_t *batch);

/* Empties it for a shard. */
void lp_batch_reset(lp_batch_t *batch, unsigned shard);

/*
 * Takes in entries from a stream's reply, in their order: the first ones,
 * until there are lines enough. Returns how many; 0 where memory ran
 * out or it is no such reply. The reply must outlive what is done with the
 * batch.
 */
unsigned lp_batch_take(lp_batch_t *batch, redisReply *const *entries,
                       size_t n);

/*
 * Adds up the lines of all entries. Those that are marked as repeated only
 * leave cells without clicks. May be called again after more were marked.
 * Returns 0, -1 where memory ran out.
 */
int lp_batch_add_up(lp_batch_t *batch, lp_usage_reader_t *reader);

/* Adds uses to an entitlement, new or not. Its number, or LP_NAMES_FULL. */
uint32_t lp_batch_use(lp_batch_t *batch, lp_span_t entitlement, uint64_t n,
                      uint32_t first, uint32_t last);

#endif
