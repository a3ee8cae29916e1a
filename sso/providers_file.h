/*
 * sso.json as it stands in a file: its schema, and what it says.
 */

#ifndef LP_PROVIDERS_FILE_H
#define LP_PROVIDERS_FILE_H

#include "../workers/conf_members.h"
#include "providers.h"

#define LP_PROVIDERS_FILE_MAX (8 * 1024 * 1024) /* bytes */
#define LP_PROVIDERS_MAX      1000
#define LP_SERVES_MAX         20000 /* schools of one provider */
#define LP_PORTALS_MAX        64    /* hints of one provider */
#define LP_PARAMETERS_MAX     16
#define LP_PARAMETER_MAX      2048  /* bytes of a value */
#define LP_ENDPOINT_MAX       1024  /* bytes of a URL */

/* One reading of the file. Everything in sites lives as long as it does. */
typedef struct {
    lp_sites_t        sites;
    lp_json_memory_t *memory; /* what the texts lie in */
} lp_providers_file_t;

/* What holds where there is no file: no providers, no site. */
void lp_providers_file_none(lp_providers_file_t *file);

/*
 * Reads text; folder: what relative names of files begin at. Returns 0; -1, and
 * reason (LP_CONF_REASON_MAX bytes) names the member that is wrong:
 * "providers[2].users[0].claim: it is missing".
 */
int lp_providers_file_read(lp_providers_file_t *file, lp_span_t text,
                           const char *folder, char *reason);

/* Safe for one that is all zeros. */
void lp_providers_file_free(lp_providers_file_t *file);

#endif
