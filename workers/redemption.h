/*
 * A code on its way to a licence: what code_redeem.c read and decided, and
 * redemption_write.c writes.
 */

#ifndef LP_REDEMPTION_H
#define LP_REDEMPTION_H

#include "chain.h"
#include "codes.h"
#include "licences.h"

/* The fields of a code that say who used it. */
extern const char *const lp_code_user_fields[LP_TOKEN_USERS];

typedef struct {
    char      bytes[LP_KEY_MAX];
    lp_span_t span;
} lp_key_name_t;

typedef struct {
    lp_service_t        *service;
    const lp_click_by_t *by;
    lp_span_t            canonical;
    char                 hash[LP_CODE_HASH_LEN];
    lp_key_name_t        code;  /* keys */
    lp_key_name_t        rights[LP_TOKEN_USERS];
    lp_value_t           party; /* of the code, or of its entitlement */
    lp_value_t           product;
    lp_value_t           contract;
    int                  has_parent;
    char                 parent_id[LP_ENTITLEMENT_LEN];
    lp_record_t          parent; /* the code's entitlement, as it is now */
    lp_span_t            school; /* where the licence will lie; len 0: none */
    lp_record_t          licence;
    lp_record_t          before; /* what lies there */
    lp_right_t           held;
    int                  has_held;
    lp_chain_t           chain;  /* of the licence, where something is held */
} lp_redemption_t;

/*
 * Writes it, under the WATCH under which it was decided. LP_STORE_OK: all of
 * it, durably; LP_STORE_CONFLICT: nothing, since what was watched has changed.
 * lp_chain_clear() must follow, whatever is returned.
 */
lp_store_status_t lp_redemption_write(lp_redemption_t *redeem);

#endif
