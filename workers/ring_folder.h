/*
 * The folder of a key ring as it stands: which keys there are, and what each
 * is for at a time.
 */

#ifndef LP_RING_FOLDER_H
#define LP_RING_FOLDER_H

#include <stdint.h>

#include "private_key.h"

#define LP_RING_KEYS_MAX 32

/* How long a key is published after it signed last: the longest life of a
   token (6 hours), and ten minutes for clocks that differ. */
#define LP_RING_AFTERLIFE (21600 + 600)

typedef struct {
    lp_private_key_t key;
    int64_t          from; /* when it signs from; Unix time */
} lp_ring_key_t;

typedef struct {
    lp_ring_key_t *keys; /* by from, then by kid */
    unsigned       n;
    unsigned       left_out; /* files that hold no key that can be used */
} lp_ring_t;

/*
 * Reads every <kid>.jwk of the folder; those that can't be used are left out,
 * after lp_say(). Returns 0; -1 with errno where the folder can't be read or
 * memory ran out. lp_ring_free() must follow either way.
 */
int lp_ring_read(lp_ring_t *ring, const char *folder);

void lp_ring_free(lp_ring_t *ring);

/* The place of the key that signs at now: the last one that has begun; -1:
   none has. */
int lp_ring_signer(const lp_ring_t *ring, int64_t now);

/* Until when the i-th key must be published; INT64_MAX: no other follows. */
int64_t lp_ring_published_until(const lp_ring_t *ring, unsigned i);

#endif
