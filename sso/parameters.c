/*
 * Each pair is decoded where it is wanted and nowhere else; a decoded value is
 * never longer than its pair, so that all of them fit in the memory given.
 */

#include "parameters.h"

#include <strings.h>

#define FORM_TYPE "application/x-www-form-urlencoded"

static lp_parameter_t *find(lp_parameter_t *list, unsigned n, lp_span_t name);

const char *
lp_parameters_read(lp_parameter_t *list, unsigned n, lp_span_t pairs,
                   char *memory)
{
    lp_parameter_t *parameter;
    const char     *end, *equals;
    lp_span_t       pair, name, value;
    unsigned        i;

    for (i = 0; i < n; i++) {
        list[i].value = (lp_span_t) {NULL, 0};
    }
    while (pairs.len > 0) {
        end = memchr(pairs.data, '&', pairs.len);
        pair.data = pairs.data;
        pair.len = end == NULL ? pairs.len : (size_t) (end - pairs.data);
        pairs.data += pair.len + (end != NULL);
        pairs.len -= pair.len + (end != NULL);

        equals = pair.len == 0 ? NULL : memchr(pair.data, '=', pair.len);
        if (equals == NULL) {
            continue;
        }
        name = (lp_span_t) {pair.data, (size_t) (equals - pair.data)};
        value = (lp_span_t) {equals + 1, pair.len - name.len - 1};
        parameter = find(list, n, name);
        if (parameter == NULL) {
            continue;
        }
        if (parameter->value.data != NULL
            || lp_request_decode(memory, value.len + 1, value) != 0
            || strlen(memory) > parameter->max
            || lp_has_control(lp_span_of(memory))) {
            if (parameter->needed == LP_PARAMETER_HINT) {
                continue;
            }
            return parameter->name;
        }
        parameter->value = lp_span_of(memory);
        memory += parameter->value.len + 1;
    }
    for (i = 0; i < n; i++) {
        if (list[i].needed > 0 && list[i].value.len == 0) {
            return list[i].name;
        }
    }
    return NULL;
}

static lp_parameter_t *
find(lp_parameter_t *list, unsigned n, lp_span_t name)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (lp_span_equal(name, lp_span_of(list[i].name))) {
            return &list[i];
        }
    }
    return NULL;
}

void
lp_parameters_to(lp_text_t *text, lp_span_t address)
{
    lp_text_add(text, address);
    lp_text_add(text, memchr(address.data, '?', address.len) == NULL
                          ? lp_span("?") : lp_span("&"));
}

void
lp_parameter_add(lp_text_t *text, const char *name, lp_span_t value)
{
    lp_text_add(text, lp_span("&"));
    lp_text_add(text, lp_span_of(name));
    lp_text_add(text, lp_span("="));
    lp_text_query(text, value);
}

int
lp_request_is_form(const lp_request_t *request)
{
    size_t len = sizeof(FORM_TYPE) - 1;

    return request->type.len >= len
           && strncasecmp(request->type.data, FORM_TYPE, len) == 0
           && (request->type.len == len || request->type.data[len] == ';'
               || request->type.data[len] == ' ');
}
