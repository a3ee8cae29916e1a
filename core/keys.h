/*
 * The names of Redis keys (docs/data-model.md): shard, school, user, product.
 */

#ifndef LP_KEYS_H
#define LP_KEYS_H

#include "span.h"

#define LP_SHARDS  64
#define LP_KEY_MAX 96 /* bytes of the longest key below: u:, 94 */

/* CRC16/XMODEM of text modulo LP_SHARDS. */
unsigned lp_shard(lp_span_t text);

/*
 * Each writes a key of at most LP_KEY_MAX bytes, without a NUL, and returns its
 * length; 0 when it would not fit.
 *   u:{NN}:<school>/<user>   school.len 0: the private customer, NN of the user
 *   s:{NN}:<school>
 *   a:{NN}:<idType>:<id>     NN of "<idType>:<id>"
 *   p:{NN}:<product>
 */
size_t lp_key_user(char *dst, lp_span_t school, lp_span_t user);
size_t lp_key_school(char *dst, lp_span_t school);
size_t lp_key_alias(char *dst, lp_span_t id_type, lp_span_t id);
size_t lp_key_product(char *dst, lp_span_t product);

/* "<kind>:{NN}:<name>", NN of the name: whatever lies by itself. */
size_t lp_key_of(char *dst, const char *kind, lp_span_t name);

/* The same where the shard is known: that of the school, or of the user. */
size_t lp_key_user_in(char *dst, unsigned shard, lp_span_t school,
                      lp_span_t user);
size_t lp_key_school_in(char *dst, unsigned shard, lp_span_t school);

/*
 * The field of a hash of rights that holds what follows a product's right:
 * "<product>+", which is no product. dst has room for LP_FOLLOWS_MAX bytes.
 * Returns the length; 0 when it would not fit.
 */
#define LP_FOLLOWS_MAX 65
size_t lp_field_follows(char *dst, lp_span_t product);

/* [A-Za-z0-9_.-]{1,64} */
int lp_school_valid(lp_span_t school);

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
int lp_product_valid(lp_span_t product);

#endif
