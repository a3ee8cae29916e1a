/*
 * Whose rights: a person at a school, a private customer, or a whole school.
 */

#ifndef LP_HOLDER_H
#define LP_HOLDER_H

#include "../core/keys.h"
#include "../core/token.h"
#include "../core/user_key.h"
#include "command_line.h"

/* Reads a pepper file; NULL after saying why. */
lp_pepper_t *lp_holder_pepper(const char *path);

/* Writes the user key of the id on standard input. LP_YES, LP_NO after saying
   why, LP_USAGE. */
int lp_holder_hash(char *user, const lp_args_t *args, lp_pepper_t *pepper,
                   const char *id_type);

/* Writes the user key of the id on standard input, hashed with the pepper
   file at path. Returns LP_YES, LP_NO after saying why, LP_USAGE. */
int lp_holder_user(char *user, const lp_args_t *args, const char *path,
                   const char *id_type);

/*
 * The Redis hash that the options name: --open --school, or a person, who
 * stands on standard input. key has room for LP_KEY_MAX bytes.
 * Returns LP_YES and sets *len; LP_NO after saying why, or LP_USAGE.
 */
int lp_holder_key(char *key, size_t *len, const lp_args_t *args);

#endif
