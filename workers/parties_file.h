/*
 * parties.json as it stands in a file: its schema, and what it says.
 */

#ifndef LP_PARTIES_FILE_H
#define LP_PARTIES_FILE_H

#include "../core/json.h"
#include "conf_members.h"
#include "parties.h"

#define LP_PARTIES_FILE_MAX (1024 * 1024) /* bytes */

/* One reading of the file. Everything in list lives as long as it does; the
   clients' keys are NULL and somebody else's to set and free. */
typedef struct {
    lp_party_list_t   list;
    char            **jwks; /* of each client, in the order of the parties */
    unsigned          n_clients;
    lp_json_memory_t *memory; /* what the texts lie in */
} lp_parties_file_t;

/*
 * Reads text; folder: what relative names of files begin at. Returns 0; -1,
 * and reason (LP_CONF_REASON_MAX bytes) names the member that is wrong:
 * "parties[2].oin: 20 digits are expected".
 */
int lp_parties_file_read(lp_parties_file_t *file, lp_span_t text,
                         const char *folder, char *reason);

/* Safe for one that is all zeros. */
void lp_parties_file_free(lp_parties_file_t *file);

#endif
