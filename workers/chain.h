/*
 * Several entitlements of one user to one product. Redis has two right records
 * for a user and a product: of the entitlement that serves the user best, and
 * in the field "<product>+" of the one that follows it. The others follow by
 * the field "next" of their records.
 */

#ifndef LP_CHAIN_H
#define LP_CHAIN_H

#include "record.h"

/* A right as it is stored. */
typedef struct {
    int        any; /* something is stored */
    int        has; /* and it is this right */
    lp_right_t right;
} lp_slot_t;

/* Whose right: a user's hash u:, or the school's s: for an open right. */
typedef struct {
    char        key[LP_KEY_MAX];
    size_t      key_len;
    const char *user; /* LP_USER_KEY_LEN characters; NULL: the whole school */
    lp_slot_t   first;
    lp_slot_t   follows;
} lp_holder_t;

/* An entitlement of the chain other than the one in hand. */
typedef struct {
    lp_record_t before; /* exists 0: an operator's right, without a record */
    lp_record_t after;
    int         read;
    int         sought; /* in other homes */
} lp_member_t;

typedef struct {
    lp_holder_t  holders[LP_TOKEN_USERS];
    unsigned     n_holders;
    lp_member_t *members; /* room for LP_CHAIN_MAX; NULL: none */
    unsigned     n_members;
} lp_chain_t;

/*
 * Which of two rights serves a user better today: less than 0 where a does. A
 * licence that is valid; a block that has not ended; a right that is valid, the
 * one that ends first; one to come; one that has ended.
 */
int lp_chain_compare(const lp_right_t *a, const lp_right_t *b, uint32_t today);

/* Fills in the holders of a record's right: none for a code's. */
void lp_chain_holders(lp_chain_t *chain, const lp_record_t *record);

/* Adds the HMGET of what a holder has for a product; lp_slots_read() takes the
   reply. */
void lp_slots_ask(lp_store_t *store, lp_span_t key, lp_span_t product);
void lp_slots_read(lp_slot_t *first, lp_slot_t *follows,
                   const redisReply *reply);

/* Frees the members. */
void lp_chain_clear(lp_chain_t *chain);

/* Notes that the record's chain has to be known: what the holders' rights and
   the record itself lead to. -1: out of memory. */
int lp_chain_seek(lp_chain_t *chain, const lp_record_t *record);

/*
 * Adds WATCH and HGETALL for each member that was not read yet, in the home of
 * record; returns the number of members. lp_chain_take() reads their replies
 * from index *at on and notes what they lead to; until there is nothing more to
 * ask. A member whose home is elsewhere stays unread: lp_chain_find().
 */
unsigned lp_chain_ask(lp_chain_t *chain, lp_store_t *store,
                      const lp_record_t *record);
void lp_chain_take(lp_chain_t *chain, const lp_store_t *store,
                   const lp_record_t *record, unsigned *at);
lp_store_status_t lp_chain_find(lp_chain_t *chain, lp_store_t *store,
                                const lp_record_t *record);

/*
 * Puts the chain in order for today, with record in it, and adds what is to be
 * written to the transaction: the members that changed and the rights of the
 * holders, with what follows. record->next is set; the caller writes the record
 * afterwards.
 */
void lp_chain_write(lp_chain_t *chain, lp_store_t *store, lp_record_t *record,
                    uint32_t today);

/* Watches and reads all of it, one step after the other: the rights of record's
   users, and the chains behind them. lp_chain_clear() it. */
lp_store_status_t lp_chain_read(lp_chain_t *chain, lp_store_t *store,
                                const lp_record_t *record);

/*
 * Blocks the licence, or lifts the block, and puts its chain in order. Uses
 * WATCH and a transaction of its own. LP_STORE_OK with *changed 0: it is so
 * already, or there is no such licence.
 */
lp_store_status_t lp_chain_block(lp_store_t *store, const char *entitlement,
                                 int blocked, uint32_t today, int *changed);

/*
 * Where the right at key and product has ended, and what follows it too: puts
 * the chain in order for today, if there is something to be put in order. Uses
 * WATCH and a transaction of its own. LP_STORE_OK with *changed 0: nothing
 * follows; LP_STORE_CONFLICT: somebody was quicker.
 */
lp_store_status_t lp_chain_promote(lp_store_t *store, lp_span_t key,
                                   unsigned shard, lp_span_t product,
                                   uint32_t today, int *changed);

/* How many members have a right that has not ended: LP_CHAIN_MAX leave no room
   for another one. */
unsigned lp_chain_alive(const lp_chain_t *chain, uint32_t today);

#endif
