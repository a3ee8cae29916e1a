/*
 * What an import says: how far it is, while it runs; what it came to, at its
 * end.
 */

#ifndef LP_IMPORT_REPORT_H
#define LP_IMPORT_REPORT_H

#include <stdint.h>

#include "command_line.h"

typedef enum {
    LP_IMPORT_APPLIED = 0,
    LP_IMPORT_REPEATED,
    LP_IMPORT_STALE,
    LP_IMPORT_OUTCOMES
} lp_import_outcome_t;

typedef struct lp_import_report_s lp_import_report_t;

/*
 * size: bytes of all that is to be read, 0 where nobody knows. Opens the file
 * of --errors. NULL after saying why.
 */
lp_import_report_t *lp_import_report_open(const lp_args_t *args, uint64_t size);

void lp_import_count(lp_import_report_t *report, lp_import_outcome_t outcome);

/* status: an LP_CODE_...; reason holds no id of a person. */
void lp_import_refuse(lp_import_report_t *report, uint64_t line, int status,
                      const char *reason);

/* taken: bytes that were read so far. Writes at most a few times a second. */
void lp_import_progress(lp_import_report_t *report, uint64_t taken);

/*
 * Writes the summary to standard output and releases. stopped: why the import
 * ended early, NULL where it did not; line: from which on it is to be resumed.
 * Returns LP_YES where every line was taken in, else LP_NO.
 */
int lp_import_report_close(lp_import_report_t *report, const char *stopped,
                           uint64_t line);

#endif
