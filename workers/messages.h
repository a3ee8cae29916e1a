/*
 * What Leerpoort tells other parties: from the fields of a journal entry to the
 * JSON of an Edu-V 1.0 message. The JSON is made when the message is sent; what
 * waits in Redis are the journal's fields, ids of persons sealed.
 */

#ifndef LP_MESSAGES_H
#define LP_MESSAGES_H

#include <hiredis/hiredis.h>
#include <stdint.h>

#include "../core/span.h"
#include "seal.h"

#define LP_LETTER_FIELDS 24   /* of an entry, at most */
#define LP_LETTER_MAX    8192 /* bytes of all its names and values */

typedef enum {
    LP_LETTER_UNKNOWN = 0,
    LP_LETTER_ACTIVATION,   /* InitialActivation */
    LP_LETTER_CONFIRMATION, /* EntitlementConfirmation */
    LP_LETTER_CODES_MADE,   /* ActivationCodeConfirmation */
    LP_LETTER_CODES_REVOKED /* its revocation */
} lp_letter_kind_t;

typedef struct {
    lp_span_t name;
    lp_span_t value;
} lp_letter_field_t;

/* One entry, copied from a reply of Redis. */
typedef struct {
    lp_letter_kind_t  kind;
    lp_letter_field_t fields[LP_LETTER_FIELDS];
    unsigned          n;
    char             *bytes; /* what the spans point into */
} lp_letter_t;

/*
 * Copies the fields of a stream entry (an array of names and values). Returns
 * 0; -1 where memory ran out. What is no entry of ours has the kind UNKNOWN,
 * and as many fields as there is room for. lp_letter_free() must follow.
 */
int lp_letter_read(lp_letter_t *letter, const redisReply *fields);

void lp_letter_free(lp_letter_t *letter);

/* The value of a field; len 0: there is none. */
lp_span_t lp_letter_value(const lp_letter_t *letter, const char *name);

/*
 * Messages with the same subject are sent one after the other: the entitlement,
 * or the product of activation codes. It lives as long as the letter.
 */
lp_span_t lp_letter_subject(const lp_letter_t *letter);

/* The path below a party's base URL: "/usage/activation". */
const char *lp_letter_path(lp_letter_kind_t kind);

/*
 * The message's JSON, NUL-terminated; it holds ids of persons or codes:
 * lp_letter_wipe() it. NULL, and *reason: the entry lacks something, or what
 * is sealed can't be opened.
 */
char *lp_letter_write(const lp_letter_t *letter, lp_seal_t *seal,
                      const char **reason);

/* Wipes and frees a text; NULL is none. */
void lp_letter_wipe(char *text);

#endif
