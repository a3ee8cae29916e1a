/*
 * A head, two counters for each product, a word of 32 bits for each member:
 * two bits for each slot of the shelf. All of it is mapped and written by
 * several engines at once, each change one atomic operation; nothing has to be
 * flushed by a process that is killed. The room is taken from the disk ahead,
 * as a write into a mapped hole of a full disk is a SIGBUS.
 *
 * A file belongs to one population: the head has a print of its census, so that
 * what one country's pupils were told is never compared with another's.
 */

#include "told.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../workers/say.h"
#include "new_file.h"

#define MAGIC    "LPTOLD1" /* and its NUL: eight bytes */
#define ASKED    1u
#define ANSWERED 2u

typedef struct {
    char     magic[8];
    uint64_t seed;
    uint32_t pupils;
    uint32_t products;
    uint32_t members;
    uint32_t day;
    uint64_t print; /* of all of the census */
} head_t;

struct lp_told_s {
    head_t            *head;
    lp_told_product_t *products;
    uint32_t          *members;
    size_t             size;
};

_Static_assert(2 * LP_SHELF <= 32, "a member's bits are one word");

static lp_told_t *create(const char *folder, const head_t *head);
static lp_told_t *open_as(const char *folder, const head_t *head);
static int merge(lp_told_t *into, const lp_told_t *from);
static void describe(head_t *head, const lp_population_t *population);
static uint64_t print_of(const lp_census_t *census);
static size_t size_of(const head_t *head);
static lp_told_t *map_file(int fd, const head_t *head, int prot,
                           const char *path);
static int make_room(int fd, const head_t *head, const char *path);
static int check_file(int fd, const head_t *head, const char *path);

lp_told_t *
lp_told_create(const char *folder, const lp_population_t *population)
{
    head_t head;

    describe(&head, population);

    return create(folder, &head);
}

lp_told_t *
lp_told_open(const char *folder, const lp_population_t *population)
{
    head_t head;

    describe(&head, population);

    return open_as(folder, &head);
}

void
lp_told_close(lp_told_t *told)
{
    if (told != NULL) {
        munmap(told->head, told->size);
        free(told);
    }
}

void
lp_told_ask(lp_told_t *told, uint32_t member, unsigned slot)
{
    __atomic_fetch_or(&told->members[member], ASKED << (2 * slot),
                      __ATOMIC_RELAXED);
}

void
lp_told_answer(lp_told_t *told, uint32_t member, unsigned slot,
               uint32_t product)
{
    __atomic_fetch_or(&told->members[member], ANSWERED << (2 * slot),
                      __ATOMIC_RELAXED);
    __atomic_fetch_add(&told->products[product].redirects, 1,
                       __ATOMIC_RELAXED);
}

void
lp_told_unheard(lp_told_t *told, uint32_t product)
{
    __atomic_fetch_add(&told->products[product].unheard, 1, __ATOMIC_RELAXED);
}

int
lp_told_asked(const lp_told_t *told, uint32_t member, unsigned slot)
{
    return (told->members[member] & (ASKED << (2 * slot))) != 0;
}

int
lp_told_answered(const lp_told_t *told, uint32_t member, unsigned slot)
{
    return (told->members[member] & (ANSWERED << (2 * slot))) != 0;
}

const lp_told_product_t *
lp_told_product(const lp_told_t *told, uint32_t product)
{
    return &told->products[product];
}

int
lp_told_add_up(const char *folder, const char *const *runs, unsigned n)
{
    lp_told_t *into = NULL, *from;
    unsigned   i;
    int        rc = 0;

    for (i = 0; i < n && rc == 0; i++) {
        from = open_as(runs[i], NULL);
        if (from != NULL && into == NULL) {
            into = create(folder, from->head);
        }
        rc = from == NULL || into == NULL ? -1 : merge(into, from);
        lp_told_close(from);
    }
    lp_told_close(into);

    return rc;
}

static int
merge(lp_told_t *into, const lp_told_t *from)
{
    uint32_t i;

    if (memcmp(into->head, from->head, sizeof(head_t)) != 0) {
        lp_say("these runs were of different populations");
        return -1;
    }

    for (i = 0; i < into->head->products; i++) {
        into->products[i].redirects += from->products[i].redirects;
        into->products[i].unheard += from->products[i].unheard;
    }
    for (i = 0; i < into->head->members; i++) {
        into->members[i] |= from->members[i];
    }

    return 0;
}

static lp_told_t *
create(const char *folder, const head_t *head)
{
    lp_told_t *told;
    char       path[LP_FILE_MAX];
    int        fd;

    if (lp_file_path(path, folder, LP_TOLD_FILE) != 0) {
        return NULL;
    }

    /* who has an older one mapped keeps it */
    (void) unlink(path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd == -1) {
        lp_say("%s cannot be made: %s", path, strerror(errno));
        return NULL;
    }

    told = make_room(fd, head, path) == 0
               ? map_file(fd, head, PROT_READ | PROT_WRITE, path) : NULL;
    if (told == NULL) {
        (void) unlink(path);
    } else {
        *told->head = *head;
    }
    close(fd);

    return told;
}

/* head NULL: of whatever population the file says that it is. */
static lp_told_t *
open_as(const char *folder, const head_t *head)
{
    lp_told_t *told = NULL;
    head_t     own;
    char       path[LP_FILE_MAX];
    int        fd;

    if (lp_file_path(path, folder, LP_TOLD_FILE) != 0) {
        return NULL;
    }

    /* a pipe is refused by check_file(), and not waited for */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1) {
        lp_say("%s cannot be opened: %s", path, strerror(errno));
        return NULL;
    }

    if (head == NULL) {
        memset(&own, 0, sizeof(own));
        (void) !pread(fd, &own, sizeof(own), 0);
        memcpy(own.magic, MAGIC, sizeof(own.magic));
        head = &own;
    }
    if (check_file(fd, head, path) == 0) {
        told = map_file(fd, head, PROT_READ, path);
    }
    close(fd);

    return told;
}

static void
describe(head_t *head, const lp_population_t *population)
{
    const lp_census_t *census = lp_population_census(population);

    memset(head, 0, sizeof(*head));
    memcpy(head->magic, MAGIC, sizeof(head->magic));
    head->seed = census->seed;
    head->pupils = census->pupils;
    head->products = census->products;
    head->members = lp_population_members(population);
    head->day = census->day;
    head->print = print_of(census);
}

/* Shares come from text with few digits: parts of a million tell them apart,
   whatever the last bit of a sum. */
static uint64_t
print_of(const lp_census_t *census)
{
    uint64_t    print = lp_random_of(census->seed, census->pupils);
    const char *p;
    unsigned    i;

    print = lp_random_of(print, (uint64_t) (census->zipf * 1e6 + 0.5));
    for (i = 0; i < LP_HOLDS; i++) {
        print = lp_random_of(print, (uint64_t) (census->share[i] * 1e6 + 0.5));
    }
    for (p = census->algs; *p != '\0'; p++) {
        print = lp_random_of(print, (unsigned char) *p);
    }

    return print;
}

static size_t
size_of(const head_t *head)
{
    return sizeof(head_t) + head->products * sizeof(lp_told_product_t)
           + head->members * sizeof(uint32_t);
}

static lp_told_t *
map_file(int fd, const head_t *head, int prot, const char *path)
{
    lp_told_t *told = calloc(1, sizeof(*told));
    void      *at;

    if (told == NULL) {
        lp_say("out of memory");
        return NULL;
    }

    told->size = size_of(head);
    at = mmap(NULL, told->size, prot, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        lp_say("%s cannot be mapped: %s", path, strerror(errno));
        free(told);
        return NULL;
    }

    told->head = at;
    told->products = (lp_told_product_t *) (told->head + 1);
    told->members = (uint32_t *) (told->products + head->products);

    return told;
}

static int
make_room(int fd, const head_t *head, const char *path)
{
    int error = posix_fallocate(fd, 0, (off_t) size_of(head));

    if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
        lp_say("%s needs %zu bytes and the disk has no room for them: %s",
               path, size_of(head), strerror(error));
    } else if (error != 0) {
        lp_say("%s cannot be written: %s", path, strerror(error));
    }

    return error == 0 ? 0 : -1;
}

static int
check_file(int fd, const head_t *head, const char *path)
{
    struct stat st;
    head_t      found;

    if (fstat(fd, &st) != 0
        || pread(fd, &found, sizeof(found), 0) != (ssize_t) sizeof(found)
        || memcmp(found.magic, head->magic, sizeof(found.magic)) != 0) {
        lp_say("%s is not what a run leaves", path);
        return -1;
    }
    if (found.seed != head->seed || found.pupils != head->pupils
        || found.products != head->products) {
        lp_say("%s is of another population: %u pupils, %u products, seed "
               "%llu", path, found.pupils, found.products,
               (unsigned long long) found.seed);
        return -1;
    }
    if (memcmp(&found, head, sizeof(found)) != 0) {
        lp_say("%s is of another population: its day, its mix or its "
               "algorithms differ", path);
        return -1;
    }
    if (st.st_size != (off_t) size_of(head)) {
        lp_say("%s is cut off", path);
        return -1;
    }

    return 0;
}
