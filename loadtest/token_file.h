/*
 * A file of tokens, mapped: slots of one size, so that a member's token is
 * found without an index and any process may write any slot.
 *
 * A slot is a length, two bytes, and the token. The length is written last: a
 * slot is whole or empty, whenever its writer dies. While it is being filled
 * the file's name ends in ".part"; it takes its name when no slot is empty.
 */

#ifndef LP_TOKEN_FILE_H
#define LP_TOKEN_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "../core/span.h"

#define LP_STAMP_BYTES 32

/* What the tokens of a file have in common. */
typedef struct {
    uint64_t      seed;
    uint32_t      pupils;
    uint32_t      slots;
    uint32_t      slot_size; /* bytes; less than a page */
    uint32_t      kind;      /* LP_TOKENS_GOOD, ... */
    int64_t       iat;
    int64_t       exp;
    unsigned char stamp[LP_STAMP_BYTES]; /* of the census and the keys */
} lp_token_head_t;

#define LP_TOKENS_GOOD    1
#define LP_TOKENS_EXPIRED 2

typedef struct {
    unsigned char  *map;  /* NULL: not open */
    size_t          size;
    lp_token_head_t head;
} lp_token_file_t;

/* Bytes that a file of such tokens has. */
uint64_t lp_token_file_bytes(const lp_token_head_t *head);

/* The size of a slot for tokens of at most len bytes. */
uint32_t lp_token_slot_size(size_t len);

/*
 * Opens a file and checks that it is one, whole, of this version.
 * writing: may be filled. Returns 0; 1 where there is no such file; -1 after
 * lp_say(). lp_token_file_close() where it returned 0.
 */
int lp_token_file_open(lp_token_file_t *file, const char *path, int writing);

/*
 * Makes an empty one, with all of its room on the disk. Returns 0; -1 after
 * lp_say(), and then nothing is left of it.
 */
int lp_token_file_create(lp_token_file_t *file, const char *path,
                         const lp_token_head_t *head);

void lp_token_file_close(lp_token_file_t *file);

/* All of it to the disk. 0, -1 after lp_say(). */
int lp_token_file_sync(const lp_token_file_t *file, const char *path);

/* data NULL: the slot is empty. */
lp_span_t lp_token_file_get(const lp_token_file_t *file, uint32_t slot);

/* token: not longer than the file's slots allow. */
void lp_token_file_put(lp_token_file_t *file, uint32_t slot, lp_span_t token);

/* How many slots are not empty. */
uint32_t lp_token_file_count(const lp_token_file_t *file);

#endif
