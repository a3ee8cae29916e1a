/*
 * One list for messages, the command line, catalogues and sign-ins.
 */

#include "school_type.h"

#include "../core/text.h"
#include "../core/token.h"

int
lp_school_type(lp_span_t *type)
{
    static const char *const types[] = {"OIE_CODE", "BP_ID", "DD_ID", "AS_ID",
                                        "V_ID"};
    unsigned                 i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (lp_span_equal(lp_span_of(types[i]), *type)) {
            *type = lp_span_of(types[i]);
            return 1;
        }
    }
    return 0;
}

int
lp_school_id_valid(lp_span_t id)
{
    return id.len > 0 && id.len <= LP_SCHOOL_ID_MAX && !lp_has_control(id);
}
