/*
 * Launch tickets: what a publisher that wants it is told with a deep link, in a
 * compact JWS that it can check without asking anybody: that Leerpoort let
 * somebody through just now, to this product, by this entitlement, and who that
 * is by a pseudonym that is this publisher's alone. No id of a person.
 *
 * Claims: iss, aud, iat, exp, jti; sub, the pseudonym; productId;
 * organisationMasterIdentifier, absent for private customers; entitlementId,
 * absent for open material; role, "student" or "employee".
 */

#ifndef LP_TICKET_H
#define LP_TICKET_H

#include <stdint.h>

#include "signer.h"
#include "user_key.h"

#define LP_TICKET_TYPE     "leerpoort-ticket+jwt" /* header typ */
#define LP_TICKET_TEXT_MAX 256  /* bytes of an issuer, of an audience */
#define LP_TICKET_MAX      5120 /* bytes of a ticket */

typedef struct {
    lp_span_t issuer;
    lp_span_t audience;
    lp_span_t user;        /* a user key */
    lp_span_t school;      /* len 0: none */
    lp_span_t product;
    lp_span_t entitlement; /* 22 characters; len 0: none */
    int       employee;
    int64_t   now;         /* Unix time */
    int64_t   life;        /* seconds */
} lp_ticket_t;

/* 1 to LP_TICKET_TEXT_MAX bytes of visible ASCII without " and \. */
int lp_ticket_text_valid(lp_span_t text);

/*
 * Writes the pseudonym of a user for an audience, LP_USER_KEY_LEN characters,
 * no NUL: HMAC-SHA256(pepper, "leerpoort ticket|<audience>|<user>"), as a user
 * key is made; no id type has a blank. Without the pepper, nobody can tell
 * whether those of two audiences are one person's. Returns 0; -1 when OpenSSL
 * failed.
 */
int lp_ticket_pseudonym(char *dst, lp_pepper_t *pepper, lp_span_t audience,
                        lp_span_t user);

/*
 * Writes a ticket into dst (LP_TICKET_MAX bytes), no NUL. Not for two threads
 * at once. Issuer and audience
 * must be valid, as must be product, school and entitlement by their own rules.
 * Returns the length; 0 when OpenSSL failed.
 */
size_t lp_ticket_write(char *dst, lp_signer_t *signer, lp_pepper_t *pepper,
                       const lp_ticket_t *ticket);

/*
 * Puts "<parameter>=<ticket>" at the end of the query of a Location of *len
 * bytes, before its fragment; what the query has stays as it is. cap: room at
 * location. Returns 0, or -1 where it does not fit: then nothing has changed.
 */
int lp_ticket_append(char *location, size_t *len, size_t cap,
                     lp_span_t parameter, lp_span_t ticket);

#endif
