/*
 * Bounded reading. Inputs are tokens, ids of persons, keys and passwords:
 * every buffer is wiped before it is given back.
 */

#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

/* Reads until the end or until cap bytes are there. */
static int
read_all(int fd, char *dst, size_t cap, size_t *len)
{
    ssize_t n;

    *len = 0;
    while (*len < cap) {
        n = read(fd, dst + *len, cap - *len);
        if (n == 0) {
            break;
        }
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n == -1) {
            return -1;
        }
        *len += (size_t) n;
    }
    return 0;
}

static int
read_input(lp_input_t *input, int fd, size_t cap, const char *name)
{
    input->len = 0;
    input->bytes = malloc(cap + 1);
    if (input->bytes == NULL) {
        lp_say("out of memory");
        return -1;
    }
    if (read_all(fd, input->bytes, cap, &input->len) != 0) {
        lp_say("%s cannot be read: %s", name, strerror(errno));
        lp_input_free(input);
        return -1;
    }
    input->bytes[input->len] = '\0';
    return 0;
}

int
lp_input_stdin(lp_input_t *input, size_t max)
{
    /* one byte for the newline, one to see that there was more */
    if (read_input(input, STDIN_FILENO, max + 2, "standard input") != 0) {
        return -1;
    }
    if (input->len > 0 && input->bytes[input->len - 1] == '\n') {
        input->bytes[--input->len] = '\0';
    }
    return 0;
}

int
lp_input_file(lp_input_t *input, const char *path, size_t max)
{
    int fd, rc;

    input->bytes = NULL;
    input->len = 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        lp_say("%s cannot be opened: %s", path, strerror(errno));
        return -1;
    }
    rc = read_input(input, fd, max + 1, path);
    close(fd);
    if (rc == 0 && input->len > max) {
        lp_say("%s is longer than %zu bytes", path, max);
        lp_input_free(input);
        return -1;
    }
    return rc;
}

void
lp_input_warn_open(const char *path, const char *what)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)
        && (st.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        lp_say("warning: others may read the %s %s; chmod 600 it", what, path);
    }
}

void
lp_input_free(lp_input_t *input)
{
    if (input->bytes != NULL) {
        OPENSSL_cleanse(input->bytes, input->len);
        free(input->bytes);
    }
    input->bytes = NULL;
    input->len = 0;
}
