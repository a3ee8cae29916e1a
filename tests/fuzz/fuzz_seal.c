/*
 * What is said to be sealed, and isn't: opened or not, nothing is written that
 * is not ours. The same bytes are sealed and opened again, whole, under another
 * name, and with one character changed.
 */

#include "../../workers/seal.h"
#include "must.h"

static void check_open(lp_seal_t *seal, lp_span_t sealed);
static void check_close(lp_seal_t *seal, lp_span_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static lp_seal_t *seal;
    lp_span_t         text = {(const char *) bytes, len};

    if (seal == NULL) {
        seal = lp_seal_create(
            lp_span("the seal of the fuzzers, 32 bytes or more"));
        must(seal != NULL);
    }

    check_open(seal, text);
    check_close(seal, text);

    return 0;
}


/* What could not be opened leaves nothing of itself behind. */
static void
check_open(lp_seal_t *seal, lp_span_t sealed)
{
    char  *dst;
    size_t len, i;

    dst = calloc(1, LP_SEAL_TEXT_MAX);
    must(dst != NULL);
    len = 0;

    if (lp_seal_open(seal, dst, &len, "person", sealed) == 0) {
        must(len <= LP_SEAL_TEXT_MAX);
        must((len + 28) * 4 / 3 <= sealed.len);
        memset(dst, 0, len);
    }

    for (i = 0; i < LP_SEAL_TEXT_MAX; i++) {
        must(dst[i] == 0);
    }

    free(dst);
}


static void
check_close(lp_seal_t *seal, lp_span_t text)
{
    char     *sealed, *opened;
    size_t    n, len, at;
    lp_span_t whole;

    sealed = malloc(LP_SEAL_SEALED_MAX);
    opened = malloc(LP_SEAL_TEXT_MAX);
    must(sealed != NULL && opened != NULL);

    n = lp_seal_close(seal, sealed, "person", text);
    must((n == 0) == (text.len > LP_SEAL_TEXT_MAX));

    if (n > 0) {
        must(n <= LP_SEAL_SEALED_MAX);
        whole = (lp_span_t) {sealed, n};
        must(lp_seal_open(seal, opened, &len, "person", whole) == 0);
        must(lp_span_equal((lp_span_t) {opened, len}, text));
        must(lp_seal_open(seal, opened, &len, "code", whole) == -1);

        at = text.len == 0 ? 0 : (unsigned char) text.data[0] % n;
        sealed[at] = sealed[at] == 'A' ? 'B' : 'A';
        must(lp_seal_open(seal, opened, &len, "person", whole) == -1);
    }

    free(sealed);
    free(opened);
}
