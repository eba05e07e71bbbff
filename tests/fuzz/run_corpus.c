/*
 * run_corpus: the main() of fuzz targets in normal builds.
 *
 *     fuzz_NAME DIRECTORY...
 *
 * Runs the target once on every regular file of the directories, in the order of their names, and on the empty
 * input.  Each input stands in memory of exactly its size, so that the address sanitizer sees a read past its end.
 * Fails when a directory cannot be read or holds no file, and when an input costs more than its size allows: processor time
 * (not that of the clock: the machine is shared) of COST_NS and COST_NS_EACH a byte, which is a hundred times what any
 * target takes, and COST_KIB of memory in all.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    INPUT_MAX = 4 * 1024 * 1024,
    COST_NS = 500 * 1000 * 1000,
    COST_NS_EACH = 50 * 1000,
    COST_KIB = 512 * 1024
};

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

static int64_t cpu_ns(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Whether an input took no more than it may. */
static bool is_cheap(const char *path, size_t size, int64_t ns)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    if (ns <= COST_NS + (int64_t)size * COST_NS_EACH && usage.ru_maxrss <= COST_KIB)
        return true;
    fprintf(stderr, "run_corpus: %s: %zu bytes took %lld ms, and there are %ld KiB\n",
            path, size, (long long)ns / 1000000, usage.ru_maxrss);
    return false;
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
    int64_t began_ns = cpu_ns();
    (void)LLVMFuzzerTestOneInput(data, size); /* always 0 */
    int64_t ns = cpu_ns() - began_ns;
    free(data);
    return is_cheap(path, size, ns) ? 1 : -1;
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
