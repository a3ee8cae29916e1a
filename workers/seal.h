/*
 * Sealing: ids of persons that must wait for another party (in the journal, in
 * an outbox) are never readable in Redis. AES-256-GCM under a key in a file
 * that Redis does not have, a random nonce for each; base64url.
 */

#ifndef LP_SEAL_H
#define LP_SEAL_H

#include "../core/span.h"

#define LP_SEAL_TEXT_MAX   2048 /* bytes that can be sealed */
#define LP_SEAL_SEALED_MAX ((LP_SEAL_TEXT_MAX + 28) * 4 / 3 + 4)

typedef struct lp_seal_s lp_seal_t;

/* bytes: the key file as it stands, at least 32 bytes, at most 4096; they are
   hashed. NULL: too short, or memory ran out. */
lp_seal_t *lp_seal_create(lp_span_t bytes);

/* Wipes and frees; NULL is no seal. */
void lp_seal_destroy(lp_seal_t *seal);

/*
 * dst: room for LP_SEAL_SEALED_MAX; what: what the text is ("person"), bound
 * to it, so that one sealed text can't stand in for another. Returns the length
 * (no NUL); 0 where text is too long or OpenSSL failed.
 */
size_t lp_seal_close(lp_seal_t *seal, char *dst, const char *what,
                     lp_span_t text);

/* The reverse; dst: room for LP_SEAL_TEXT_MAX. -1: not ours, or changed. */
int lp_seal_open(lp_seal_t *seal, char *dst, size_t *len, const char *what,
                 lp_span_t sealed);

/*
 * A code that only we can make, and make again: 25 characters of A-Z2-9 without
 * I, O, in five groups with hyphens (29 bytes, no NUL) from HMAC-SHA256 of
 * name.
 * Returns 0, or -1.
 */
int lp_seal_code(lp_seal_t *seal, char *dst, lp_span_t name);

#endif
