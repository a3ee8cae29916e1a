/*
 * pages.json (core/house.h) as the file has it now (conf_file.h).
 */

#ifndef LP_PAGES_FILE_H
#define LP_PAGES_FILE_H

#include "../core/house.h"

typedef struct lp_pages_file_s lp_pages_file_t;

/* path NULL: the built-in style. NULL and *reason: what is wrong with it. */
lp_pages_file_t *lp_pages_file_open(const char *path, const char **reason);

/* NULL is none. */
void lp_pages_file_close(lp_pages_file_t *pages);

/* As lp_conf_file_now(). NULL: the built-in style. */
const lp_houses_t *lp_pages_file_houses(lp_pages_file_t *pages);

#endif
