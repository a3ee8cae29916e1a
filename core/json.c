/*
 * Reading JSON with jansson, with two guards that jansson lacks.
 *
 * Depth: jansson recurses up to 2048 levels; a scan that costs a fraction of
 * the parse refuses what is deeper than any token or key set has reason to be.
 *
 * Memory: where an allocation fails, jansson 2.14 may stop the process by an
 * assertion, follow a pointer that is not there, or drop a byte of a string and
 * go on, so that a claim comes out shorter than it was sent. Therefore
 * no allocation ever fails while jansson looks: a parse takes its memory from
 * blocks of our own, and where there is no further block, longjmp() leaves
 * the parse and the blocks are given back as a whole. jansson holds nothing
 * that would be lost that way. It also saves some thirty calls of malloc() and
 * free() for each token.
 */

#include "json.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a document takes: about six times its text for usual claims, seventy
   times for the most wasteful one ("{},{},..."). */
#define BLOCK(len) (2048 + 8 * (len))

/* A block; the document's memory is the list of them, the newest first. */
typedef struct block_s block_t;

struct block_s {
    block_t             *next;
    size_t               size; /* of bytes */
    size_t               used;
    alignas(max_align_t) unsigned char bytes[];
};

struct lp_json_memory_s {
    block_t       *blocks;
    json_malloc_t  take;
    json_free_t    give_back;
    jmp_buf        no_memory;
};

static lp_json_memory_t *create_memory(void);
static size_t opening_brackets(lp_span_t text);
static int too_deep(lp_span_t text);
static json_t *parse(lp_span_t text, lp_json_error_t *error);
static void *take_bytes(size_t size);
static void keep_bytes(void *p);
static int add_block(lp_json_memory_t *memory, size_t size);

/* Of the parse that is under way. */
static lp_json_memory_t *current;

/* Of the last one. */
static lp_json_error_t fault;
static int fault_line; /* 0: it is JSON, but no object, or there is no place */

json_t *
lp_json_read(lp_span_t text, lp_json_memory_t **memory, lp_json_error_t *error)
{
    json_t *object;

    fault_line = 0;

    if (text.len == 0
        || (opening_brackets(text) > LP_JSON_DEPTH && too_deep(text)))
    {
        *error = fault = LP_JSON_SYNTAX;
        return NULL;
    }

    *memory = create_memory();

    if (*memory == NULL || add_block(*memory, BLOCK(text.len)) != 0) {
        lp_json_release(*memory);
        *error = fault = LP_JSON_MEMORY;
        return NULL;
    }

    current = *memory;
    json_set_alloc_funcs(take_bytes, keep_bytes);

    object = parse(text, error);
    fault = *error;

    json_set_alloc_funcs((*memory)->take, (*memory)->give_back);

    if (object == NULL) {
        lp_json_release(*memory);
    }

    return object;
}


/* Whoever left a comma too many, or forgot one, is to find it. */
const char *
lp_json_complaint(void)
{
    static char why[80];

    snprintf(why, sizeof(why), "%s",
             fault == LP_JSON_MEMORY  ? "memory ran out"
             : fault == LP_JSON_TWICE ? "a member is there twice"
                                      : "it is not one JSON object");

    if (fault_line > 0) {
        snprintf(why + strlen(why), sizeof(why) - strlen(why),
                 ": look at line %d, and just before it", fault_line);
    }

    return why;
}


static lp_json_memory_t *
create_memory(void)
{
    json_free_t       give_back;
    json_malloc_t     take;
    lp_json_memory_t *memory;

    json_get_alloc_funcs(&take, &give_back);

    memory = take(sizeof(lp_json_memory_t));
    if (memory != NULL) {
        memory->blocks = NULL;
        memory->take = take;
        memory->give_back = give_back;
    }

    return memory;
}


void
lp_json_release(lp_json_memory_t *memory)
{
    block_t *block, *next;

    if (memory == NULL) {
        return;
    }

    for (block = memory->blocks; block != NULL; block = next) {
        next = block->next;
        memory->give_back(block);
    }

    memory->give_back(memory);
}


/*
 * All of them, in strings too: claims have one or two, and a loop without a
 * branch sees that in a fifth of the time that too_deep() takes. [ and { differ
 * in one bit of ASCII.
 */
static size_t
opening_brackets(lp_span_t text)
{
    size_t i, n;

    n = 0;

    for (i = 0; i < text.len; i++) {
        n += (text.data[i] | 0x20) == '{';
    }

    return n;
}


/*
 * Counts brackets outside strings. Of text that is no JSON it may think
 * anything: jansson judges that.
 */
static int
too_deep(lp_span_t text)
{
    int         in_string;
    unsigned    depth;
    const char *p, *end;

    depth = 0;
    in_string = 0;
    end = text.data + text.len;

    for (p = text.data; p < end; p++) {

        if (*p == '"') {
            in_string = !in_string;

        } else if (in_string) {
            p += *p == '\\'; /* what is escaped ends no string */

        } else if (*p == '{' || *p == '[') {
            if (++depth > LP_JSON_DEPTH) {
                return 1;
            }

        } else if ((*p == '}' || *p == ']') && depth > 0) {
            depth--;
        }
    }

    return 0;
}


static json_t *
parse(lp_span_t text, lp_json_error_t *error)
{
    json_t       *object;
    json_error_t  why;

    if (setjmp(current->no_memory) != 0) {
        *error = LP_JSON_MEMORY;
        return NULL;
    }

    object = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &why);

    if (object == NULL) {
        fault_line = why.line;
        *error = json_error_code(&why) == json_error_duplicate_key
                     ? LP_JSON_TWICE
                     : LP_JSON_SYNTAX;
        return NULL;
    }

    *error = json_is_object(object) ? LP_JSON_OK : LP_JSON_SYNTAX;

    return *error == LP_JSON_OK ? object : NULL;
}


/* jansson's malloc() during a parse. Does not return where memory ran out. */
static void *
take_bytes(size_t size)
{
    void    *p;
    block_t *block;

    if (size > SIZE_MAX / 4) {
        longjmp(current->no_memory, 1);
    }

    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    block = current->blocks;

    if (size > block->size - block->used) {

        if (add_block(current, 2 * block->size + size) != 0) {
            longjmp(current->no_memory, 1);
        }

        block = current->blocks;
    }

    p = block->bytes + block->used;
    block->used += size;

    return p;
}


/* jansson's free(): everything goes at once, with the document. */
static void
keep_bytes(void *p)
{
    (void) p;
}


static int
add_block(lp_json_memory_t *memory, size_t size)
{
    block_t *block;

    block = memory->take(sizeof(block_t) + size);
    if (block == NULL) {
        return -1;
    }

    block->next = memory->blocks;
    block->size = size;
    block->used = 0;
    memory->blocks = block;

    return 0;
}
