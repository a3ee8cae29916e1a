/*
 * leerpoort import entitlements|products|schools: a file of NDJSON into Redis.
 * Every line stands for itself: one that is wrong is counted, named and passed
 * over. All may be sent again at any time.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "holder.h"
#include "import.h"
#include "record.h"
#include "say.h"
#include "store_args.h"

#define TIMEOUT_MS 5000 /* an import may wait where a click may not */
#define WAIT_MS    200  /* between two tries */
#define LINES_MAX  1000000000000

static int open_import(lp_import_t *import, const lp_args_t *args);
static void release(lp_import_t *import);
static int open_file(lp_import_t *import, uint64_t *size);
static int close_import(lp_import_t *import);
static int read_file(void *from, char *dst, size_t max);
static int check_party(const lp_args_t *args);
static int read_last_day(lp_import_t *import, const lp_args_t *args);

int
lp_command_import_entitlements(const lp_args_t *args)
{
    const char *party = args->value[LP_OPT_PARTY];
    lp_import_t import = {0};
    int         rc = check_party(args);

    if (rc == LP_YES) {
        rc = read_last_day(&import, args);
    }
    if (rc != LP_YES) {
        return rc;
    }
    import.service.pepper = lp_holder_pepper(args->value[LP_OPT_PEPPER]);
    rc = import.service.pepper == NULL ? LP_NO : open_import(&import, args);
    if (rc == LP_YES) {
        lp_import_entitlements(&import,
                               party == NULL ? lp_span("") : lp_span_of(party),
                               args->value[LP_OPT_CONFIRM] != NULL);
        rc = close_import(&import);
    }
    lp_pepper_destroy(import.service.pepper);
    return rc;
}

static int
run(const lp_args_t *args, void (*rows)(lp_import_t *import))
{
    lp_import_t import = {0};
    int         rc = open_import(&import, args);

    if (rc == LP_YES) {
        rows(&import);
        rc = close_import(&import);
    }
    return rc;
}

int
lp_command_import_products(const lp_args_t *args)
{
    return run(args, lp_import_products);
}

int
lp_command_import_schools(const lp_args_t *args)
{
    return run(args, lp_import_schools);
}

static int
check_party(const lp_args_t *args)
{
    const char *party = args->value[LP_OPT_PARTY];

    if (party == NULL) {
        return args->value[LP_OPT_CONFIRM] == NULL
                   ? LP_YES
                   : lp_args_refuse(args, "--confirm needs --party: whom to "
                                          "tell");
    }
    if (strlen(party) != LP_OIN_LEN
        || strspn(party, "0123456789") != LP_OIN_LEN) {
        return lp_args_refuse(args, "--party is an OIN: %d digits", LP_OIN_LEN);
    }
    return LP_YES;
}

static int
read_last_day(lp_import_t *import, const lp_args_t *args)
{
    const char *word = args->value[LP_OPT_LAST_DAY];

    if (word == NULL || strcmp(word, "included") == 0) {
        return LP_YES;
    }
    import->service.until_excluded = 1;
    return strcmp(word, "excluded") == 0
               ? LP_YES
               : lp_args_refuse(args, "--until takes included or excluded");
}

/* What was opened is closed again where something failed. */
static int
open_import(lp_import_t *import, const lp_args_t *args)
{
    int64_t  from = 1;
    uint64_t size = 0;
    int      rc;

    import->args = args;
    import->file = -1;
    import->halt = -1;
    if (args->operand == NULL) {
        return lp_args_refuse(args, "which file? - is standard input");
    }
    rc = lp_args_number(args, LP_OPT_FROM_LINE, LINES_MAX, &from);
    if (rc != LP_YES) {
        return rc;
    }
    import->from = (uint64_t) from;
    rc = lp_store_of_args(&import->service.store, args, TIMEOUT_MS);
    if (rc != LP_YES) {
        return rc;
    }
    if (lp_store_ask(import->service.store, LP_WORDS(lp_span("PING")))
        == NULL) {
        rc = lp_store_say(import->service.store);
    }
    rc = rc == LP_YES ? open_file(import, &size) : rc;
    if (rc == LP_YES) {
        import->halt = eventfd(0, EFD_CLOEXEC);
        import->lines = import->halt == -1
                            ? NULL
                            : lp_ndjson_create(read_file, import);
        import->report = lp_import_report_open(args, size);
        if (import->lines != NULL && import->report != NULL) {
            return LP_YES;
        }
        rc = LP_NO;
    }
    release(import);
    return rc;
}

static void
release(lp_import_t *import)
{
    lp_store_destroy(import->service.store);
    lp_ndjson_destroy(import->lines);
    if (import->file > STDIN_FILENO) {
        close(import->file);
    }
    if (import->halt != -1) {
        close(import->halt);
    }
}

static int
open_file(lp_import_t *import, uint64_t *size)
{
    const char *path = import->args->operand;
    struct stat found;

    import->file = strcmp(path, "-") == 0 ? STDIN_FILENO
                                          : open(path, O_RDONLY | O_CLOEXEC);
    if (import->file < 0 || fstat(import->file, &found) != 0) {
        lp_say("%s: %s", path, strerror(errno));
        return LP_NO;
    }
    if (S_ISDIR(found.st_mode)) {
        lp_say("%s is a folder", path);
        return LP_NO;
    }
    if (S_ISREG(found.st_mode)) {
        *size = (uint64_t) found.st_size;
    }
    return LP_YES;
}

static int
close_import(lp_import_t *import)
{
    release(import);
    return lp_import_report_close(import->report, import->stopped,
                                  import->resume);
}

static int
read_file(void *from, char *dst, size_t max)
{
    const lp_import_t *import = from;
    struct pollfd      fds[2] = {{import->halt, POLLIN, 0},
                                 {import->file, POLLIN, 0}};
    ssize_t            n;

    do {
        n = poll(fds, 2, -1);
        if (n > 0 && fds[0].revents != 0) {
            return -1;
        }
        n = n > 0 ? read(import->file, dst, max) : n;
    } while (n < 0 && errno == EINTR);
    return (int) n;
}

int
lp_import_wait(unsigned *left)
{
    const struct timespec pause = {0, WAIT_MS * 1000000};

    if (*left == 0) {
        return -1;
    }
    (*left)--;
    nanosleep(&pause, NULL);
    return 0;
}
