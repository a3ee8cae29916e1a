/*
 * The folder in which what was fetched lies: one process writes, many read.
 */

#ifndef LP_FETCHED_FILES_H
#define LP_FETCHED_FILES_H

#include "../core/span.h"

typedef struct lp_folder_s lp_folder_t;

/*
 * Opens the folder, and locks it against every other writer until it is closed
 * or the process ends. NULL after lp_say().
 */
lp_folder_t *lp_folder_open(const char *path);
void lp_folder_close(lp_folder_t *folder);

/* 1 where somebody has it locked; 0 where nobody has; -1: there is no such
   folder. Takes nothing. */
int lp_folder_locked(const char *path);

/*
 * Makes <name><suffix> hold this text, by a new file in place of the old one
 * (mode 0644, on disk before it is seen). Returns 1; 0 where it held the same
 * already, and was not touched; -1: errno.
 */
int lp_folder_put(lp_folder_t *folder, const char *name, const char *suffix,
                  lp_span_t text);

/* The text of <name><suffix>, at most max bytes, NUL-terminated, to be freed;
   NULL: not there, or not readable. */
char *lp_folder_get(lp_folder_t *folder, const char *name, const char *suffix,
                    size_t max);

#endif
