/*
 * A socket pair would do, but the store connects by itself: so there is a
 * listener, whose name is gone as soon as the connection is there.
 */

#include "echo.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "must.h"

static lp_store_t  *store;
static redisReader *reader;
static int          link_fd;

/* At the end of each batch, so that its replies are never waited for. */
static const char end_of_batch[] = "PING";

static redisReply *take(unsigned *others);
static redisReply *next_command(void);
static int same_words(const redisReply *a, const redisReply *b);


static void
begin(void)
{
    char               folder[] = "/tmp/leerpoort-fuzz-XXXXXX";
    char               address[128];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    lp_store_options_t options = {address, NULL, NULL, 1000, 0};
    int                listener;

    must(mkdtemp(folder) != NULL);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", folder);
    snprintf(address, sizeof(address), "unix:%s/socket", folder);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    must(listener >= 0
         && bind(listener, (struct sockaddr *) &at, sizeof(at)) == 0
         && listen(listener, 1) == 0);

    store = lp_store_create(&options);
    reader = redisReaderCreate();
    must(store != NULL && reader != NULL);
    lp_store_add(store, LP_WORDS(lp_span("PING")));
    must(lp_store_send(store) == LP_STORE_OK);
    link_fd = accept(listener, NULL, NULL);
    must(link_fd >= 0);

    close(listener);
    unlink(at.sun_path);
    rmdir(folder);
    freeReplyObject(next_command());
}


redisReply *
echo_write(const lp_record_t *record, const lp_record_t *before,
           unsigned *others)
{
    if (store == NULL) {
        begin();
    }

    lp_record_write(store, record, before);
    lp_store_add(store, LP_WORDS(lp_span_of(end_of_batch)));
    must(lp_store_send(store) == LP_STORE_OK);

    return take(others);
}


static redisReply *
take(unsigned *others)
{
    redisReply *command, *hset;

    hset = NULL;
    *others = 0;

    for (;;) {
        command = next_command();
        must(command->elements > 0);

        if (strcmp(command->element[0]->str, end_of_batch) == 0) {
            freeReplyObject(command);
            return hset;
        }

        if (strcmp(command->element[0]->str, "HSET") == 0) {
            must(hset == NULL && command->elements % 2 == 0);
            hset = command;

        } else {
            (*others)++;
            freeReplyObject(command);
        }
    }
}


static redisReply *
next_command(void)
{
    char    bytes[4096];
    ssize_t n;
    void   *command;

    for (;;) {
        must(redisReaderGetReply(reader, &command) == REDIS_OK);
        if (command != NULL) {
            return command;
        }

        n = recv(link_fd, bytes, sizeof(bytes), 0);
        must(n > 0);
        must(redisReaderFeed(reader, bytes, (size_t) n) == REDIS_OK);
    }
}


void
echo_check(const lp_record_t *record)
{
    static const lp_record_t none;
    lp_record_t              again;
    redisReply              *first, *second, pairs;
    unsigned                 others;
    size_t                   i;

    first = echo_write(record, &none, &others);
    must(first != NULL && others <= 1);

    for (i = 2; i < first->elements; i++) {
        must(first->element[i]->len <= LP_FIELD_MAX);
    }

    /* names and values are HGETALL's reply */
    pairs = *first;
    pairs.element += 2;
    pairs.elements -= 2;
    must(lp_record_read(&again, record->entitlement, record->shard, &pairs)
         == 0);
    must(again.exists);

    second = echo_write(&again, &none, &others);
    must(second != NULL && same_words(first, second));
    freeReplyObject(first);
    freeReplyObject(second);

    must(echo_write(&again, &again, &others) == NULL && others == 0);
}


static int
same_words(const redisReply *a, const redisReply *b)
{
    size_t i;

    if (a->elements != b->elements) {
        return 0;
    }

    for (i = 0; i < a->elements; i++) {
        if (a->element[i]->len != b->element[i]->len
            || memcmp(a->element[i]->str, b->element[i]->str,
                      a->element[i]->len) != 0) {
            return 0;
        }
    }

    return 1;
}
