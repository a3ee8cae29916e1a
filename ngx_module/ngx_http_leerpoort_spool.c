/*
 * The spool: batches of usage on disk while Redis can't take them. Run by each
 * nginx worker; nothing here waits for anything but the disk.
 *
 * A worker writes one file, `<producer>.usage`, made when it is first needed:
 * a header, then records, each a header and a batch's lines. Whoever holds the
 * file's lock (flock) owns it. A worker that dies lets go of it, and another
 * one, which looks once a second, adopts it. The owner sends the records
 * again, oldest first, and removes the file once Redis has them all; how far
 * it has got stands in the file's header, so that whoever adopts it goes on
 * from there. Sending one twice is harmless: the tally knows it by its number.
 *
 * A record is written by one write(2) at the end. What a worker that died, or
 * a full disk, left half written is the tail of the file: the first record
 * that is not whole, by its length or its checksum, ends the file. Its events
 * were still in their worker's memory and are counted with that. Nothing is
 * synced: a machine that loses its power may lose what is in its page cache.
 *
 * The files hold user keys, no ids: mode 0600, never opened through a symbolic
 * link, nor when another user's. All workers together take `spool_size` bytes.
 */

#include "ngx_http_leerpoort_usage.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/uio.h>

#define NGX_HTTP_LEERPOORT_SPOOL_FILES  64 /* of others, adopted at once */
#define NGX_HTTP_LEERPOORT_SPOOL_NAME                                         \
    (NGX_HTTP_LEERPOORT_PRODUCER + sizeof(".usage"))

/* In the byte order of the machine: no file leaves it. */
typedef struct {
    u_char           magic[8];
    u_char           producer[NGX_HTTP_LEERPOORT_PRODUCER];
    uint64_t         done;     /* where the first record stands that counts */
} ngx_http_leerpoort_spool_head_t;

typedef struct {
    uint32_t         magic;
    uint32_t         checksum; /* CRC-32 of what follows it */
    uint64_t         sequence;
    uint32_t         shard;
    uint32_t         events;
    uint32_t         len;      /* of the lines */
    uint32_t         zero;
} ngx_http_leerpoort_record_t;

typedef struct {
    ngx_fd_t         fd;
    off_t            done;     /* records before this one are in Redis */
    off_t            at;       /* the next to be handed out */
    off_t            size;
    u_char           producer[NGX_HTTP_LEERPOORT_PRODUCER];
} ngx_http_leerpoort_spool_file_t;

static ngx_int_t ngx_http_leerpoort_spool_write(
    ngx_http_leerpoort_spool_file_t *file, ngx_http_leerpoort_batch_t *batch);
static uint32_t ngx_http_leerpoort_record_checksum(
    const ngx_http_leerpoort_record_t *record, u_char *lines);
static ngx_int_t ngx_http_leerpoort_spool_create(
    ngx_http_leerpoort_spool_file_t *file);
static ngx_int_t ngx_http_leerpoort_spool_owned(ngx_fd_t fd);
static ngx_uint_t ngx_http_leerpoort_spool_named(const char *name);
static void ngx_http_leerpoort_spool_take(const char *name);
static ngx_int_t ngx_http_leerpoort_spool_head(
    ngx_http_leerpoort_spool_file_t *file, const char *name);
static ngx_http_leerpoort_spool_file_t *ngx_http_leerpoort_spool_file(
    ngx_uint_t i);
static ngx_http_leerpoort_batch_t *ngx_http_leerpoort_spool_read(
    ngx_http_leerpoort_spool_file_t *file);
static void ngx_http_leerpoort_spool_cut(
    ngx_http_leerpoort_spool_file_t *file);
static void ngx_http_leerpoort_spool_commit(
    ngx_http_leerpoort_spool_file_t *file);
static void ngx_http_leerpoort_spool_remove(
    ngx_http_leerpoort_spool_file_t *file);
static void ngx_http_leerpoort_spool_sum(void);
static void ngx_http_leerpoort_spool_complain(const char *what,
    ngx_err_t err);

static const u_char  ngx_http_leerpoort_spool_magic[8] = "LPUSAGE1";

#define NGX_HTTP_LEERPOORT_RECORD_MAGIC  0x6c707265 /* "lpre" */

/* The files of this worker: its own is the last, the oldest goes first. */
static struct {
    const ngx_http_leerpoort_usage_conf_t  *conf;
    ngx_http_leerpoort_held_t              *held;
    ngx_log_t                              *log;
    ngx_fd_t                                folder; /* -1: no spool */
    ngx_uint_t                              adopted;
    ngx_http_leerpoort_spool_file_t         files[
                                        NGX_HTTP_LEERPOORT_SPOOL_FILES];
    ngx_http_leerpoort_spool_file_t         own; /* fd -1: not made yet */
} ngx_http_leerpoort_spool = { .folder = -1 };


void
ngx_http_leerpoort_spool_init(const ngx_http_leerpoort_usage_conf_t *conf,
    const u_char *producer, ngx_http_leerpoort_held_t *held, ngx_log_t *log)
{
    ngx_http_leerpoort_spool.conf = conf;
    ngx_http_leerpoort_spool.held = held;
    ngx_http_leerpoort_spool.log = log;
    ngx_http_leerpoort_spool.own.fd = -1;
    ngx_memcpy(ngx_http_leerpoort_spool.own.producer, producer,
               NGX_HTTP_LEERPOORT_PRODUCER);

    if (conf->spool.len == 0) {
        return;
    }

    ngx_http_leerpoort_spool.folder = open((char *) conf->spool.data,
                                           O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (ngx_http_leerpoort_spool.folder == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "leerpoort: can't open the spool \"%V\": usage is "
                      "dropped while Redis is away", &conf->spool);
    }
}


ngx_int_t
ngx_http_leerpoort_spool_append(ngx_http_leerpoort_batch_t *batch)
{
    uint64_t                          used;
    ngx_http_leerpoort_spool_file_t  *file;

    if (ngx_http_leerpoort_spool.folder == -1) {
        return NGX_DECLINED;
    }

    used = ngx_http_leerpoort_slots_held(ngx_http_leerpoort_zone_here)
           .spool_bytes;

    if (used + sizeof(ngx_http_leerpoort_spool_head_t)
        + sizeof(ngx_http_leerpoort_record_t) + batch->len
        > (uint64_t) ngx_http_leerpoort_spool.conf->spool_size)
    {
        ngx_http_leerpoort_spool_complain("is full", 0);
        return NGX_DECLINED;
    }

    file = &ngx_http_leerpoort_spool.own;

    if ((file->fd == -1 && ngx_http_leerpoort_spool_create(file) != NGX_OK)
        || ngx_http_leerpoort_spool_write(file, batch) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_leerpoort_spool_sum();

    return NGX_OK;
}


/* All of the record, or nothing. */
static ngx_int_t
ngx_http_leerpoort_spool_write(ngx_http_leerpoort_spool_file_t *file,
    ngx_http_leerpoort_batch_t *batch)
{
    ssize_t                      n;
    struct iovec                 parts[2];
    ngx_http_leerpoort_record_t  record;

    ngx_memzero(&record, sizeof(record));
    record.magic = NGX_HTTP_LEERPOORT_RECORD_MAGIC;
    record.sequence = batch->sequence;
    record.shard = batch->shard;
    record.events = batch->events;
    record.len = batch->len;
    record.checksum = ngx_http_leerpoort_record_checksum(&record,
                                      ngx_http_leerpoort_batch_lines(batch));

    parts[0].iov_base = &record;
    parts[0].iov_len = sizeof(record);
    parts[1].iov_base = ngx_http_leerpoort_batch_lines(batch);
    parts[1].iov_len = batch->len;

    n = pwritev(file->fd, parts, 2, file->size);

    if (n != (ssize_t) (sizeof(record) + batch->len)) {
        ngx_http_leerpoort_spool_complain("can't be written",
                                          n < 0 ? ngx_errno : 0);

        if (n > 0 && ftruncate(file->fd, file->size) == -1) {
            ngx_http_leerpoort_spool_complain("can't be cut", ngx_errno);
        }

        return NGX_ERROR;
    }

    file->size += n;

    return NGX_OK;
}


static uint32_t
ngx_http_leerpoort_record_checksum(const ngx_http_leerpoort_record_t *record,
    u_char *lines)
{
    size_t       skip;
    uint32_t     crc;

    skip = offsetof(ngx_http_leerpoort_record_t, sequence);

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, (u_char *) record + skip, sizeof(*record) - skip);
    ngx_crc32_update(&crc, lines, record->len);
    ngx_crc32_final(crc);

    return crc;
}


/*
 * This worker's file. Between open() and flock() another worker may take it
 * for a dead one's, find it empty and remove it: then it is tried again later.
 */
static ngx_int_t
ngx_http_leerpoort_spool_create(ngx_http_leerpoort_spool_file_t *file)
{
    char                             name[NGX_HTTP_LEERPOORT_SPOOL_NAME];
    ngx_http_leerpoort_spool_head_t  head;

    (void) ngx_snprintf((u_char *) name, sizeof(name), "%*s.usage%Z",
                        (size_t) NGX_HTTP_LEERPOORT_PRODUCER, file->producer);

    file->fd = openat(ngx_http_leerpoort_spool.folder, name,
                      O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);
    if (file->fd == -1) {
        ngx_http_leerpoort_spool_complain("takes no file", ngx_errno);
        return NGX_ERROR;
    }

    ngx_memcpy(head.magic, ngx_http_leerpoort_spool_magic,
               sizeof(head.magic));
    ngx_memcpy(head.producer, file->producer, NGX_HTTP_LEERPOORT_PRODUCER);
    head.done = sizeof(head);

    if (ngx_http_leerpoort_spool_owned(file->fd) == NGX_OK
        && pwrite(file->fd, &head, sizeof(head), 0) == sizeof(head))
    {
        file->done = sizeof(head);
        file->at = sizeof(head);
        file->size = sizeof(head);
        return NGX_OK;
    }

    ngx_http_leerpoort_spool_complain("takes no file", ngx_errno);
    ngx_http_leerpoort_spool_remove(file);

    return NGX_ERROR;
}


/* Locks a file; NGX_DECLINED where it is another's, or gone meanwhile. */
static ngx_int_t
ngx_http_leerpoort_spool_owned(ngx_fd_t fd)
{
    struct stat  st;

    if (flock(fd, LOCK_EX|LOCK_NB) == -1 || fstat(fd, &st) == -1) {
        return NGX_DECLINED;
    }

    return st.st_nlink == 1 ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_leerpoort_spool_adopt(void)
{
    int             fd;
    DIR            *folder;
    struct dirent  *entry;

    if (ngx_http_leerpoort_spool.folder == -1) {
        return;
    }

    fd = openat(ngx_http_leerpoort_spool.folder, ".",
                O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    folder = fdopendir(fd);
    if (folder == NULL) {
        (void) close(fd);
        return;
    }

    while (ngx_http_leerpoort_spool.adopted < NGX_HTTP_LEERPOORT_SPOOL_FILES
           && (entry = readdir(folder)) != NULL)
    {
        if (ngx_http_leerpoort_spool_named(entry->d_name)) {
            ngx_http_leerpoort_spool_take(entry->d_name);
        }
    }

    (void) closedir(folder);
    ngx_http_leerpoort_spool_sum();
}


/* Is it the name of a spool file that this worker has not got? */
static ngx_uint_t
ngx_http_leerpoort_spool_named(const char *name)
{
    ngx_uint_t  i;

    if (strlen(name) != NGX_HTTP_LEERPOORT_SPOOL_NAME - 1
        || strspn(name, "0123456789abcdef") != NGX_HTTP_LEERPOORT_PRODUCER
        || strcmp(name + NGX_HTTP_LEERPOORT_PRODUCER, ".usage") != 0
        || ngx_memcmp(name, ngx_http_leerpoort_spool.own.producer,
                      NGX_HTTP_LEERPOORT_PRODUCER) == 0)
    {
        return 0;
    }

    for (i = 0; i < ngx_http_leerpoort_spool.adopted; i++) {
        if (ngx_memcmp(name, ngx_http_leerpoort_spool.files[i].producer,
                       NGX_HTTP_LEERPOORT_PRODUCER) == 0)
        {
            return 0;
        }
    }

    return 1;
}


/* Adopts a file, unless its owner lives. */
static void
ngx_http_leerpoort_spool_take(const char *name)
{
    struct stat                       st;
    ngx_http_leerpoort_spool_file_t  *file;

    file = &ngx_http_leerpoort_spool.files[ngx_http_leerpoort_spool.adopted];

    file->fd = openat(ngx_http_leerpoort_spool.folder, name,
                      O_RDWR|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);
    if (file->fd == -1) {
        if (ngx_errno != NGX_ENOENT) {
            ngx_http_leerpoort_spool_complain("has a file that can't be "
                                              "opened", ngx_errno);
        }
        return;
    }

    if (fstat(file->fd, &st) == -1 || !S_ISREG(st.st_mode)
        || st.st_uid != geteuid() || (st.st_mode & 0077))
    {
        ngx_http_leerpoort_spool_complain("has a file that is not the "
                                          "workers' own, mode 0600", 0);

    } else if (ngx_http_leerpoort_spool_owned(file->fd) == NGX_OK
               && fstat(file->fd, &st) == 0)
    {
        file->size = st.st_size;
        ngx_memcpy(file->producer, name, NGX_HTTP_LEERPOORT_PRODUCER);

        if (ngx_http_leerpoort_spool_head(file, name) == NGX_OK) {
            ngx_http_leerpoort_spool.adopted++;
            return;
        }
    }

    if (file->fd != -1) {
        (void) close(file->fd);
    }
}


/*
 * Reads where to go on. A file without a whole header, or without records, is
 * removed; one that something else wrote is left alone.
 */
static ngx_int_t
ngx_http_leerpoort_spool_head(ngx_http_leerpoort_spool_file_t *file,
    const char *name)
{
    ngx_http_leerpoort_spool_head_t  head;

    if (file->size <= (off_t) sizeof(head)) {
        ngx_http_leerpoort_spool_remove(file);
        return NGX_DECLINED;
    }

    if (pread(file->fd, &head, sizeof(head), 0) != sizeof(head)
        || ngx_memcmp(head.magic, ngx_http_leerpoort_spool_magic,
                      sizeof(head.magic)) != 0
        || ngx_memcmp(head.producer, name, NGX_HTTP_LEERPOORT_PRODUCER) != 0)
    {
        ngx_http_leerpoort_spool_complain("has a file that is no spool file",
                                          0);
        return NGX_DECLINED;
    }

    if (head.done < sizeof(head) || head.done > (uint64_t) file->size) {
        head.done = sizeof(head);
    }

    file->done = (off_t) head.done;
    file->at = file->done;

    return NGX_OK;
}


ngx_http_leerpoort_batch_t *
ngx_http_leerpoort_spool_next(void)
{
    ngx_uint_t                        i;
    ngx_http_leerpoort_batch_t       *batch;
    ngx_http_leerpoort_spool_file_t  *file;

    for (i = 0; i <= ngx_http_leerpoort_spool.adopted; i++) {
        file = ngx_http_leerpoort_spool_file(i);

        if (file->fd == -1 || file->at == file->size) {
            continue;
        }

        batch = ngx_http_leerpoort_spool_read(file);

        if (batch) {
            file->at += (off_t) sizeof(ngx_http_leerpoort_record_t)
                        + batch->len;
            return batch;
        }
    }

    return NULL;
}


/* The adopted ones, then this worker's own. */
static ngx_http_leerpoort_spool_file_t *
ngx_http_leerpoort_spool_file(ngx_uint_t i)
{
    return i < ngx_http_leerpoort_spool.adopted
           ? &ngx_http_leerpoort_spool.files[i]
           : &ngx_http_leerpoort_spool.own;
}


static ngx_http_leerpoort_batch_t *
ngx_http_leerpoort_spool_read(ngx_http_leerpoort_spool_file_t *file)
{
    off_t                        left;
    ngx_http_leerpoort_batch_t  *batch;
    ngx_http_leerpoort_record_t  record;

    left = file->size - file->at - (off_t) sizeof(record);

    if (left < 0
        || pread(file->fd, &record, sizeof(record), file->at)
           != sizeof(record)
        || record.magic != NGX_HTTP_LEERPOORT_RECORD_MAGIC
        || record.len > NGX_HTTP_LEERPOORT_BATCH_MAX || record.len > left
        || record.shard >= LP_SHARDS)
    {
        ngx_http_leerpoort_spool_cut(file);
        return NULL;
    }

    batch = ngx_alloc(sizeof(ngx_http_leerpoort_batch_t) + record.len,
                      ngx_http_leerpoort_spool.log);
    if (batch == NULL) {
        return NULL;
    }

    if (pread(file->fd, ngx_http_leerpoort_batch_lines(batch), record.len,
              file->at + (off_t) sizeof(record))
        != (ssize_t) record.len
        || ngx_http_leerpoort_record_checksum(&record,
                                       ngx_http_leerpoort_batch_lines(batch))
           != record.checksum)
    {
        ngx_free(batch);
        ngx_http_leerpoort_spool_cut(file);
        return NULL;
    }

    ngx_memcpy(batch->producer, file->producer, NGX_HTTP_LEERPOORT_PRODUCER);
    batch->sequence = record.sequence;
    batch->shard = record.shard;
    batch->events = record.events;
    batch->len = record.len;
    batch->spooled = 1;

    return batch;
}


/* What follows is not whole: the file ends here. */
static void
ngx_http_leerpoort_spool_cut(ngx_http_leerpoort_spool_file_t *file)
{
    ngx_log_error(NGX_LOG_ERR, ngx_http_leerpoort_spool.log, 0,
                  "leerpoort: the last %O bytes of a file in the spool \"%V\" "
                  "are not whole and are cut off", file->size - file->at,
                  &ngx_http_leerpoort_spool.conf->spool);

    if (ftruncate(file->fd, file->at) == -1) {
        ngx_http_leerpoort_spool_complain("can't be cut", ngx_errno);
    }

    file->size = file->at;
    ngx_http_leerpoort_spool_sum();
}


void
ngx_http_leerpoort_spool_done(void)
{
    ngx_uint_t                        i, n;
    ngx_http_leerpoort_spool_file_t  *file;

    n = 0;

    for (i = 0; i < ngx_http_leerpoort_spool.adopted; i++) {
        file = &ngx_http_leerpoort_spool.files[i];
        ngx_http_leerpoort_spool_commit(file);

        if (file->fd != -1) {
            ngx_http_leerpoort_spool.files[n++] = *file;
        }
    }

    ngx_http_leerpoort_spool.adopted = n;
    ngx_http_leerpoort_spool_commit(&ngx_http_leerpoort_spool.own);
    ngx_http_leerpoort_spool_sum();
}


static void
ngx_http_leerpoort_spool_commit(ngx_http_leerpoort_spool_file_t *file)
{
    uint64_t  done;

    if (file->fd == -1) {
        return;
    }

    if (file->at == file->size) {
        ngx_http_leerpoort_spool_remove(file);
        return;
    }

    if (file->at == file->done) {
        return;
    }

    file->done = file->at;
    done = (uint64_t) file->done;

    if (pwrite(file->fd, &done, sizeof(done),
               offsetof(ngx_http_leerpoort_spool_head_t, done))
        != sizeof(done))
    {
        ngx_http_leerpoort_spool_complain("can't be written", ngx_errno);
    }
}


void
ngx_http_leerpoort_spool_again(void)
{
    ngx_uint_t                        i;
    ngx_http_leerpoort_spool_file_t  *file;

    for (i = 0; i <= ngx_http_leerpoort_spool.adopted; i++) {
        file = ngx_http_leerpoort_spool_file(i);
        file->at = file->done;
    }
}


void
ngx_http_leerpoort_spool_close(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_http_leerpoort_spool.adopted; i++) {
        (void) close(ngx_http_leerpoort_spool.files[i].fd);
    }

    if (ngx_http_leerpoort_spool.folder != -1) {
        if (ngx_http_leerpoort_spool.own.fd != -1) {
            (void) close(ngx_http_leerpoort_spool.own.fd);
        }

        (void) close(ngx_http_leerpoort_spool.folder);
    }

    ngx_http_leerpoort_spool.adopted = 0;
    ngx_http_leerpoort_spool.own.fd = -1;
    ngx_http_leerpoort_spool.folder = -1;
}


/* The name goes before the lock: nobody finds it and thinks it abandoned. */
static void
ngx_http_leerpoort_spool_remove(ngx_http_leerpoort_spool_file_t *file)
{
    char         name[NGX_HTTP_LEERPOORT_SPOOL_NAME];
    struct stat  st, named;

    (void) ngx_snprintf((u_char *) name, sizeof(name), "%*s.usage%Z",
                        (size_t) NGX_HTTP_LEERPOORT_PRODUCER, file->producer);

    if (fstat(file->fd, &st) == 0
        && fstatat(ngx_http_leerpoort_spool.folder, name, &named,
                   AT_SYMLINK_NOFOLLOW) == 0
        && st.st_ino == named.st_ino && st.st_dev == named.st_dev)
    {
        (void) unlinkat(ngx_http_leerpoort_spool.folder, name, 0);
    }

    (void) close(file->fd);
    file->fd = -1;
}


/* What the limit is compared with, and the metrics show. */
static void
ngx_http_leerpoort_spool_sum(void)
{
    off_t       sum;
    ngx_uint_t  i;

    sum = ngx_http_leerpoort_spool.own.fd != -1
          ? ngx_http_leerpoort_spool.own.size : 0;

    for (i = 0; i < ngx_http_leerpoort_spool.adopted; i++) {
        sum += ngx_http_leerpoort_spool.files[i].size;
    }

    ngx_http_leerpoort_spool.held->spool_bytes = (uint64_t) sum;
}


static void
ngx_http_leerpoort_spool_complain(const char *what, ngx_err_t err)
{
    if (ngx_http_leerpoort_may_complain("spool", lp_span_of(what))) {
        ngx_log_error(NGX_LOG_ERR, ngx_http_leerpoort_spool.log, err,
                      "leerpoort: the spool \"%V\" %s",
                      &ngx_http_leerpoort_spool.conf->spool, what);
    }
}
