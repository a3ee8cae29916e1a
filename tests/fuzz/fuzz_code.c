/*
 * Activation codes as people type them: blanks, hyphens and small letters make
 * no difference, anything else makes it no code. What is shown is read again
 * as the same code.
 */

#include <ctype.h>

#include "../../workers/codes.h"
#include "must.h"

static size_t by_model(char *dst, lp_span_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t text = {(const char *) bytes, len};
    char     *code, *shown, *again, model[LP_CODE_TEXT_MAX];
    size_t    n, n_shown;

    /* in memory of exactly the room that is asked for */
    code = malloc(LP_CODE_TEXT_MAX);
    shown = malloc(LP_CODE_SHOWN_MAX);
    again = malloc(LP_CODE_TEXT_MAX);
    must(code != NULL && shown != NULL && again != NULL);

    n = lp_code_canonical(code, text);
    must(n == by_model(model, text));

    if (n > 0) {
        must(n >= LP_CODE_TEXT_MIN && n <= LP_CODE_TEXT_MAX);
        must(memcmp(code, model, n) == 0);

        n_shown = lp_code_show(shown, (lp_span_t) {code, n});
        must(n_shown >= n && n_shown <= LP_CODE_SHOWN_MAX);
        must(lp_code_canonical(again, (lp_span_t) {shown, n_shown}) == n);
        must(memcmp(again, code, n) == 0);
    }

    free(code);
    free(shown);
    free(again);

    return 0;
}


/* 0: no code. */
static size_t
by_model(char *dst, lp_span_t text)
{
    size_t        i, n;
    unsigned char c;

    n = 0;

    for (i = 0; i < text.len; i++) {
        c = (unsigned char) text.data[i];
        if (c == '\0' || strchr(" \t\r\n-", c) == NULL) {
            if (c > 0x7e || !isalnum(c)) {
                return 0;
            }
            if (n < LP_CODE_TEXT_MAX) {
                dst[n] = (char) toupper(c);
            }
            n++;
        }
    }

    return n < LP_CODE_TEXT_MIN || n > LP_CODE_TEXT_MAX ? 0 : n;
}
