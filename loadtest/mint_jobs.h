/*
 * The processes that mint: they fill the empty slots of one mapped file.
 */

#ifndef LP_MINT_JOBS_H
#define LP_MINT_JOBS_H

#include "token_file.h"

typedef struct {
    lp_token_file_t *file;
    const char      *what; /* for people: "tokens" */
    unsigned         n;    /* processes */
    /* Writes a slot's token (LP_LOAD_TOKEN_MAX bytes); its length; 0: it
       failed. Called in the processes. */
    size_t (*mint)(const void *owner, uint32_t slot,
                   const lp_token_head_t *head, char *dst);
    const void *owner;
} lp_mint_jobs_t;

/*
 * Fills all empty slots; says on standard error how far it is. LP_YES; LP_NO
 * after lp_say(), with what is filled until then in the file: Ctrl-C, or a
 * process that ended early.
 */
int lp_mint_jobs(const lp_mint_jobs_t *jobs);

#endif
