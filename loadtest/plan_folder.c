/*
 * Where plans are: a file, or one of those that are shipped, by its name. The
 * shipped ones lie beside the program: as it is built (build/, build/asan/)
 * in loadtest/plans, as it is installed in share/leerpoort/plans.
 */

#include "plan_folder.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../workers/say.h"
#include "new_file.h"

#define PLAN_FILE_MAX (1024 * 1024)
#define PATH_ROOM     4096

static const char *const places[] = {
    "../loadtest/plans",
    "../../loadtest/plans",
    "../share/leerpoort/plans",
};

/* LEERPOORT_PLANS, else beside the program; NULL: neither is there. */
static const char *
shipped_folder(void)
{
    static char folder[PATH_ROOM + 32];
    char        self[PATH_ROOM];
    const char *named = getenv("LEERPOORT_PLANS");
    ssize_t     n;
    size_t      i;
    char       *slash;

    if (named != NULL && named[0] != '\0') {
        return access(named, R_OK | X_OK) == 0 ? named : NULL;
    }
    n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        return NULL;
    }
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash == NULL) {
        return NULL;
    }
    *slash = '\0';
    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        n = snprintf(folder, sizeof(folder), "%s/%s", self, places[i]);
        if (n > 0 && (size_t) n < sizeof(folder)
            && access(folder, R_OK | X_OK) == 0) {
            return folder;
        }
    }
    return NULL;
}

/* The name of a plan's file without folder and ".json". */
static lp_span_t
bare(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t      len = strlen(name);

    return (lp_span_t) {name, len > 5 ? len - 5 : 0};
}

int
lp_plan_each(int (*take)(void *owner, const char *path, lp_span_t name),
             void *owner)
{
    char        pattern[PATH_ROOM + 64];
    const char *folder = shipped_folder();
    glob_t      found;
    size_t      i;
    int         n, rc = 0;

    if (folder == NULL) {
        lp_say("the shipped plans are not found; LEERPOORT_PLANS may say "
               "where they are");
        return -1;
    }
    n = snprintf(pattern, sizeof(pattern), "%s/*.json", folder);
    if (n < 0 || (size_t) n >= sizeof(pattern)
        || glob(pattern, 0, NULL, &found) != 0) {
        lp_say("there is no plan in the folder of plans");
        return -1;
    }
    for (i = 0; i < found.gl_pathc && rc == 0; i++) {
        rc = take(owner, found.gl_pathv[i], bare(found.gl_pathv[i]));
    }
    globfree(&found);
    return rc;
}

/* Writes where the plan of that name is shipped; 0 where there may be none. */
static int
shipped_path(char *dst, size_t size, const char *name)
{
    const char *folder = shipped_folder();
    int         n;

    if (folder == NULL || strpbrk(name, "/.") != NULL || name[0] == '\0') {
        return 0;
    }
    n = snprintf(dst, size, "%s/%s.json", folder, name);
    return n > 0 && (size_t) n < size && access(dst, F_OK) == 0;
}

typedef struct {
    char   text[256];
    size_t len;
} shipped_t;

static int
add_name(void *owner, const char *path, lp_span_t name)
{
    shipped_t *all = owner;
    size_t     room = sizeof(all->text) - all->len;
    int        n;

    (void) path;
    n = snprintf(all->text + all->len, room, "%s%.*s",
                 all->len > 0 ? ", " : "", (int) name.len, name.data);
    all->len += (size_t) n < room ? (size_t) n : room - 1;
    return 0;
}

static int
refuse_file(const char *name, int error)
{
    char      safe[LP_ESCAPED_MAX];
    shipped_t all = {.len = 0};

    lp_escape(safe, (lp_span_t) {name, strlen(name)}, 64);
    if (error != ENOENT || strpbrk(name, "/.") != NULL) {
        lp_say("plan %s: %s", safe, strerror(error));
        return -1;
    }
    if (lp_plan_each(add_name, &all) == 0) {
        lp_say("there is no plan %s; shipped are: %s; or name a file", safe,
               all.text);
    }
    return -1;
}

static int
parse_file(lp_plan_t *plan, FILE *file, const char *name)
{
    char  *text = malloc(PLAN_FILE_MAX + 1);
    size_t len;
    int    rc = -1;

    if (text == NULL) {
        lp_say("there is not enough memory");
        return -1;
    }
    errno = 0;
    len = fread(text, 1, PLAN_FILE_MAX + 1, file);
    if (ferror(file)) {
        rc = refuse_file(name, errno == ENOENT ? EIO : errno);
    } else if (len > PLAN_FILE_MAX) {
        lp_say("the plan's file is larger than %d bytes", PLAN_FILE_MAX);
    } else {
        rc = lp_plan_parse(plan, text, len, name);
    }
    free(text);
    return rc;
}

int
lp_plan_load(lp_plan_t *plan, const char *name)
{
    char        path[PATH_ROOM + 64], safe[LP_ESCAPED_MAX];
    const char *at, *odd;
    FILE       *file;
    int         rc;

    at = shipped_path(path, sizeof(path), name) ? path : name;
    odd = lp_file_odd(at);
    if (odd != NULL) {
        lp_say("plan %s: %s",
               lp_escape(safe, (lp_span_t) {name, strlen(name)}, 64), odd);
        return -1;
    }
    file = fopen(at, "rb");
    if (file == NULL) {
        return refuse_file(name, errno);
    }
    rc = parse_file(plan, file, name);
    fclose(file);
    return rc;
}
