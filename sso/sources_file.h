/*
 * sources.json as it stands in a file (docs/operations.md): issuers of tokens
 * whose keys the edge needs, and that no other file names.
 */

#ifndef LP_SOURCES_FILE_H
#define LP_SOURCES_FILE_H

#include "../core/json.h"
#include "../workers/conf_members.h"

#define LP_SOURCES_FILE_MAX (1024 * 1024) /* bytes */
#define LP_SOURCES_MAX      1000

typedef struct {
    lp_span_t name;      /* [a-z0-9-]: of its files */
    lp_span_t issuer;    /* iss of its tokens */
    lp_span_t discovery; /* where its metadata are; len 0: not fetched where
                            jwks_uri is known, else below the issuer */
    lp_span_t jwks_uri;  /* len 0: as its metadata say */
} lp_source_row_t;

/* One reading of the file. */
typedef struct {
    lp_source_row_t  *list;
    unsigned          n;
    lp_json_memory_t *memory; /* what the texts lie in */
} lp_sources_file_t;

/* Reads text. 0; -1, and reason (LP_CONF_REASON_MAX bytes) says what is wrong
   where. */
int lp_sources_file_read(lp_sources_file_t *file, lp_span_t text,
                         char *reason);

/* Safe for one that is all zeros. */
void lp_sources_file_free(lp_sources_file_t *file);

#endif
