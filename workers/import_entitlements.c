/*
 * Entitlements from a file. One thread reads lines and makes messages of them,
 * which is mostly hashing; the other applies them, which is mostly waiting for
 * Redis. Batches go round between them: the reader fills one while another is
 * applied.
 *
 * Where Redis fails, the batch is applied again for some seconds, so that a
 * restart of Redis costs a pause. To apply a batch twice is safe: what was
 * written is found by its reference.
 */

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "import.h"
#include "line_batch.h"

#define SLOTS      3
#define REMEMBER_S 5

typedef struct {
    lp_line_batch_t batch;
    uint64_t        taken; /* bytes of the file */
} slot_t;

/* Slots between done and made are full. Only the counters are shared without
   their slot; they are changed under the lock. */
typedef struct {
    lp_import_t    *import;
    lp_service_t    service; /* the reader's: it alone hashes */
    slot_t         *slots;
    uint64_t        made;
    uint64_t        done;
    int             halted;
    pthread_mutex_t lock;
    pthread_cond_t  changed;
} round_t;

static void halt(round_t *turn);
static void *read_slots(void *of);
static int apply_slots(round_t *turn, lp_applier_t *applier);
static int apply_slot(round_t *turn, lp_applier_t *applier, slot_t *slot);
static void count_lines(lp_import_t *import, const lp_line_batch_t *batch);

void
lp_import_entitlements(lp_import_t *import, lp_span_t party, int confirm)
{
    round_t       turn = {import, import->service, NULL, 0, 0, 0,
                          PTHREAD_MUTEX_INITIALIZER,
                          PTHREAD_COND_INITIALIZER};
    lp_applier_t *applier;
    pthread_t     reader;

    import->service.pepper = NULL;
    turn.slots = calloc(SLOTS, sizeof(slot_t));
    applier = lp_applier_create(&import->service, party, confirm, LP_LINES_MAX,
                                REMEMBER_S);
    if (turn.slots == NULL || applier == NULL
        || pthread_create(&reader, NULL, read_slots, &turn) != 0) {
        import->stopped = "out of memory";
        import->resume = import->from;
    } else {
        if (apply_slots(&turn, applier) != 0) {
            halt(&turn);
        }
        pthread_join(reader, NULL);
    }
    import->service.pepper = turn.service.pepper;
    lp_applier_destroy(applier);
    free(turn.slots);
}

/* The reader waits for a slot, or for a pipe that may say nothing for ever. */
static void
halt(round_t *turn)
{
    pthread_mutex_lock(&turn->lock);
    turn->halted = 1;
    pthread_cond_signal(&turn->changed);
    pthread_mutex_unlock(&turn->lock);
    (void) eventfd_write(turn->import->halt, 1);
}

/* Waits until the reader (full 0) has a slot to fill, or there is one to be
   applied. NULL: there will be none. */
static slot_t *
take_turn(round_t *turn, int full)
{
    slot_t *slot;

    pthread_mutex_lock(&turn->lock);
    while (!turn->halted
           && (full ? turn->made == turn->done
                    : turn->made == turn->done + SLOTS)) {
        pthread_cond_wait(&turn->changed, &turn->lock);
    }
    slot = turn->halted
               ? NULL
               : &turn->slots[(full ? turn->done : turn->made) % SLOTS];
    pthread_mutex_unlock(&turn->lock);
    return slot;
}

static void
end_turn(round_t *turn, uint64_t *counter)
{
    pthread_mutex_lock(&turn->lock);
    (*counter)++;
    pthread_cond_signal(&turn->changed);
    pthread_mutex_unlock(&turn->lock);
}

static int
is_last(const lp_line_batch_t *batch)
{
    return batch->next == LP_NDJSON_END || batch->next == LP_NDJSON_CUT;
}

static void *
read_slots(void *of)
{
    round_t *turn = of;
    slot_t  *slot;
    int      last;

    do {
        slot = take_turn(turn, 0);
        if (slot == NULL) {
            break;
        }
        lp_line_batch_read(&slot->batch, turn->import->lines, &turn->service,
                           turn->import->from, 0);
        slot->taken = lp_ndjson_taken(turn->import->lines);
        last = is_last(&slot->batch);
        end_turn(turn, &turn->made);
    } while (!last);
    return NULL;
}

/* 0 at the end of the file; -1 where Redis stays away. */
static int
apply_slots(round_t *turn, lp_applier_t *applier)
{
    lp_import_t *import = turn->import;
    slot_t      *slot;
    int          last;

    do {
        slot = take_turn(turn, 1);
        if (apply_slot(turn, applier, slot) != 0) {
            return -1;
        }
        last = is_last(&slot->batch);
        if (slot->batch.next == LP_NDJSON_CUT) {
            import->stopped = "the file could not be read to its end";
            import->resume = slot->batch.last;
        }
        lp_import_progress(import->report, slot->taken);
        end_turn(turn, &turn->done);
    } while (!last);
    return 0;
}

/* The first line that failed; n where none did. */
static unsigned
first_failed(const lp_line_batch_t *batch)
{
    unsigned i = 0;

    while (i < batch->n && batch->verdicts[i].result != LP_FAILED) {
        i++;
    }
    return i;
}

static int
apply_slot(round_t *turn, lp_applier_t *applier, slot_t *slot)
{
    lp_import_t *import = turn->import;
    unsigned     tries = LP_IMPORT_TRIES, failed, done = 0;

    do {
        lp_applier_run(applier, slot->batch.messages + done,
                       slot->batch.verdicts + done, slot->batch.n - done);
        failed = first_failed(&slot->batch);
        done = failed;
    } while (failed < slot->batch.n && lp_import_wait(&tries) == 0);
    if (failed < slot->batch.n) {
        import->stopped = "Redis can't be written to";
        import->resume = slot->batch.lines[failed];
        slot->batch.n = failed;
    }
    count_lines(import, &slot->batch);
    return import->stopped == NULL ? 0 : -1;
}

static void
count_lines(lp_import_t *import, const lp_line_batch_t *batch)
{
    const lp_verdict_t *verdict;
    unsigned            i;

    for (i = 0; i < batch->n; i++) {
        verdict = &batch->verdicts[i];
        switch (verdict->result) {
        case LP_APPLIED:
            lp_import_count(import->report, LP_IMPORT_APPLIED);
            break;
        case LP_REPEATED:
            lp_import_count(import->report, LP_IMPORT_REPEATED);
            break;
        case LP_STALE:
            lp_import_count(import->report, LP_IMPORT_STALE);
            break;
        default:
            lp_import_refuse(import->report, batch->lines[i], verdict->code,
                             verdict->reason);
            break;
        }
    }
}
