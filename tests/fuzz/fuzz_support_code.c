/*
 * Support codes as people type them. Whatever is one, written anew, has the
 * same characters, but for case, blanks, hyphens, O, I and L.
 */

#include "../../core/jose_error.h"
#include "../../core/support_code.h"
#include "must.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_support_code_t code;
    char              text[LP_SUPPORT_CODE_LEN];
    size_t            i, n = 0;
    char              c;

    if (lp_support_code_read(&code, (lp_span_t) {(const char *) bytes, len})
        != 0) {
        return 0;
    }

    must(lp_problem_exists((unsigned) code.problem));
    must(code.reason < 64 && code.salt < 256 && code.at % 60 == 0);
    lp_support_code_write(text, &code);

    for (i = 0; i < len; i++) {
        c = (char) bytes[i];
        if (c == '-' || c == ' ') {
            continue;
        }
        if (c >= 'a' && c <= 'z') {
            c = (char) (c - 'a' + 'A');
        }
        c = (char) (c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c);
        n += n == 5;
        must(n < LP_SUPPORT_CODE_LEN && text[n++] == c);
    }
    must(n == LP_SUPPORT_CODE_LEN && text[5] == '-');

    return 0;
}
