/*
 * The reader of what leerpoort-keys keeps. A look at a file costs one stat();
 * what was read is kept until the file is another one. A file that is broken
 * leaves what was read before in force, as everywhere in Leerpoort; one that is
 * gone is gone.
 *
 * Who asked for keys or metadata may hold them until the loop's next turn,
 * while somebody else meets the new file: therefore what is replaced lives on
 * until it is replaced again.
 */

#include "key_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../core/json.h"
#include "../workers/say.h"
#include "../workers/watched_file.h"

#define NAME_MAX_LEN  64
#define ISSUER_MAX    512 /* bytes of a datagram */
#define ASK_EVERY     1   /* seconds */
#define SETTLED       2   /* seconds after a change: no other has its time */
#define DISCOVERY_MAX 65536

/* What a file held. */
typedef struct {
    lp_jwks_t        *jwks;
    const json_t     *metadata;
    lp_json_memory_t *memory;
} content_t;

/* A file: of keys for some algorithms, or of metadata where algs.n is 0. */
typedef struct file_s file_t;

struct file_s {
    file_t      *next;
    char         name[NAME_MAX_LEN + 1];
    char        *path;
    lp_algs_t    algs;
    lp_watched_t watched;
    int64_t      settles_at; /* read it anew until then */
    content_t    now, before;
    int          complained;
};

/* When an issuer was asked about last. */
typedef struct asked_s asked_t;

struct asked_s {
    asked_t *next;
    int64_t  at;
    size_t   len;
    char     issuer[ISSUER_MAX];
};

struct lp_key_files_s {
    char              *folder;
    int                fd; /* -1: nobody is asked */
    int                said; /* errno of the last question; 0: it was heard */
    struct sockaddr_un to;
    file_t            *files;
    asked_t           *asked;
};

static int open_socket(lp_key_files_t *files, const char *socket_path);
static const file_t *look(lp_key_files_t *files, lp_span_t name,
                          const lp_algs_t *algs);

lp_key_files_t *
lp_key_files_open(const char *folder, const char *socket)
{
    lp_key_files_t *files = calloc(1, sizeof(*files));

    if (files == NULL) {
        return NULL;
    }
    files->fd = -1;
    files->folder = strdup(folder);
    if (files->folder == NULL
        || (socket != NULL && open_socket(files, socket) != 0)) {
        lp_key_files_close(files);
        return NULL;
    }
    if (access(folder, X_OK) != 0) {
        lp_say("what leerpoort-keys fetched can't be looked for in %s: %s",
               folder, strerror(errno));
    }
    return files;
}

static void
drop_content(content_t *content)
{
    lp_jwks_free(content->jwks);
    lp_json_release(content->memory);
    memset(content, 0, sizeof(*content));
}

void
lp_key_files_close(lp_key_files_t *files)
{
    file_t  *file;
    asked_t *asked;

    if (files == NULL) {
        return;
    }
    while ((file = files->files) != NULL) {
        files->files = file->next;
        drop_content(&file->now);
        drop_content(&file->before);
        free(file->path);
        free(file);
    }
    while ((asked = files->asked) != NULL) {
        files->asked = asked->next;
        free(asked);
    }
    if (files->fd != -1) {
        close(files->fd);
    }
    free(files->folder);
    free(files);
}

const lp_jwks_t *
lp_key_files_jwks(lp_key_files_t *files, lp_span_t name, const lp_algs_t *algs)
{
    const file_t *file = look(files, name, algs);

    return file == NULL ? NULL : file->now.jwks;
}

const json_t *
lp_key_files_discovery(lp_key_files_t *files, lp_span_t name, lp_span_t issuer)
{
    static const lp_algs_t none;
    const file_t          *file = look(files, name, &none);
    const json_t          *says;

    if (file == NULL || file->now.metadata == NULL) {
        return NULL;
    }
    says = json_object_get(file->now.metadata, "issuer");
    return json_is_string(says)
                   && lp_span_equal(lp_json_text(says), issuer)
               ? file->now.metadata
               : NULL;
}

/* "unix:/path" or "/path". */
static int
open_socket(lp_key_files_t *files, const char *path)
{
    size_t len;

    if (strncmp(path, "unix:", 5) == 0) {
        path += 5;
    }
    len = strlen(path);
    if (len == 0 || len >= sizeof(files->to.sun_path)) {
        return -1;
    }
    files->to.sun_family = AF_UNIX;
    memcpy(files->to.sun_path, path, len + 1);
    files->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return files->fd == -1 ? -1 : 0;
}

/* 1 where this issuer may be asked about now, and notes that it was. */
static int
may_ask(lp_key_files_t *files, lp_span_t issuer)
{
    int64_t  now = lp_watched_clock();
    asked_t *asked;

    for (asked = files->asked; asked != NULL; asked = asked->next) {
        if (lp_span_equal((lp_span_t) {asked->issuer, asked->len}, issuer)) {
            break;
        }
    }
    if (asked != NULL) {
        if (now - asked->at < ASK_EVERY) {
            return 0;
        }
        asked->at = now;
        return 1;
    }
    asked = calloc(1, sizeof(*asked));
    if (asked != NULL) {
        memcpy(asked->issuer, issuer.data, issuer.len);
        asked->len = issuer.len;
        asked->at = now;
        asked->next = files->asked;
        files->asked = asked;
    }
    return asked != NULL;
}

/* Nobody there, a full queue: then the keys come by the schedule. That is said
   once, and again where it is for another reason. */
static void
tell_unheard(lp_key_files_t *files, int error)
{
    if (error != 0 && error != files->said) {
        lp_say("leerpoort-keys can't be asked for keys at %s: %s",
               files->to.sun_path, strerror(error));
    }
    files->said = error;
}

void
lp_key_files_ask(lp_key_files_t *files, lp_span_t issuer)
{
    ssize_t n;

    if (files->fd == -1 || issuer.len == 0 || issuer.len > ISSUER_MAX
        || !may_ask(files, issuer)) {
        return;
    }
    n = sendto(files->fd, issuer.data, issuer.len, MSG_DONTWAIT | MSG_NOSIGNAL,
               (struct sockaddr *) &files->to, sizeof(files->to));
    tell_unheard(files, n == -1 ? errno : 0);
}

static int
same_algs(const lp_algs_t *a, const lp_algs_t *b)
{
    return a->n == b->n
           && memcmp(a->list, b->list, a->n * sizeof(a->list[0])) == 0;
}

static file_t *
new_file(lp_key_files_t *files, lp_span_t name, const lp_algs_t *algs)
{
    file_t *file = calloc(1, sizeof(*file));
    size_t  size = strlen(files->folder) + name.len
                   + sizeof("/.discovery.json");

    if (file == NULL) {
        return NULL;
    }
    file->path = malloc(size);
    if (file->path == NULL) {
        free(file);
        return NULL;
    }
    snprintf(file->path, size, "%s/%.*s.%s.json", files->folder,
             (int) name.len, name.data, algs->n == 0 ? "discovery" : "jwks");
    memcpy(file->name, name.data, name.len);
    file->algs = *algs;
    file->next = files->files;
    files->files = file;
    return file;
}

static file_t *
find_file(lp_key_files_t *files, lp_span_t name, const lp_algs_t *algs)
{
    file_t *file;

    if (name.len == 0 || name.len > NAME_MAX_LEN
        || memchr(name.data, '/', name.len) != NULL) {
        return NULL;
    }
    for (file = files->files; file != NULL; file = file->next) {
        if (lp_span_equal(lp_span_of(file->name), name)
            && same_algs(&file->algs, algs)) {
            return file;
        }
    }
    return new_file(files, name, algs);
}

/* The bytes of a regular file of at most max, to be freed; NULL: errno, or 0
   where it is too long. */
static char *
read_bytes(const char *path, size_t max, size_t *len)
{
    struct stat st;
    char       *bytes = NULL;
    ssize_t     n = -1;
    int         fd;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1) {
        return NULL;
    }
    errno = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
        && (bytes = malloc(max + 1)) != NULL) {
        n = read(fd, bytes, max + 1);
    }
    close(fd);
    if (n < 0 || (size_t) n > max) {
        free(bytes);
        return NULL;
    }
    *len = (size_t) n;
    return bytes;
}

/* NULL, or why it is broken: a sentence. */
static const char *
parse(content_t *content, const file_t *file, lp_span_t text)
{
    lp_json_error_t error;
    const char     *reason = "it is not one JSON object";

    memset(content, 0, sizeof(*content));
    if (file->algs.n == 0) {
        content->metadata = lp_json_read(text, &content->memory, &error);
        return content->metadata == NULL ? reason : NULL;
    }
    content->jwks = lp_jwks_parse(text, &file->algs, NULL, NULL, &reason);
    return content->jwks == NULL ? reason : NULL;
}

static void
replace(file_t *file, const content_t *fresh)
{
    drop_content(&file->before);
    file->before = file->now;
    file->now = *fresh;
    file->complained = 0;
}

static void
read_anew(file_t *file)
{
    static const content_t none;
    content_t              fresh;
    const char            *broken;
    size_t                 len = 0;
    char                  *text;

    text = read_bytes(file->path,
                      file->algs.n == 0 ? DISCOVERY_MAX : LP_JWKS_TEXT_MAX,
                      &len);
    if (text == NULL && errno == ENOENT) {
        replace(file, &none);
        return;
    }
    if (text == NULL) {
        broken = errno == 0 ? "it is no file, or too long" : strerror(errno);
    } else {
        broken = parse(&fresh, file, (lp_span_t) {text, len});
    }
    free(text);
    if (broken == NULL) {
        replace(file, &fresh);
        return;
    }
    if (!file->complained) {
        lp_say("%s is not used: %s", file->path, broken);
    }
    file->complained = 1;
}

/* A change of a moment ago may hide another that has the same time. */
static const file_t *
look(lp_key_files_t *files, lp_span_t name, const lp_algs_t *algs)
{
    file_t *file = find_file(files, name, algs);

    if (file == NULL) {
        return NULL;
    }
    if (lp_watched_changed(&file->watched, file->path)) {
        file->settles_at = lp_watched_clock() + SETTLED;
        read_anew(file);
    } else if (file->settles_at != 0
               && lp_watched_clock() >= file->settles_at) {
        file->settles_at = 0;
        read_anew(file);
    }
    return file;
}
