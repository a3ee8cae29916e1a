/*
 * A folder of signing keys: a private JWK in a file <kid>.jwk for each, which
 * of them signs at a time, and for how long the others are published. It is
 * written by "leerpoort key rotate".
 */

#ifndef LP_KEY_FOLDER_H
#define LP_KEY_FOLDER_H

#include <stdint.h>

#include "private_key.h"

#define LP_FOLDER_KEYS_MAX 32

/* How long a key is published after it signed last: the longest life of a
   token (6 hours), and ten minutes for clocks that differ. */
#define LP_FOLDER_AFTERLIFE (21600 + 600)

typedef struct {
    lp_private_key_t key;
    int64_t          from; /* when it signs from; Unix time */
} lp_folder_key_t;

typedef struct {
    lp_folder_key_t *keys; /* by from, then by kid */
    unsigned         n;
    unsigned         left_out; /* files that hold no key that can be used */
} lp_key_folder_t;

/*
 * Hears what is the matter with a file: "may be read by others". left_out: it
 * is not used.
 */
typedef void (*lp_key_folder_pt)(void *data, const char *path,
                                 const char *what, int left_out);

/*
 * Reads every <kid>.jwk of the folder; those that can't be used are left out.
 * hear: may be NULL. Returns 0; -1 with errno where the folder can't be read or
 * memory ran out. lp_key_folder_free() must follow either way.
 */
int lp_key_folder_read(lp_key_folder_t *folder, const char *path,
                       lp_key_folder_pt hear, void *data);

/* Wipes and frees. */
void lp_key_folder_free(lp_key_folder_t *folder);

/* The place of the key that signs at now: the last one that has begun; -1:
   none has. */
int lp_key_folder_signer(const lp_key_folder_t *folder, int64_t now);

/* Until when the i-th key must be published; INT64_MAX: no other follows. */
int64_t lp_key_folder_published_until(const lp_key_folder_t *folder,
                                      unsigned i);

#endif
