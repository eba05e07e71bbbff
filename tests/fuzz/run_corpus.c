/*
 * run_corpus: the main() of fuzz targets in normal builds.
 *
 *     fuzz_NAME DIRECTORY...
 *
 * Runs the target once on every regular file of the directories, in the order of their names, and on the empty
 * input.  Each input stands in memory of exactly its size, so that the address sanitizer sees a read past its end.
 * Fails when a directory cannot be read or holds no file.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_MAX = 4 * 1024 * 1024 };

static int fail(const char *path)
{
    fprintf(stderr, "run_corpus: %s: %s\n", path, strerror(errno));
    return -1;
}

static int read_fully(int fd, uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

static int run_open_file(int fd, const char *path, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);

    if (!data || read_fully(fd, data, size) < 0) {
        free(data);
        return fail(path);
    }
    printf("%s\n", path); /* the last one printed is the one that crashed */
    fflush(stdout);
    (void)LLVMFuzzerTestOneInput(data, size); /* always 0 */
    free(data);
    return 1;
}

/* 1: run; 0: not a file; -1: an error, which was told. */
static int run_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return fail(path);
    int result = 0;
    if (fstat(fd, &st) < 0) {
        result = fail(path);
    } else if (S_ISREG(st.st_mode) && st.st_size > INPUT_MAX) {
        errno = EFBIG;
        result = fail(path);
    } else if (S_ISREG(st.st_mode)) {
        result = run_open_file(fd, path, (size_t)st.st_size);
    }
    close(fd);
    return result;
}

static int run_directory(const char *directory)
{
    struct dirent **names;
    int count = scandir(directory, &names, NULL, alphasort);
    int ran = 0, failed = 0;

    if (count < 0)
        return fail(directory);
    for (int i = 0; i < count; i++) {
        char path[4096];
        int len = snprintf(path, sizeof path, "%s/%s", directory, names[i]->d_name);
        int result = len > 0 && (size_t)len < sizeof path ? run_file(path) : -1;
        ran += result == 1;
        failed += result < 0;
        free(names[i]);
    }
    free(names);
    if (ran == 0)
        fprintf(stderr, "run_corpus: %s: holds no file\n", directory);
    return ran > 0 && failed == 0 ? ran : -1;
}

int main(int argc, char **argv)
{
    int total = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s DIRECTORY...\n", argv[0]);
        return EXIT_FAILURE;
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0); /* always 0 */
    for (int i = 1; i < argc; i++) {
        int ran = run_directory(argv[i]);
        if (ran < 0)
            return EXIT_FAILURE;
        total += ran;
    }
    printf("%d inputs\n", total);
    return EXIT_SUCCESS;
}
