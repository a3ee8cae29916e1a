/*
 * A configuration file as it is now: looked at once a second at most, when
 * somebody asks, and read again where it changed. A new file counts only when
 * all of it is right; a broken one is complained of once and leaves the old one
 * in force.
 */

#ifndef LP_CONF_FILE_H
#define LP_CONF_FILE_H

#include "conf_members.h"

/* How one kind of file is read. */
typedef struct {
    const char *what; /* "the providers": that stay as they were */
    size_t      max;  /* bytes */

    /* A reading of text; folder: what relative names of files begin at. NULL,
       and reason (LP_CONF_REASON_MAX bytes): what is wrong, and where. */
    void     *(*read)(lp_span_t text, const char *folder, char *reason);
    void      (*free)(void *reading);
} lp_conf_reader_t;

typedef struct lp_conf_file_s lp_conf_file_t;

/* path NULL: there is no file. NULL and *reason (good until the next failure):
   it can't be used. */
lp_conf_file_t *lp_conf_file_open(const lp_conf_reader_t *reader,
                                  const char *path, const char **reason);

/* NULL is none. */
void lp_conf_file_close(lp_conf_file_t *file);

/*
 * The reading in force; NULL: there is no file. Another pointer is another
 * reading. It stays good for seconds after it was replaced: longer than a turn
 * of any loop in which others ask too.
 */
void *lp_conf_file_now(lp_conf_file_t *file);

#endif
