/*
 * Sockets hold what is written until it is read: neither side needs a thread.
 */

#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

void
wire_open(wire_t *wire, unsigned replicas)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    lp_store_options_t options = {wire->address, NULL, NULL, WIRE_TIMEOUT_MS,
                                  replicas};

    memset(wire, 0, sizeof(*wire));
    wire->link = -1;
    snprintf(wire->folder, sizeof(wire->folder), "/tmp/leerpoort-wire-XXXXXX");
    assert_non_null(mkdtemp(wire->folder));
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", wire->folder);
    snprintf(wire->address, sizeof(wire->address), "unix:%s/socket",
             wire->folder);

    wire->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(wire->listener >= 0);
    assert_int_equal(bind(wire->listener, (struct sockaddr *) &at,
                          sizeof(at)), 0);
    assert_int_equal(listen(wire->listener, 8), 0);

    wire->reader = redisReaderCreate();
    wire->store = lp_store_create(&options);
    assert_non_null(wire->reader);
    assert_non_null(wire->store);
}

void
wire_close(wire_t *wire)
{
    lp_store_destroy(wire->store);
    wire_hang_up(wire);
    redisReaderFree(wire->reader);
    close(wire->listener);
    unlink(wire->address + strlen("unix:"));
    rmdir(wire->folder);
}

int
wire_setup(void **state)
{
    return wire_begin(state, 0);
}

int
wire_begin(void **state, unsigned replicas)
{
    static wire_t wire;

    wire_open(&wire, replicas);
    *state = &wire;
    return 0;
}

int
wire_teardown(void **state)
{
    wire_close(*state);
    return 0;
}

void
wire_accept(wire_t *wire)
{
    wire_hang_up(wire);
    wire->link = accept4(wire->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(wire->link >= 0);
}

void
wire_hang_up(wire_t *wire)
{
    if (wire->link >= 0) {
        close(wire->link);
    }
    wire->link = -1;
}

void
wire_answer(wire_t *wire, const char *bytes)
{
    size_t len = strlen(bytes);

    assert_int_equal(send(wire->link, bytes, len, MSG_NOSIGNAL), len);
}

redisReply *
wire_command(wire_t *wire)
{
    char    bytes[16384];
    void   *command = NULL;
    ssize_t n;

    for ( ;; ) {
        assert_int_equal(redisReaderGetReply(wire->reader, &command),
                         REDIS_OK);
        if (command != NULL) {
            return command;
        }

        n = recv(wire->link, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n <= 0) {
            return NULL;
        }
        assert_int_equal(redisReaderFeed(wire->reader, bytes, (size_t) n),
                         REDIS_OK);
    }
}

const char *
wire_word(const redisReply *command, const char *word)
{
    size_t i;

    for (i = 0; i + 1 < command->elements; i++) {
        if (strcmp(command->element[i]->str, word) == 0) {
            return command->element[i + 1]->str;
        }
    }
    return NULL;
}
