/*
 * What the imports share: the file, the connection, the report.
 */

#ifndef LP_IMPORT_H
#define LP_IMPORT_H

#include "import_report.h"
#include "ndjson.h"
#include "service.h"

typedef struct {
    const lp_args_t    *args;
    lp_service_t        service; /* store; pepper where there are persons */
    int                 file;
    int                 halt;    /* readable (eventfd): read no more */
    lp_ndjson_t        *lines;
    lp_import_report_t *report;
    uint64_t            from;    /* lines before it are passed over */
    const char         *stopped; /* why it ended early; NULL: it did not */
    uint64_t            resume;  /* the first line that is not stored */
} lp_import_t;

/* Runs to the end of the file, or until import->stopped is set. */
void lp_import_entitlements(lp_import_t *import, lp_span_t party, int confirm);
void lp_import_products(lp_import_t *import);
void lp_import_schools(lp_import_t *import);

/* Waits a moment where Redis failed and may be back soon. *left: tries that are
   left, LP_IMPORT_TRIES at first. 0: try again; -1: none is left. */
int lp_import_wait(unsigned *left);

#define LP_IMPORT_TRIES 50

#endif
