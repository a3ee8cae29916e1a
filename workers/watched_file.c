/*
 * A file counts as changed by inode, size or time of change in nanoseconds:
 * who replaces it by rename, as is proper, changes the first.
 */

#include "watched_file.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

int
lp_watched_changed(lp_watched_t *watched, const char *path)
{
    lp_watched_t now;
    struct stat  st;

    memset(&now, 0, sizeof(now));
    if (stat(path, &st) == 0) {
        now.device = st.st_dev;
        now.inode = st.st_ino;
        now.size = st.st_size;
        now.seconds = st.st_mtim.tv_sec;
        now.nanoseconds = st.st_mtim.tv_nsec;
    }
    if (now.device == watched->device && now.inode == watched->inode
        && now.size == watched->size && now.seconds == watched->seconds
        && now.nanoseconds == watched->nanoseconds) {
        return 0;
    }
    *watched = now;
    return 1;
}

int64_t
lp_watched_clock(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec;
}
