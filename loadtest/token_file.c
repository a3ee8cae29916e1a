/*
 * The mapped file: a page with its head, then the slots. What is not a whole
 * file of ours is refused before any of it is looked at.
 */

#include "token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../workers/say.h"

#define VERSION    1
#define HEAD_BYTES 4096
#define SLOTS_MAX  40000000

static const char magic[8] = {'L', 'P', 'T', 'O', 'K', 'E', 'N', '\n'};

/* The file is read only by the machine that wrote it, or one like it. */
typedef struct {
    char            magic[8];
    uint32_t        version;
    uint32_t        order; /* of bytes: 0x01020304 */
    lp_token_head_t head;
} first_page_t;

_Static_assert(sizeof(first_page_t) <= HEAD_BYTES, "the head fits its page");

uint64_t
lp_token_file_bytes(const lp_token_head_t *head)
{
    return HEAD_BYTES + (uint64_t) head->slots * head->slot_size;
}

/* Even, so that no length straddles two cache lines. */
uint32_t
lp_token_slot_size(size_t len)
{
    return (uint32_t) ((len + sizeof(uint16_t) + 7) / 8 * 8);
}

static unsigned char *
slot_of(const lp_token_file_t *file, uint32_t slot)
{
    return file->map + HEAD_BYTES + (size_t) slot * file->head.slot_size;
}

/* Opening */

static int
check_page(const first_page_t *page, const char *path, uint64_t size)
{
    const lp_token_head_t *head = &page->head;

    if (memcmp(page->magic, magic, sizeof(magic)) != 0) {
        lp_say("%s is no file of tokens of leerpoort-load", path);
        return -1;
    }
    if (page->version != VERSION || page->order != 0x01020304) {
        lp_say("%s is of another version of leerpoort-load, or of another kind"
               " of machine: mint it here", path);
        return -1;
    }
    if (head->slots == 0 || head->slots > SLOTS_MAX || head->slot_size < 8
        || head->slot_size > HEAD_BYTES
        || head->slot_size % 8 != 0 || head->exp <= head->iat) {
        lp_say("%s is damaged: its head makes no sense", path);
        return -1;
    }
    if (lp_token_file_bytes(head) != size) {
        lp_say("%s is damaged: it should have %" PRIu64 " bytes and has %"
               PRIu64, path, lp_token_file_bytes(head), size);
        return -1;
    }
    return 0;
}

static int
read_page(int fd, const char *path, first_page_t *page, uint64_t *size)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        lp_say("%s cannot be read: %s", path, strerror(errno));
        return -1;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < HEAD_BYTES
        || pread(fd, page, sizeof(*page), 0) != (ssize_t) sizeof(*page)) {
        lp_say("%s is no file of tokens of leerpoort-load", path);
        return -1;
    }
    *size = (uint64_t) st.st_size;
    return check_page(page, path, *size);
}

static int
map_file(lp_token_file_t *file, int fd, const char *path, int writing)
{
    void *map;

    map = mmap(NULL, file->size, writing ? PROT_READ | PROT_WRITE : PROT_READ,
               MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        lp_say("%s cannot be mapped: %s", path, strerror(errno));
        return -1;
    }
    file->map = map;
    return 0;
}

int
lp_token_file_open(lp_token_file_t *file, const char *path, int writing)
{
    first_page_t page;
    uint64_t     size;
    int          fd, rc;

    memset(file, 0, sizeof(*file));
    /* a pipe is refused by read_page(), and not waited for */
    fd = open(path, (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1 && errno == ENOENT) {
        return 1;
    }
    if (fd == -1) {
        lp_say("%s cannot be opened: %s", path, strerror(errno));
        return -1;
    }
    rc = read_page(fd, path, &page, &size);
    if (rc == 0) {
        file->head = page.head;
        file->size = (size_t) size;
        rc = map_file(file, fd, path, writing);
    }
    close(fd);
    return rc;
}

/* Making */

static void
say_no_room(const char *path, uint64_t size, int error)
{
    struct statvfs fs;
    char           folder[4096];
    const char    *slash = strrchr(path, '/');
    size_t         len = slash == NULL ? 0 : (size_t) (slash - path);

    if ((error == ENOSPC || error == EDQUOT) && len > 0 && len < sizeof(folder)
        && memcpy(folder, path, len) == folder) {
        folder[len] = '\0';
        if (statvfs(folder, &fs) == 0) {
            lp_say("the disk is full: %s needs %" PRIu64 " bytes and %" PRIu64
                   " are free", path, size,
                   (uint64_t) fs.f_bavail * fs.f_frsize);
            return;
        }
    }
    if (error == EFBIG) {
        lp_say("%s needs %" PRIu64 " bytes, and a file may not be that large"
               " here (ulimit -f)", path, size);
        return;
    }
    lp_say("%s, %" PRIu64 " bytes, cannot be made: %s", path, size,
           strerror(error));
}

/* All room is taken now: a page of a mapped file that finds no room kills its
   writer. */
static int
fill_file(int fd, const char *path, const lp_token_head_t *head)
{
    first_page_t page = {.version = VERSION, .order = 0x01020304};
    int          error;

    error = posix_fallocate(fd, 0, (off_t) lp_token_file_bytes(head));
    if (error != 0) {
        say_no_room(path, lp_token_file_bytes(head), error);
        return -1;
    }
    memcpy(page.magic, magic, sizeof(magic));
    page.head = *head;
    if (pwrite(fd, &page, sizeof(page), 0) != (ssize_t) sizeof(page)) {
        lp_say("%s cannot be written: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}

int
lp_token_file_create(lp_token_file_t *file, const char *path,
                     const lp_token_head_t *head)
{
    int fd, rc;

    memset(file, 0, sizeof(*file));
    file->head = *head;
    file->size = (size_t) lp_token_file_bytes(head);
    unlink(path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd == -1) {
        lp_say("%s cannot be made: %s", path, strerror(errno));
        return -1;
    }
    rc = fill_file(fd, path, head);
    if (rc == 0) {
        rc = map_file(file, fd, path, 1);
    }
    close(fd);
    if (rc != 0) {
        unlink(path);
    }
    return rc;
}

void
lp_token_file_close(lp_token_file_t *file)
{
    if (file->map != NULL) {
        munmap(file->map, file->size);
        file->map = NULL;
    }
}

int
lp_token_file_sync(const lp_token_file_t *file, const char *path)
{
    if (msync(file->map, file->size, MS_SYNC) != 0) {
        lp_say("%s cannot be written: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}

/* Slots */

/*
 * The ends are looked at too: after a power failure the page with a length may
 * be there and its neighbour not, which then is zeros.
 */
lp_span_t
lp_token_file_get(const lp_token_file_t *file, uint32_t slot)
{
    const lp_span_t      none = {NULL, 0};
    const unsigned char *p;
    uint16_t             len;

    if (file->map == NULL || slot >= file->head.slots) {
        return none;
    }
    p = slot_of(file, slot);
    len = __atomic_load_n((const uint16_t *) (const void *) p,
                          __ATOMIC_ACQUIRE);
    p += sizeof(len);
    if (len == 0 || len > file->head.slot_size - sizeof(len) || p[0] == 0
        || p[len - 1] == 0) {
        return none;
    }
    return (lp_span_t) {(const char *) p, len};
}

void
lp_token_file_put(lp_token_file_t *file, uint32_t slot, lp_span_t token)
{
    unsigned char *p = slot_of(file, slot);

    memcpy(p + sizeof(uint16_t), token.data, token.len);
    __atomic_store_n((uint16_t *) (void *) p, (uint16_t) token.len,
                     __ATOMIC_RELEASE);
}

uint32_t
lp_token_file_count(const lp_token_file_t *file)
{
    uint32_t slot, n = 0;

    for (slot = 0; slot < file->head.slots; slot++) {
        n += lp_token_file_get(file, slot).len > 0;
    }
    return n;
}
