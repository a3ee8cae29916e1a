/*
 * The user key: how Leerpoort names a person without knowing who it is.
 * base64url of the first 16 bytes of HMAC-SHA256(pepper, "<idType>|<id>").
 */

#ifndef LP_USER_KEY_H
#define LP_USER_KEY_H

#include "span.h"

#define LP_USER_KEY_LEN 22 /* characters */

typedef struct lp_pepper_s lp_pepper_t;

/*
 * bytes: the pepper file as it stands, 1 to 4096 bytes; they are copied.
 * Returns NULL where it is empty or too long, or memory ran out.
 */
lp_pepper_t *lp_pepper_create(lp_span_t bytes);

/* Wipes the secret and frees. */
void lp_pepper_destroy(lp_pepper_t *pepper);

/*
 * Writes LP_USER_KEY_LEN characters, no NUL. Returns 0; -1 when OpenSSL failed.
 * Not for two threads at once on one pepper.
 */
int lp_user_key(char *dst, lp_pepper_t *pepper, lp_span_t id_type,
                lp_span_t id);

#endif
