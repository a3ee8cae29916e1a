/*
 * Tokens that were withdrawn: field "!" of a person's hash says from when on
 * tokens count. The edge looks at it for clicks; where a worker acts on a token
 * that the edge has only verified, it looks itself.
 */

#ifndef LP_REVOKED_H
#define LP_REVOKED_H

#include "licences.h"

/* Adds WATCH of all hashes of the person and, for each, the question. Returns
   how many replies that makes. */
unsigned lp_revoked_ask(lp_store_t *store, const lp_click_by_t *by);

/* Reads the replies, of which the at-th of the run is the first. 1 where by's
   token is from before; and where a time can't be read. */
int lp_revoked_read(const lp_store_t *store, const lp_click_by_t *by,
                    unsigned at);

#endif
