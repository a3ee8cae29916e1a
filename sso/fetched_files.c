/*
 * A reader sees the old file or the new one, never half of one, also after the
 * power went: it is written beside, brought to disk, and renamed. One that
 * holds the same stays untouched, so that nobody reads keys again for nothing.
 *
 * What root writes here (an operator who tries --once) is the folder's owner's,
 * as whom leerpoort-keys runs: else it could not write there any more.
 */

#include "fetched_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../workers/say.h"

#define LOCK     ".lock"
#define FILE_MAX 128 /* bytes of a file's name */

struct lp_folder_s {
    int fd;   /* the folder */
    int lock; /* its lock file */
};

/* A file that is new. */
static int
give_away(const lp_folder_t *folder, int fd)
{
    struct stat st;

    if (geteuid() != 0) {
        return 0;
    }
    return fstat(folder->fd, &st) == 0 ? fchown(fd, st.st_uid, st.st_gid)
                                       : -1;
}

static int
open_lock(const lp_folder_t *folder)
{
    int fd = openat(folder->fd, LOCK,
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd == -1 && errno == EEXIST) {
        return openat(folder->fd, LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd != -1 && give_away(folder, fd) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

lp_folder_t *
lp_folder_open(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    lp_folder_t *folder = calloc(1, sizeof(*folder));

    if (folder == NULL) {
        lp_say("out of memory");
        return NULL;
    }
    folder->lock = -1;
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd != -1) {
        folder->lock = open_lock(folder);
    }
    if (folder->lock == -1) {
        lp_say("can't write into the folder %s: %s", path, strerror(errno));
    } else if (fcntl(folder->lock, F_OFD_SETLK, &whole) != 0) {
        lp_say("another leerpoort-keys writes into %s", path);
    } else {
        return folder;
    }
    lp_folder_close(folder);
    return NULL;
}

void
lp_folder_close(lp_folder_t *folder)
{
    if (folder == NULL) {
        return;
    }
    if (folder->lock != -1) {
        close(folder->lock);
    }
    if (folder->fd != -1) {
        close(folder->fd);
    }
    free(folder);
}

int
lp_folder_locked(const char *path)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int          fd, lock, locked = 0;

    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return -1;
    }
    lock = openat(fd, LOCK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    close(fd);
    if (lock != -1) {
        locked = fcntl(lock, F_OFD_GETLK, &whole) == 0
                 && whole.l_type != F_UNLCK;
        close(lock);
    }
    return locked;
}

static int
name_file(char *dst, const char *prefix, const char *name, const char *suffix)
{
    int n;

    if (strchr(name, '/') != NULL) {
        errno = EINVAL;
        return -1;
    }
    n = snprintf(dst, FILE_MAX, "%s%s%s%s", prefix, name, suffix,
                 *prefix == '.' ? ".new" : "");
    errno = ENAMETOOLONG;
    return n < FILE_MAX ? 0 : -1;
}

char *
lp_folder_get(lp_folder_t *folder, const char *name, const char *suffix,
              size_t max)
{
    char    file[FILE_MAX], *text;
    ssize_t n = -1;
    int     fd;

    if (name_file(file, "", name, suffix) != 0) {
        return NULL;
    }
    fd = openat(folder->fd, file,
                O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd == -1) {
        return NULL;
    }
    text = malloc(max + 1);
    if (text != NULL) {
        n = read(fd, text, max + 1);
    }
    close(fd);
    if (n < 0 || (size_t) n > max) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

static int
holds(lp_folder_t *folder, const char *name, const char *suffix,
      lp_span_t text)
{
    char *old = lp_folder_get(folder, name, suffix, text.len);
    int   same = old != NULL && lp_span_equal(lp_span_of(old), text);

    free(old);
    return same;
}

static int
write_all(int fd, lp_span_t text)
{
    ssize_t n;

    while (text.len > 0) {
        n = write(fd, text.data, text.len);
        if (n == -1 && errno != EINTR) {
            return -1;
        }
        if (n > 0) {
            text.data += n;
            text.len -= (size_t) n;
        }
    }
    return 0;
}

/* A file that is on disk, or none. */
static int
write_beside(lp_folder_t *folder, const char *beside, lp_span_t text)
{
    int fd, rc, error;

    unlinkat(folder->fd, beside, 0);
    fd = openat(folder->fd, beside,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd == -1) {
        return -1;
    }
    rc = write_all(fd, text) == 0 && fchmod(fd, 0644) == 0
                 && give_away(folder, fd) == 0 && fsync(fd) == 0
             ? 0
             : -1;
    error = errno;
    if (close(fd) != 0 && rc == 0) {
        rc = -1;
        error = errno;
    }
    if (rc != 0) {
        unlinkat(folder->fd, beside, 0);
    }
    errno = error;
    return rc;
}

int
lp_folder_put(lp_folder_t *folder, const char *name, const char *suffix,
              lp_span_t text)
{
    char file[FILE_MAX], beside[FILE_MAX];

    if (name_file(file, "", name, suffix) != 0
        || name_file(beside, ".", name, suffix) != 0) {
        return -1;
    }
    if (holds(folder, name, suffix, text)) {
        return 0;
    }
    if (write_beside(folder, beside, text) != 0
        || renameat(folder->fd, beside, folder->fd, file) != 0) {
        return -1;
    }
    return fsync(folder->fd) == 0 ? 1 : -1;
}
