/*
 * report, merge, compare: what can be done with results. Whoever asks for JSON
 * gets nothing else on standard output.
 */

#include <stdio.h>
#include <stdlib.h>

#include <sys/stat.h>

#include "../workers/say.h"
#include "compare.h"
#include "json_file.h"
#include "load_commands.h"
#include "merge.h"
#include "result.h"
#include "result_members.h"

static lp_result_t *make_result(void);
static int show(const lp_args_t *args, const lp_result_t *result);
static int write_all(const lp_result_t *result, const char *folder);
static int is_folder(const char *path);
static int compare(const lp_args_t *args, lp_result_t *a, lp_result_t *b);


int
lp_load_report(const lp_args_t *args)
{
    lp_result_t *result = make_result();
    int          rc = LP_USAGE;

    if (result == NULL) {
        return LP_USAGE;
    }

    if (lp_result_read(result, args->operand) == 0
        && (!is_folder(args->operand)
            || lp_page_write(result, args->operand) == 0))
    {
        rc = show(args, result);
    }
    free(result);

    return rc;
}


int
lp_load_merge(const lp_args_t *args)
{
    const char  *out = args->operand;
    lp_result_t *result;
    int          rc = LP_USAGE;

    if (args->n_operands < 2) {
        return lp_args_refuse(args, "no run is named to add up");
    }

    result = make_result();
    if (result == NULL) {
        return LP_USAGE;
    }

    if (lp_merge(result, out, &args->operands[1], args->n_operands - 1) == 0) {
        lp_result_conclude(result);
        if (write_all(result, out) == 0) {
            rc = show(args, result);
        }
    }
    free(result);

    return rc;
}


int
lp_load_compare(const lp_args_t *args)
{
    lp_result_t *a = make_result(), *b = make_result();
    int          rc = LP_USAGE;

    if (a != NULL && b != NULL && lp_result_read(a, args->operands[0]) == 0
        && lp_result_read(b, args->operands[1]) == 0)
    {
        rc = compare(args, a, b);
    }
    free(a);
    free(b);

    return rc;
}


static int
compare(const lp_args_t *args, lp_result_t *a, lp_result_t *b)
{
    static const int codes[] = {
        [LP_COMPARED] = LP_YES,
        [LP_COMPARED_WORSE] = LP_NO,
        [LP_COMPARED_INVALID] = LP_INVALID,
    };
    const char     *html = args->value[LP_LOAD_HTML];
    const char     *folder_a = args->operands[0], *folder_b = args->operands[1];
    lp_comparison_t comparison;

    if (!is_folder(folder_a) || !is_folder(folder_b)) {
        return lp_args_refuse(args, "a comparison needs the runs' folders");
    }
    if (lp_compare(&comparison, a, b, folder_a, folder_b) != 0
        || (html != NULL
            && lp_page_compare(a, b, folder_a, folder_b, html) != 0))
    {
        return LP_USAGE;
    }

    if (args->value[LP_OPT_JSON] != NULL) {
        if (lp_json_print(lp_compare_json(&comparison, a, b), 1) != 0) {
            return LP_USAGE;
        }
    } else {
        lp_compare_print(&comparison, a, b, stdout);
    }

    return codes[comparison.verdict];
}


/* A megabyte: not on the stack. NULL after lp_say(). */
static lp_result_t *
make_result(void)
{
    lp_result_t *result = malloc(sizeof(*result));

    if (result == NULL) {
        lp_say("no memory left for a result");
        return NULL;
    }

    lp_result_reset(result);

    return result;
}


/* Returns the exit code. */
static int
show(const lp_args_t *args, const lp_result_t *result)
{
    if (args->value[LP_OPT_JSON] == NULL) {
        lp_result_print(result, stdout);
    } else if (lp_json_print(lp_result_summary(result), 1) != 0) {
        return LP_USAGE;
    }

    return (int) result->conclusion.pass;
}


static int
write_all(const lp_result_t *result, const char *folder)
{
    return lp_result_write(result, folder) != 0
                   || lp_result_hgrm(result, folder) != 0
                   || lp_page_write(result, folder) != 0
               ? -1 : 0;
}


static int
is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
