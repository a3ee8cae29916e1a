/*
 * All that Leerpoort holds of one person, found and erased. A person is known
 * by user keys alone (core/user_key.h); a teacher by several, and one leads to
 * the others.
 */

#ifndef LP_PRIVACY_H
#define LP_PRIVACY_H

#include "../core/user_key.h"
#include "erasure.h"
#include "names.h"
#include "seal.h"
#include "store.h"

typedef struct {
    lp_store_t  *store;
    lp_pepper_t *pepper;
    lp_seal_t   *seal; /* NULL: what is sealed is not looked into */

    lp_names_t   users;    /* user keys */
    lp_names_t   rights;   /* keys u: */
    lp_names_t   lists;    /* keys i:, of a private customer */
    lp_names_t   tries;    /* keys tries: */
    lp_names_t   codes;    /* keys code:, of codes that the person used */
    lp_names_t   records;  /* keys e: */
    lp_names_t   sessions; /* keys session: */
    lp_names_t   indexes;  /* keys subs:, sids: of those, signout: */
    lp_names_t   links;    /* keys link:, accounts of an LMS */
    uint64_t     letters;  /* messages that wait */
    uint64_t     clicks;   /* clicks that wait to be counted */
    uint64_t     sealed;   /* messages whose person could not be read */

    lp_names_t   streams;  /* outbox:, dead: */
    int          failed;   /* out of memory */
} lp_person_t;

typedef struct {
    uint64_t rights, records, codes, letters, clicks, others;
    uint64_t sessions, links;
} lp_person_counts_t;

/*
 * Finds everything; users must hold a key at least. Goes through all of Redis,
 * and again where a further user key of the same person turned up. Returns 0;
 * -1 where Redis failed or memory ran out. lp_person_free() must follow.
 */
int lp_person_find(lp_person_t *person);

/* 1 where nothing was found. */
int lp_person_is_unknown(const lp_person_t *person);

/*
 * Erases what was found, and looks again until nothing is found. Broken off, it
 * can be begun again: the records, which lead to further user keys, lose them
 * last. *counts is what was erased. Returns 0; -1 as above, also where
 * something comes back again and again.
 */
int lp_person_erase(lp_person_t *person, lp_person_counts_t *counts);

/* Forgets what was found, but not whom it is about. */
void lp_person_reset(lp_person_t *person);

void lp_person_free(lp_person_t *person);

#endif
