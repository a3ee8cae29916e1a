/*
 * Runs a fuzz target over kept inputs, without libFuzzer: linked to one
 * tests/fuzz/fuzz_*.c, built by gcc under ASan and UBSan. "make test" feeds it
 * the corpus of that target; a finding of "make fuzz" is replayed the same way.
 *
 *     build/asan/replay/fuzz_token FILE|FOLDER...
 *
 * Exit code 0: every input was read and none stopped the program; 2: an input
 * could not be read, or there was none.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int replay_folder(const char *folder, unsigned long *inputs);
static int replay_file(const char *file, unsigned long *inputs);


static int
replay(const char *path, unsigned long *inputs)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        perror(path);
        return -1;
    }

    return S_ISDIR(st.st_mode) ? replay_folder(path, inputs)
                               : replay_file(path, inputs);
}


static int
replay_folder(const char *folder, unsigned long *inputs)
{
    int            n, failed;
    char           path[4096];
    DIR           *dir;
    struct dirent *entry;

    dir = opendir(folder);
    if (dir == NULL) {
        perror(folder);
        return -1;
    }

    failed = 0;

    while (!failed && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }

        n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        failed = n < 0 || (size_t) n >= sizeof(path)
                 || replay(path, inputs) != 0;
    }

    closedir(dir);

    return failed ? -1 : 0;
}


/*
 * The copy has exactly the input's size, so that ASan sees a read of one byte
 * too many. The name is printed first: it is what a crash leaves behind.
 */
static int
replay_file(const char *file, unsigned long *inputs)
{
    long     size;
    FILE    *f;
    uint8_t *bytes;

    f = fopen(file, "rb");
    if (f == NULL) {
        perror(file);
        return -1;
    }

    bytes = NULL;

    if (fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0
        || fseek(f, 0, SEEK_SET) != 0
        || (bytes = malloc(size > 0 ? (size_t) size : 1)) == NULL
        || fread(bytes, 1, (size_t) size, f) != (size_t) size)
    {
        perror(file);
        free(bytes);
        fclose(f);
        return -1;
    }

    fclose(f);

    printf("%s\n", file);
    fflush(stdout);

    if (size == 0) {
        LLVMFuzzerTestOneInput(NULL, 0);

    } else {
        LLVMFuzzerTestOneInput(bytes, (size_t) size);
    }

    free(bytes);
    (*inputs)++;

    return 0;
}


int
main(int argc, char **argv)
{
    int           i;
    unsigned long inputs;

    inputs = 0;

    for (i = 1; i < argc; i++) {
        if (replay(argv[i], &inputs) != 0) {
            return 2;
        }
    }

    printf("%lu inputs\n", inputs);

    return inputs > 0 ? 0 : 2;
}
