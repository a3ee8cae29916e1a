/*
 * What the command reads: standard input and small files, always bounded.
 */

#ifndef LP_INPUT_H
#define LP_INPUT_H

#include "../core/span.h"

#define LP_CLAIMS_MAX 65536 /* bytes of a claims document */

typedef struct {
    char  *bytes; /* NUL-terminated for convenience; NULL: nothing held */
    size_t len;
} lp_input_t;

/*
 * Reads standard input up to max bytes, less one newline at the end. A longer
 * input is cut at max + 1 bytes, so that a caller sees that it was too
 * long. Returns 0; -1 after lp_say().
 */
int lp_input_stdin(lp_input_t *input, size_t max);

/*
 * Reads a whole file of at most max bytes as it stands.
 * Returns 0; -1 after lp_say().
 */
int lp_input_file(lp_input_t *input, const char *path, size_t max);

/* Says so where others than its owner may read the file. */
void lp_input_warn_open(const char *path, const char *what);

/* Wipes and frees. */
void lp_input_free(lp_input_t *input);

static inline lp_span_t
lp_input_span(const lp_input_t *input)
{
    return (lp_span_t) {input->bytes, input->len};
}

#endif
