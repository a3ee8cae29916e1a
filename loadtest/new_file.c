/*
 * The bytes are known before the disk is touched, so that a disk that is full
 * can be told by how much. fsync() of the file before the rename, of the folder
 * after it: a machine that loses power right after a rehearsal still has it.
 */

#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "../workers/say.h"

static int write_all(int fd, const char *bytes, size_t len);
static void sync_folder(const char *folder);


int
lp_file_path(char dst[LP_FILE_MAX], const char *folder, const char *name)
{
    int n = snprintf(dst, LP_FILE_MAX, "%s/%s", folder, name);

    if (n < 0 || n >= LP_FILE_MAX) {
        lp_say("the path %.64s... is too long", folder);
        return -1;
    }

    return 0;
}


const char *
lp_file_odd(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode)) {
        return NULL;
    }

    return S_ISDIR(st.st_mode) ? "is a folder, and no file"
                               : "is no file, but a pipe or a device";
}


int
lp_new_file(const char *folder, const char *name, unsigned mode,
            const char *bytes, size_t len)
{
    char path[LP_FILE_MAX], fresh[LP_FILE_MAX + 8];
    int  fd, error;

    if (lp_file_path(path, folder, name) != 0) {
        return -1;
    }

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t) mode);
    if (fd == -1) {
        lp_new_file_explain(folder, name, len, errno);
        return -1;
    }

    error = write_all(fd, bytes, len);
    if (error == 0 && fsync(fd) != 0) {
        error = errno;
    }
    if (close(fd) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && rename(fresh, path) != 0) {
        error = errno;
    }

    if (error != 0) {
        unlink(fresh);
        lp_new_file_explain(folder, name, len, error);
        return -1;
    }

    sync_folder(folder);

    return 0;
}


/* 0, or an errno. */
static int
write_all(int fd, const char *bytes, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = write(fd, bytes, len);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? ENOSPC : errno;
        }
        bytes += n;
        len -= (size_t) n;
    }

    return 0;
}


static void
sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd != -1) {
        (void) fsync(fd);
        close(fd);
    }
}


void
lp_new_file_explain(const char *folder, const char *name, size_t bytes,
                    int error)
{
    struct statvfs disk;
    uint64_t       room, needed = (bytes + 1023) / 1024;

    if ((error == ENOSPC || error == EDQUOT) && statvfs(folder, &disk) == 0) {
        room = (uint64_t) disk.f_bavail * disk.f_frsize / 1024;
        if (bytes > 0 && room < needed) {
            lp_say("%s/%s: the disk is full: %ju kB are needed, %ju kB are "
                   "free, %ju kB are missing", folder, name,
                   (uintmax_t) needed, (uintmax_t) room,
                   (uintmax_t) (needed - room));
            return;
        }

        lp_say("%s/%s: the disk is full (%ju kB are free)%s", folder, name,
               (uintmax_t) room,
               error == EDQUOT ? ": the user's quota is used up" : "");
        return;
    }

    lp_say("%s/%s: cannot be written: %s", folder, name, strerror(error));
}
