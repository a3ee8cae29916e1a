/*
 * Activation codes: 25 characters of an alphabet of 32 are 125 bits, so that
 * nobody guesses one; what is slowed down (code_tries.h) is guessing at short
 * codes of others. A code is never stored: Redis has its keyed hash, and ours
 * are made again from their request whenever a confirmation is sent.
 *
 *   code:{NN}:<hash>    party product contract request entitlement state and,
 *                       once used, user.. school licence at until
 *   request:{NN}:<hash> party ref product quantity contract at made
 */

#ifndef LP_CODES_H
#define LP_CODES_H

#include "service.h"

#define LP_CODES_QUANTITY_MAX 10000 /* codes of one request */
#define LP_CODE_TEXT_MIN      8     /* characters of a code, hyphens apart */
#define LP_CODE_TEXT_MAX      64
#define LP_CODE_OURS          25    /* of one that we made */
#define LP_CODE_SHOWN_MAX     64
#define LP_CODE_HASH_LEN      LP_USER_KEY_LEN
#define LP_CODE_NAME_MAX      112

typedef enum {
    LP_CODES_OK = 0,
    LP_CODES_NO_PRODUCT, /* the catalogue lacks it */
    LP_CODES_OTHER,      /* the reference was used for something else */
    LP_CODES_UNKNOWN,    /* no such code, or not this party's, this school's */
    LP_CODES_USED,
    LP_CODES_REVOKED,    /* or its entitlement is cancelled */
    LP_CODES_BLOCKED,    /* the entitlement, or this user's right */
    LP_CODES_NOT_YET,    /* its entitlement's first day is to come */
    LP_CODES_ENDED,      /* its entitlement's last day is over */
    LP_CODES_HELD,       /* the user has a licence already; code not spent */
    LP_CODES_TOO_OFTEN,  /* too many wrong codes: later */
    LP_CODES_TOKEN,      /* the person's tokens were revoked */
    LP_CODES_FAILED,     /* Redis or OpenSSL: ask again */
    LP_CODES_NEW,        /* not an answer: it may be used */
    LP_CODES_CONFLICT    /* not an answer: somebody was quicker */
} lp_codes_result_t;

/* A party's request for codes, checked. */
typedef struct {
    lp_span_t  party; /* OIN */
    lp_value_t reference;
    lp_value_t product;
    lp_value_t contract; /* len 0: none */
    unsigned   quantity;
} lp_codes_request_t;

/*
 * A code as people type it, in capitals, without blanks and hyphens. dst: room
 * for LP_CODE_TEXT_MAX; no NUL. Returns the length; 0 where text is no code:
 * other characters than letters and digits, too short, too long.
 */
size_t lp_code_canonical(char *dst, lp_span_t text);

/*
 * The other way round: ours in five groups with hyphens, others as they are.
 * dst: room for LP_CODE_SHOWN_MAX; no NUL. Returns the length.
 */
size_t lp_code_show(char *dst, lp_span_t canonical);

/* How Redis knows a code: LP_CODE_HASH_LEN characters. 0, or -1. */
int lp_code_hash(char *dst, lp_pepper_t *pepper, lp_span_t canonical);

/* Keys, each at most LP_KEY_MAX bytes, no NUL; they return the length. */
size_t lp_key_code(char *dst, const char *hash);
size_t lp_key_codes_request(char *dst, const char *hash);

/* How Redis knows a request, by party and reference. 0, or -1. */
int lp_codes_request_hash(char *dst, lp_span_t party, lp_span_t reference);

/* "<party>|<ref>|<i>", i from 0: what lp_seal_code() makes the i-th code of.
   dst: room for LP_CODE_NAME_MAX. Returns the length; 0: too long. */
size_t lp_code_name(char *dst, lp_span_t party, lp_span_t reference,
                    unsigned i);

/*
 * Makes the codes of a request, all of them or, where Redis fails in between,
 * the first so many; the same request again makes the rest. The journal entry
 * is written with the last. A request that was done is confirmed again.
 */
lp_codes_result_t lp_codes_make(lp_service_t *service,
                                const lp_codes_request_t *request);

/* Revokes a code of this party that nobody used. Again: confirmed again. */
lp_codes_result_t lp_codes_revoke(lp_service_t *service, lp_span_t party,
                                  lp_span_t reference, lp_span_t canonical);

#endif
