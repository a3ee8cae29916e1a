/*
 * Signing is what costs (RS256: 0.3 ms a token), so processes share it: they
 * map one file, take the next few slots each, and leave those that are filled
 * already. The file has a name of its own until no slot is empty. So a token
 * file under its right name is always whole, and what was broken off, by
 * Ctrl-C or by kill -9, is gone on with.
 */

#include "mint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "../workers/say.h"
#include "issuer.h"
#include "load_commands.h"
#include "mint_jobs.h"
#include "population_file.h"
#include "population_inside.h"

#define JOBS_MAX    256
#define LIFE_MAX    (366 * 86400LL)
#define NOW_MAX     253402300799LL /* as core/token.h has it */
#define EXPIRED_MIN 64
#define EXPIRED_AGO 3600 /* seconds; any leeway is shorter */

/* One file's work. */
typedef struct {
    const char            *dir;
    const lp_population_t *population;
    const lp_issuer_keys_t *issuer;
    const lp_mint_t       *mint;
    int64_t                now;
    char                   path[LP_FILE_MAX]; /* when it is done */
    char                   part[LP_FILE_MAX]; /* until then */
    lp_token_head_t        head; /* as it would be, begun now */
} work_t;

int
lp_mint_options(lp_mint_t *mint, const lp_args_t *args)
{
    int rc;

    mint->jobs = sysconf(_SC_NPROCESSORS_ONLN);
    if (mint->jobs < 1 || mint->jobs > JOBS_MAX) {
        mint->jobs = mint->jobs < 1 ? 1 : JOBS_MAX;
    }
    mint->life = -1;
    mint->now = -1;
    rc = lp_args_number(args, LP_LOAD_JOBS, JOBS_MAX, &mint->jobs);
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_LOAD_LIFE, LIFE_MAX, &mint->life);
    }
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_LOAD_NOW, NOW_MAX - LIFE_MAX, &mint->now);
    }
    if (rc == LP_YES && mint->jobs == 0) {
        rc = lp_args_refuse(args, "--jobs takes a whole number from 1 to %d",
                            JOBS_MAX);
    }
    if (rc == LP_YES && mint->life == 0) {
        rc = lp_args_refuse(args, "--expires-in takes seconds, at least 1");
    }
    if (rc == LP_YES && mint->now >= 0 && mint->now < 2 * EXPIRED_AGO) {
        rc = lp_args_refuse(args, "--now is too early: the expired tokens are "
                                  "two hours older");
    }
    return rc;
}

int
lp_mint_lock(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd == -1) {
        lp_say("%s cannot be opened: %s", dir, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        lp_say("another leerpoort-load works on %s", dir);
        close(fd);
        return -1;
    }
    return 0; /* the lock lives as long as the process */
}

/* The one member in so many whose expired token it is. */
static uint32_t
member_of(const work_t *work, uint32_t slot)
{
    uint32_t members = lp_population_members(work->population);

    if (work->head.kind == LP_TOKENS_GOOD) {
        return slot;
    }
    return (uint32_t) ((uint64_t) slot * members / work->head.slots);
}

/* Of mint_jobs.h: the token of a slot. */
static size_t
mint_slot(const void *owner, uint32_t slot, const lp_token_head_t *head,
          char *dst)
{
    const work_t *work = owner;

    return lp_issuer_mint(work->issuer, work->population,
                          member_of(work, slot), head->iat, head->exp, dst);
}

/* What there is already. */

static int
is_of(const lp_token_head_t *a, const lp_token_head_t *b)
{
    return a->seed == b->seed && a->pupils == b->pupils
           && a->slots == b->slots && a->slot_size == b->slot_size
           && a->kind == b->kind
           && memcmp(a->stamp, b->stamp, LP_STAMP_BYTES) == 0;
}

/* Whether what was begun is what is asked for, and still of use. */
static int
goes_on(const work_t *work, const lp_token_head_t *begun)
{
    const lp_mint_t *mint = work->mint;

    if (!is_of(begun, &work->head)) {
        return 0;
    }
    if (work->head.kind == LP_TOKENS_EXPIRED) {
        return begun->exp <= work->head.exp;
    }
    return begun->exp > work->now
           && (mint->now == -1 || mint->now == begun->iat)
           && (mint->life == -1 || mint->life == begun->exp - begun->iat);
}

/* Opens the part that was begun, or a new one. */
static int
open_part(const work_t *work, lp_token_file_t *file)
{
    int rc = access(work->part, F_OK) == 0
                 ? lp_token_file_open(file, work->part, 1)
                 : 1;

    if (rc == 0 && goes_on(work, &file->head)) {
        return 0;
    }
    if (rc == 0) {
        lp_token_file_close(file);
    }
    fprintf(stderr, "%s: %" PRIu32 " tokens, %.1f MB of the disk\n",
            work->path, work->head.slots,
            (double) lp_token_file_bytes(&work->head) / 1e6);
    return lp_token_file_create(file, work->part, &work->head);
}

/* 1: it is there, and nothing is to be done; 0; -1 after lp_say(). */
static int
is_done(const work_t *work)
{
    lp_token_file_t file;
    int             rc = lp_token_file_open(&file, work->path, 0), done;

    if (rc != 0) {
        return rc == 1 ? 0 : -1;
    }
    done = is_of(&file.head, &work->head)
           && (work->head.kind == LP_TOKENS_GOOD
               || file.head.exp <= work->head.exp);
    lp_token_file_close(&file);
    return done;
}

/* Only with the file's data on the disk may it be called whole. */
static int
finish(const work_t *work, const lp_token_file_t *file)
{
    if (lp_token_file_sync(file, work->part) != 0) {
        return LP_NO;
    }
    if (rename(work->part, work->path) != 0) {
        lp_say("%s cannot be written: %s", work->path, strerror(errno));
        return LP_NO;
    }
    return LP_YES;
}

static int
fill(const work_t *work)
{
    lp_token_file_t file;
    lp_mint_jobs_t  jobs;
    int             rc;

    rc = is_done(work);
    if (rc != 0) {
        return rc == 1 ? LP_YES : LP_NO;
    }
    if (open_part(work, &file) != 0) {
        return LP_NO;
    }
    jobs = (lp_mint_jobs_t) {
        .file = &file,
        .what = work->head.kind == LP_TOKENS_GOOD ? "tokens"
                                                  : "expired tokens",
        .n = (unsigned) work->mint->jobs,
        .mint = mint_slot,
        .owner = work,
    };
    rc = lp_mint_jobs(&jobs);
    if (rc == LP_YES) {
        rc = finish(work, &file);
    }
    lp_token_file_close(&file);
    return rc;
}

/* What is to be done. */

static int
prepare(work_t *work, uint32_t kind)
{
    const lp_census_t *census = lp_population_census(work->population);
    uint32_t           members = lp_population_members(work->population);
    lp_token_head_t   *head = &work->head;
    const char        *name;
    size_t             longest;

    memset(head, 0, sizeof(*head));
    head->seed = census->seed;
    head->pupils = census->pupils;
    head->kind = kind;
    head->slots = members;
    head->iat = work->now;
    head->exp = work->now
                + (work->mint->life == -1 ? LP_MINT_LIFE : work->mint->life);
    name = "tokens.bin";
    if (kind == LP_TOKENS_EXPIRED) {
        head->slots = members / 100 < EXPIRED_MIN ? EXPIRED_MIN
                                                  : members / 100;
        head->iat = work->now - 2 * EXPIRED_AGO;
        head->exp = work->now - EXPIRED_AGO;
        name = "expired.bin";
    }
    longest = lp_issuer_longest(work->issuer, work->population, head->iat,
                                head->exp);
    if (longest == 0) {
        lp_say("OpenSSL could not sign: are the keys whole?");
        return -1;
    }
    head->slot_size = lp_token_slot_size(longest);
    if (lp_population_stamp(head->stamp, census, work->dir) != 0
        || lp_file_path(work->path, work->dir, name) != 0) {
        return -1;
    }
    if ((size_t) snprintf(work->part, sizeof(work->part), "%s.part",
                          work->path)
        >= sizeof(work->part)) {
        lp_say("the path %.64s... is too long", work->dir);
        return -1;
    }
    return 0;
}

/*
 * Takes the finished tokens away; where there are none, minting was begun and
 * broken off, and goes on. What a run has mapped stays with it until it ends,
 * and the disk need not hold both.
 */
static int
forget(const work_t *good, const work_t *expired)
{
    if (access(good->path, F_OK) != 0 && errno == ENOENT) {
        return 0;
    }
    if ((unlink(expired->path) != 0 && errno != ENOENT)
        || unlink(good->path) != 0) {
        lp_say("the tokens of %s cannot be removed: %s", good->dir,
               strerror(errno));
        return -1;
    }
    return 0;
}

static int
mint_both(const char *dir, const lp_population_t *population,
          const lp_issuer_keys_t *issuer, const lp_mint_t *mint, int anew)
{
    work_t good = {.dir = dir, .population = population, .issuer = issuer,
                   .mint = mint}, expired;
    int    rc;

    good.now = mint->now == -1 ? (int64_t) time(NULL) : mint->now;
    expired = good;
    if (prepare(&good, LP_TOKENS_GOOD) != 0
        || prepare(&expired, LP_TOKENS_EXPIRED) != 0
        || (anew && forget(&good, &expired) != 0)) {
        return LP_NO;
    }
    rc = fill(&expired);
    return rc == LP_YES ? fill(&good) : rc;
}

int
lp_mint(const char *dir, const lp_population_t *population,
        const lp_mint_t *mint, int anew)
{
    static lp_issuer_keys_t issuer;
    int                     rc = LP_NO;

    if (lp_issuer_open(&issuer, dir, lp_population_census(population)) == 0) {
        rc = mint_both(dir, population, &issuer, mint, anew);
    }
    lp_issuer_close(&issuer);
    return rc;
}
