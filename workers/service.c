/*
 * The clock of the workers. Tests set it by LEERPOORT_NOW: a Unix time, or a
 * file that holds one and may change while the process runs.
 */

#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../core/day.h"

#define NOW_MAX 24 /* bytes of a Unix time in a file */

/* A Unix time in digits alone; -1: it is none. */
static int64_t
read_time(const char *text)
{
    char     *end;
    long long n;

    if (text[0] < '0' || text[0] > '9') {
        return -1;
    }
    n = strtoll(text, &end, 10);
    return *end == '\0' || *end == '\n' ? (int64_t) n : -1;
}

static int64_t
time_in_file(const char *path)
{
    FILE   *file = fopen(path, "re");
    char    text[NOW_MAX];
    int64_t at = -1;

    if (file == NULL) {
        return -1;
    }
    if (fgets(text, sizeof(text), file) != NULL) {
        at = read_time(text);
    }
    fclose(file);
    return at;
}

int64_t
lp_service_now(void)
{
    const char *told = getenv("LEERPOORT_NOW");
    int64_t     at = -1;

    if (told != NULL) {
        at = told[0] == '/' ? time_in_file(told) : read_time(told);
    }
    return at == -1 ? (int64_t) time(NULL) : at;
}

uint32_t
lp_service_today(void)
{
    return lp_day_amsterdam(lp_service_now(), NULL);
}
