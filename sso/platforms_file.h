/*
 * lti.json as it stands in a file: its schema, and what it says.
 */

#ifndef LP_PLATFORMS_FILE_H
#define LP_PLATFORMS_FILE_H

#include "../workers/conf_members.h"
#include "platforms.h"

#define LP_PLATFORMS_FILE_MAX (4 * 1024 * 1024) /* bytes */
#define LP_PLATFORMS_MAX      1000
#define LP_DEPLOYMENTS_MAX    4000 /* of one platform: a school each */

/* One reading of the file. Everything in list lives as long as it does. */
typedef struct {
    lp_platform_list_t list;
    lp_json_memory_t  *memory; /* what the texts lie in */
} lp_platforms_file_t;

/*
 * Reads text. Returns 0; -1, and reason (LP_CONF_REASON_MAX bytes) names the
 * member that is wrong: "platforms[2].deployments[0].id: it is missing".
 */
int lp_platforms_file_read(lp_platforms_file_t *file, lp_span_t text,
                           char *reason);

/* Safe for one that is all zeros. */
void lp_platforms_file_free(lp_platforms_file_t *file);

#endif
