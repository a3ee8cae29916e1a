/*
 * leerpoort product chapters: what of a product a teacher can put into a course
 * (LTI Deep Linking) beside the whole of it. The list is replaced as a whole; a
 * line that no click could follow is refused, and with it all.
 */

#include <inttypes.h>

#include "commands.h"
#include "input.h"
#include "products.h"
#include "say.h"
#include "store_args.h"

#define TIMEOUT_MS 5000
#define LINE_BYTES 720 /* path, blank, title, line feed */
#define INPUT_MAX  (LP_CHAPTERS_MAX * LINE_BYTES)
#define TRIES      20
#define SHOWN_MAX  60

typedef struct {
    lp_store_t *store;
    lp_span_t   product;
    lp_span_t   lines[LP_CHAPTERS_MAX];
    unsigned    n;
} chapters_t;

static int read_lines(chapters_t *chapters, lp_span_t text);
static int read_line(chapters_t *chapters, lp_span_t line, unsigned number);
static int store_lines(chapters_t *chapters);
static lp_store_status_t try_store(const chapters_t *chapters, int *has_deep);

int
lp_command_product_chapters(const lp_args_t *args)
{
    static chapters_t chapters;
    lp_input_t        input;
    int               rc;

    chapters.product = lp_span_of(args->operand);
    if (!lp_product_valid(chapters.product)) {
        return lp_args_refuse(args, "a product's id is 1 to 64 of A-Z a-z 0-9 "
                                    ". _ -, a letter or digit first");
    }
    if (lp_input_stdin(&input, INPUT_MAX) != 0) {
        return LP_NO;
    }
    rc = LP_NO;
    if (input.len > INPUT_MAX) {
        lp_say("standard input holds more than %d bytes", INPUT_MAX);
    } else {
        rc = read_lines(&chapters, lp_input_span(&input));
    }
    if (rc == LP_YES) {
        rc = lp_store_of_args(&chapters.store, args, TIMEOUT_MS);
    }
    if (rc == LP_YES) {
        rc = store_lines(&chapters);
    }
    lp_store_destroy(chapters.store);
    lp_input_free(&input);
    return rc;
}

/* Empty lines are passed over. */
static int
read_lines(chapters_t *chapters, lp_span_t text)
{
    const char *end;
    lp_span_t   line;
    unsigned    number = 0;

    while (text.len > 0) {
        end = memchr(text.data, '\n', text.len);
        line = text;
        if (end != NULL) {
            line.len = (size_t) (end - text.data);
        }
        text.data += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        number++;
        if (line.len > 0 && read_line(chapters, line, number) != LP_YES) {
            return LP_NO;
        }
    }
    return LP_YES;
}

static int
read_line(chapters_t *chapters, lp_span_t line, unsigned number)
{
    lp_span_t path, title;
    char      shown[LP_ESCAPED_MAX];

    if (chapters->n == LP_CHAPTERS_MAX) {
        lp_say("more than %d chapters", LP_CHAPTERS_MAX);
        return LP_NO;
    }
    if (lp_chapter_read(chapters->product, line, &path, &title) != 0) {
        lp_say("line %u is no \"path title\", with a path that a click may "
               "have and a title of at most %d bytes: %s", number,
               LP_CHAPTER_TITLE_MAX, lp_escape(shown, line, SHOWN_MAX));
        return LP_NO;
    }
    chapters->lines[chapters->n++] = line;
    return LP_YES;
}

static int
store_lines(chapters_t *chapters)
{
    lp_store_status_t status;
    unsigned          tries = 0;
    int               has_deep;

    do {
        status = try_store(chapters, &has_deep);
    } while (status == LP_STORE_CONFLICT && ++tries < TRIES);
    if (status != LP_STORE_OK) {
        return lp_store_say(chapters->store);
    }
    if (!has_deep) {
        lp_say("there is no product %.*s with a link for paths: "
               "`leerpoort product set --deep` gives it one",
               (int) chapters->product.len, chapters->product.data);
        return LP_NO;
    }
    return LP_YES;
}

/* No lines: the list goes, whatever the product is by now. */
static lp_store_status_t
try_store(const chapters_t *chapters, int *has_deep)
{
    lp_store_t *store = chapters->store;
    lp_span_t   words[2 + LP_CHAPTERS_MAX];
    char        name[LP_KEY_MAX], list[LP_KEY_MAX];
    lp_span_t   product = {name, lp_key_product(name, chapters->product)};
    lp_span_t   key = {list, lp_key_chapters(list, chapters->product)};

    *has_deep = 1;
    if (chapters->n > 0) {
        lp_store_add(store, LP_WORDS(lp_span("WATCH"), product));
        lp_store_add(store, LP_WORDS(lp_span("HGET"), product,
                                     lp_span("deep")));
        if (lp_store_run(store) != LP_STORE_OK) {
            return lp_store_status(store);
        }
        *has_deep = lp_store_text(lp_store_reply(store, 1)).len > 0;
    }
    if (!*has_deep) {
        lp_store_unwatch(store);
        return LP_STORE_OK;
    }
    words[0] = lp_span("RPUSH");
    words[1] = key;
    memcpy(words + 2, chapters->lines, chapters->n * sizeof(words[0]));
    lp_store_begin(store);
    lp_store_add(store, LP_WORDS(lp_span("DEL"), key));
    if (chapters->n > 0) {
        lp_store_add(store, (lp_words_t) {words, 2 + chapters->n});
    }
    return lp_store_commit(store);
}
