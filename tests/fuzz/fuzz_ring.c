/*
 * The ring against a model that is slow and plain: the input chooses keys,
 * sizes and operations. What was stored last under a key is found with its
 * value until it is dropped or makes room; room is made by the oldest first,
 * and only when it must be; the counts agree. The ring lies in memory of
 * exactly its size, which moves now and then, so that ASan sees any step aside.
 */

#include <stdint.h>
#include <stdlib.h>

#include "../../core/ring.h"

#define KEYS   64
#define STORED 4096 /* records that one input may store */

enum { STORE, STORE_AGAIN, DROP, FIND, MOVE, RESET, OPERATIONS };

typedef struct {
    unsigned      key;
    unsigned char fill;
    size_t        len;
    int           live;
} model_record_t;

/* Records in order of storing; those before `oldest` have made room. */
typedef struct {
    lp_ring_t     *ring;
    size_t         size;
    size_t         n, oldest;
    uint64_t       evicted;
    model_record_t records[STORED];
} model_t;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void operate(model_t *model, const uint8_t *op);
static void store(model_t *model, unsigned key, size_t len,
                  unsigned char fill);
static void drop(model_t *model, unsigned key);
static void move(model_t *model);
static void reset(model_t *model);
static void make_room(model_t *model, const model_record_t *until);
static void check(const model_t *model);
static void check_record(const model_t *model, const model_record_t *record);
static model_record_t *newest(model_t *model, unsigned key);
static lp_span_t key_text(unsigned key);
static lp_span_t found(const lp_ring_t *ring, unsigned key);
static uint64_t hash_of(const lp_ring_t *ring, unsigned key);
static void must(int holds);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static model_t        model;
    static const uint64_t seed[2] = {1, 2};

    if (len < 2) {
        return 0;
    }

    model.size = LP_RING_MIN + (size_t) (bytes[0] << 8 | bytes[1]) / 8 * 8;
    model.n = 0;
    model.oldest = 0;
    model.evicted = 0;
    model.ring = malloc(model.size);
    must(model.ring != NULL);
    must(lp_ring_init(model.ring, model.size, seed) == model.ring);

    for (bytes += 2, len -= 2; len >= 4 && model.n < STORED;
         bytes += 4, len -= 4) {
        operate(&model, bytes);
        must(!lp_ring_broken(model.ring));
        must(model.ring->live == 0 ? model.ring->live_size == 0
                                   : model.ring->live_size
                                         <= model.ring->size);
    }

    check(&model);
    free(model.ring);

    return 0;
}

/* Four bytes: what, which key, how many bytes. */
static void
operate(model_t *model, const uint8_t *op)
{
    unsigned key = op[1] % KEYS;
    size_t   len = (size_t) (op[2] << 8 | op[3]);

    switch (op[0] % OPERATIONS) {
    case STORE:
        store(model, key, len % 1024, op[0]);
        break;
    case STORE_AGAIN:
        store(model, key, len, op[0]);
        break;
    case DROP:
        drop(model, key);
        break;
    case FIND:
        check(model);
        break;
    case MOVE:
        move(model);
        break;
    default:
        if (len % 16 == 0) {
            reset(model);
        }
    }
}

static void
store(model_t *model, unsigned key, size_t len, unsigned char fill)
{
    static char     value[UINT16_MAX + 1];
    model_record_t *record;
    lp_span_t       parts[2] = {{value, len / 3}, {value, len - len / 3}};

    record = newest(model, key);
    if (record != NULL) {
        record->live = 0;
    }

    memset(value, fill, len);

    if (!lp_ring_store(model->ring, hash_of(model->ring, key), key_text(key),
                       parts, 2)) {
        must(found(model->ring, key).data == NULL);
        must(len + 128 > model->ring->size / 4);
        must(model->ring->evicted == model->evicted);
        return;
    }

    record = &model->records[model->n++];
    *record = (model_record_t) {key, fill, len, 1};
    make_room(model, record);
    check_record(model, record);
}

static void
drop(model_t *model, unsigned key)
{
    int             dropped;
    model_record_t *record;

    record = newest(model, key);
    dropped = lp_ring_drop(model->ring, hash_of(model->ring, key),
                           key_text(key));

    must(dropped == (record != NULL));
    must(found(model->ring, key).data == NULL);

    if (record != NULL) {
        record->live = 0;
    }
}

/* Another process maps the same memory elsewhere. */
static void
move(model_t *model)
{
    lp_ring_t *elsewhere;

    elsewhere = malloc(model->size);
    must(elsewhere != NULL);
    memcpy(elsewhere, model->ring, model->size);
    memset(model->ring, 0xff, model->size);
    free(model->ring);
    model->ring = elsewhere;
}

/* A process died in the middle of a change and left the head anywhere. */
static void
reset(model_t *model)
{
    model->ring->changing = 1;
    model->ring->head = UINT64_MAX;
    must(lp_ring_broken(model->ring));

    lp_ring_reset(model->ring);
    model->oldest = model->n;
}

/* The live records that the ring says have made room are the oldest ones. */
static void
make_room(model_t *model, const model_record_t *until)
{
    model_record_t *record;

    while (model->evicted < model->ring->evicted) {
        record = &model->records[model->oldest++];
        must(record < until);

        if (record->live) {
            record->live = 0;
            model->evicted++;
            must(found(model->ring, record->key).data == NULL);
        }
    }
}

static void
check(const model_t *model)
{
    size_t   i;
    uint64_t live;

    live = 0;
    for (i = model->oldest; i < model->n; i++) {
        if (model->records[i].live) {
            check_record(model, &model->records[i]);
            live++;
        }
    }

    must(live == model->ring->live);
    must(model->ring->stored >= live);
}

static void
check_record(const model_t *model, const model_record_t *record)
{
    size_t    i;
    lp_span_t value;

    value = found(model->ring, record->key);
    must(value.data != NULL && value.len == record->len);
    must((uintptr_t) value.data % 8 == 0);

    for (i = 0; i < value.len; i++) {
        must((unsigned char) value.data[i] == record->fill);
    }
}

/* The record that lives under a key; NULL: none. */
static model_record_t *
newest(model_t *model, unsigned key)
{
    size_t i;

    for (i = model->n; i > model->oldest; i--) {
        if (model->records[i - 1].key == key && model->records[i - 1].live) {
            return &model->records[i - 1];
        }
    }

    return NULL;
}

/* Keys of all lengths from 0 on. */
static lp_span_t
key_text(unsigned key)
{
    static const char text[KEYS] = "u:{07}:02VG/";

    return (lp_span_t) {text, key};
}

static lp_span_t
found(const lp_ring_t *ring, unsigned key)
{
    return lp_ring_find(ring, hash_of(ring, key), key_text(key));
}

/* A quarter of the keys share one hash. */
static uint64_t
hash_of(const lp_ring_t *ring, unsigned key)
{
    return key % 4 == 0 ? 42 : lp_ring_hash(ring, key_text(key));
}

/* Not assert(), which a build may leave out. */
static void
must(int holds)
{
    if (!holds) {
        abort();
    }
}
