/*
 * Each redirect that a client was told is counted once. An edge counts when it
 * has answered, whether or not the answer arrived: so of a product
 *
 *     redirects told <= clicks counted <= redirects told + unheard
 *
 * where counted is what the tally has added since the totals were remembered,
 * and what still waits in the streams. Without unheard clicks that is an
 * equality, and then a click that was counted twice can't hide.
 */

#include "figure.h"
#include "verify.h"

int
lp_verify_usage(lp_verify_t *verify)
{
    const lp_told_product_t *told;
    char                     id[LP_NAME_MAX];
    uint64_t                 was, is;
    uint32_t                 i;

    if (lp_verify_totals(verify) != 0) {
        return -1;
    }

    verify->untallied = verify->now.waiting;
    for (i = 0; i < verify->before.products; i++) {
        told = lp_told_product(verify->told, i);
        was = verify->before.clicks[i];
        is = verify->now.clicks[i];
        verify->redirects += told->redirects;
        verify->unheard += told->unheard;
        verify->counted += is > was ? is - was : 0;

        if (is < was + told->redirects
            || is > was + told->redirects + told->unheard) {
            (void) lp_population_product_id(verify->holdings.population, id,
                                            i);
            lp_find(&verify->findings, LP_FOUND_USAGE,
                    "product %s: %llu %s told and %llu %s unheard, %lld "
                    "counted", id,
                    (unsigned long long) told->redirects,
                    lp_figure_noun(told->redirects, "redirect", "redirects"),
                    (unsigned long long) told->unheard,
                    lp_figure_noun(told->unheard, "click", "clicks"),
                    (long long) (is - was));
        }
    }

    return 0;
}
