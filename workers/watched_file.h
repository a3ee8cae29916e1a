/*
 * Whether a file is still the one that was looked at last: for files that
 * others replace while a worker runs.
 */

#ifndef LP_WATCHED_FILE_H
#define LP_WATCHED_FILE_H

#include <stdint.h>
#include <sys/types.h>

/* What stat() says of a file; all zeros where there is none. */
typedef struct {
    dev_t   device;
    ino_t   inode;
    off_t   size;
    int64_t seconds; /* of its last change */
    long    nanoseconds;
} lp_watched_t;

/* Looks at path: 1 where it is another file than *watched says, which then is
   brought up to date; 0 where it is the same. */
int lp_watched_changed(lp_watched_t *watched, const char *path);

/* Seconds of a clock that nobody sets. */
int64_t lp_watched_clock(void);

#endif
