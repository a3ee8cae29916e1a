/*
 * An entitlement as Leerpoort keeps it: the hash e:{NN}:<entitlement>, which
 * holds what the seller sent, the licence that it became, and its totals.
 * docs/data-model.md lists the fields. Every value is at most 64 bytes, so that
 * the hash stays packed.
 *
 * NN is the shard of its home: the school, or the (first) user of a private
 * customer, or the entitlement itself where it has neither (a code's).
 * x:{NN}:<first 3 characters> (hash: the other 19 -> two digits) says where an
 * entitlement's home is; it is written before the record, never after.
 *
 * Several entitlements of one user to one product are a chain by "next"; the
 * right record of the user names the first of it.
 */

#ifndef LP_RECORD_H
#define LP_RECORD_H

#include <stdint.h>

#include "../core/keys.h"
#include "../core/right.h"
#include "../core/token.h"
#include "../core/user_key.h"
#include "store.h"

#define LP_OIN_LEN      20 /* characters of a party's OIN */
#define LP_FIELD_MAX    64 /* bytes of a value */
#define LP_RECORD_REFS  4  /* references that a record remembers */
#define LP_CHAIN_MAX    8  /* entitlements of one user to one product */

/* Edu-V entitlementType. */
typedef enum {
    LP_TYPE_NONE = 0,
    LP_TYPE_SCHOOL_STUDENT,
    LP_TYPE_SCHOOL_EMPLOYEE,
    LP_TYPE_SCHOOL_CODE,      /* school-activationcode */
    LP_TYPE_CUSTOMER_STUDENT,
    LP_TYPE_CUSTOMER_CODE,    /* customer-activationcode */
    LP_TYPE_OPEN,             /* "school-open": ours, never a seller's */
    LP_TYPES
} lp_type_t;

/* Edu-V entitlementStatus, as far as it is kept: created is entitled here. */
typedef enum {
    LP_STATUS_NONE = 0,
    LP_STATUS_ENTITLED,
    LP_STATUS_LICENSED,
    LP_STATUS_CANCELLED,
    LP_STATUS_BLOCKED,
    LP_STATUSES
} lp_status_t;

const char *lp_type_name(lp_type_t type);       /* "school-student" */
lp_type_t   lp_type_find(lp_span_t name);       /* LP_TYPE_NONE: unknown */
const char *lp_status_name(lp_status_t status); /* "entitled" */
lp_status_t lp_status_find(lp_span_t name);     /* "created" is ENTITLED */

/* A short text in a record. len 0: none. */
typedef struct {
    uint8_t len;
    char    text[LP_FIELD_MAX];
} lp_value_t;

static inline lp_span_t
lp_field(const lp_value_t *field)
{
    return (lp_span_t) {field->text, field->len};
}

/* Copies text; -1 where it is too long. */
int lp_field_set(lp_value_t *field, lp_span_t text);

/* A message of the seller that was applied; repeats are answered with it. */
typedef struct {
    char        id[LP_ENTITLEMENT_LEN]; /* of the reference: lp_ref_id() */
    int64_t     at;                     /* Unix time; 0: free */
    lp_status_t status;                 /* what was confirmed */
} lp_ref_t;

typedef struct {
    char        entitlement[LP_ENTITLEMENT_LEN];
    unsigned    shard;
    unsigned    exists;   /* in Redis */

    lp_type_t   type;
    lp_status_t status;
    lp_value_t  party;    /* OIN of the seller; len 0: nobody to tell */
    lp_value_t  product;
    lp_value_t  order;    /* deliveryOrderId */
    lp_value_t  contract;
    lp_value_t  school;   /* master identifier; len 0: none */
    char        users[LP_TOKEN_USERS][LP_USER_KEY_LEN];
    unsigned    n_users;
    uint32_t    from;     /* startDate */
    uint32_t    until;    /* last day of activation */
    uint32_t    minimum;  /* expirationDate of the seller; 0: none */
    int64_t     created;  /* Unix time that the message carries; 0: none */

    uint32_t    licensed; /* day of the activation; 0: none */
    uint32_t    expires;  /* last day of the licence */
    uint32_t    first;    /* day of first and last use; 0: none */
    uint32_t    last;
    uint64_t    count;    /* uses */

    int         has_open; /* became a licence of this open right or code */
    char        open[LP_ENTITLEMENT_LEN];
    int         has_next; /* chain: another one of this user and product */
    char        next[LP_ENTITLEMENT_LEN];

    uint64_t    quantity; /* open rights: 0 means no limit */
    uint64_t    used;     /* licences that it gave */

    lp_ref_t    refs[LP_RECORD_REFS];
} lp_record_t;

/* Keys; each at most LP_KEY_MAX bytes, no NUL; they return the length. */
size_t lp_key_entitlement(char *dst, unsigned shard, const char *entitlement);
size_t lp_key_place(char *dst, const char *entitlement); /* x:, NN of the 3 */
size_t lp_key_held(char *dst, lp_span_t school, lp_span_t user); /* i:, below */
size_t lp_key_journal(char *dst, unsigned shard);
size_t lp_key_usage(char *dst, unsigned shard);

/*
 * i:{NN}:<school>, or i:{NN}:/<user> where school.len is 0: a list of all
 * entitlements of the school or the private customer, oldest first; each is
 * pushed once, in the transaction that makes its record.
 */

/* The shard of a record's home. */
unsigned lp_record_home(const lp_record_t *record);

/* Reads an HGETALL reply; an empty one leaves exists 0. -1: unreadable. */
int lp_record_read(lp_record_t *record, const char *entitlement,
                   unsigned shard, const redisReply *reply);

/*
 * Adds to the store the commands that make before into record, all but its
 * totals (first, last, count): HSET of what is new or other, HDEL of what is
 * empty now. before: what was read, under WATCH; exists 0 for a new one, which
 * is also pushed to its list. record->shard must be set. The caller has begun a
 * transaction.
 */
void lp_record_write(lp_store_t *store, const lp_record_t *record,
                     const lp_record_t *before);

/*
 * Writes where the entitlement's home is, unless that is known already. Adds
 * HSETNX and HGET; the two replies are read by lp_place_read(), which returns
 * the shard that counts, or -1.
 */
void lp_place_claim(lp_store_t *store, const lp_record_t *record);
int  lp_place_read(const redisReply *hget);

/* Writes record->shard there, whatever stands there: in the transaction that
   writes the record. */
void lp_place_write(lp_store_t *store, const lp_record_t *record);

/* Looks an entitlement up by its id alone. LP_STORE_OK, exists 0: unknown. */
lp_store_status_t lp_record_find(lp_store_t *store, lp_record_t *record,
                                 const char *entitlement);

/* 22 characters that stand for a reference id of any length (SHA-256). */
int lp_ref_id(char *dst, lp_span_t reference);

/*
 * entitlementReceiveId of a confirmation: a uuid that is the same whenever the
 * same reference and entitlement are confirmed. dst has room for 37 bytes.
 */
int lp_receive_id(char *dst, lp_span_t reference, lp_span_t entitlement);

/*
 * The entitlement of the licence that a user gets by an open right: the same
 * every time. open: LP_ENTITLEMENT_LEN characters; dst likewise. 0, or -1.
 */
int lp_licence_id(char *dst, const char *open, lp_span_t user);

/* NULL where the reference was never applied. */
const lp_ref_t *lp_record_ref(const lp_record_t *record, const char *id);

/* Remembers a reference in the place of the oldest. */
void lp_record_remember(lp_record_t *record, const char *id, int64_t at,
                        lp_status_t status);

/* The right record that a user has by this entitlement alone; 0: none (a
   cancelled one, or a code that is not redeemed). */
int lp_record_right(const lp_record_t *record, lp_right_t *right);

#endif
