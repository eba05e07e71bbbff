/*
 * run_corpus: the main() of fuzz targets in normal builds.
 *
 *     fuzz_NAME DIRECTORY...
 *
 * Runs the target once on every regular file of the directories, in the order of their names, and on the empty
 * input.  Each input stands in memory of exactly its size, so that the address sanitizer sees a read past its end.
 * Fails when a directory cannot be read or holds no file, and when an input costs more than its size allows: processor time
 * (not that of the clock: the machine is shared) of COST_NS and COST_NS_EACH a byte, memory of COST_BYTES and
 * COST_BYTES_EACH a byte.  Under the address sanitizer, which keeps what was freed, memory is all that the input ever took.
 * That is several times what the dearest inputs take there (12 ms for 14 bytes of redis_reply, 12 us a byte of tz, 9 MiB for 14
 * bytes of redis_reply, 9 bytes a byte of fastcgi_stream; HOIST_FUZZ_COSTS=1 prints what each takes).  fuzz.costly_time and
 * fuzz.costly_memory see to it that what takes more is found.
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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    INPUT_MAX = 4 * 1024 * 1024,
    COST_NS = 200 * 1000 * 1000,
    COST_NS_EACH = 50 * 1000,
    COST_BYTES = 32 * 1024 * 1024,
    COST_BYTES_EACH = 64
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

/* A line of /proc/self/status, in bytes; -1: there is none. */
static int64_t status_bytes(const char *name)
{
    char line[256];
    long long kib = -1;
    size_t len = strlen(name);
    FILE *f = fopen("/proc/self/status", "re");

    while (f && kib < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, name, len) == 0)
            kib = strtoll(line + len, NULL, 10);
    if (f)
        (void)fclose(f);
    return kib < 0 ? -1 : kib * 1024;
}

/* Let the peak begin anew, from what is resident now (proc(5), clear_refs). */
static bool reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, "5", 1) == 1;

    if (fd >= 0)
        (void)close(fd);
    return done;
}

struct cost {
    int64_t ns, bytes;
};

static struct cost run_input(const uint8_t *data, size_t size)
{
    bool is_told = reset_peak();
    int64_t began_bytes = is_told ? status_bytes("VmHWM:") : 0;
    int64_t began_ns = cpu_ns();

    (void)LLVMFuzzerTestOneInput(data, size); /* always 0 */
    return (struct cost){.ns = cpu_ns() - began_ns,
                         .bytes = status_bytes("VmHWM:") - began_bytes};
}

/* Whether an input took no more than it may. */
static bool is_cheap(const char *path, size_t size, const struct cost *c)
{
    if (getenv("HOIST_FUZZ_COSTS"))
        printf("%lld ns, %lld bytes: %zu\n", (long long)c->ns, (long long)c->bytes,
               size);
    if (c->ns <= COST_NS + (int64_t)size * COST_NS_EACH &&
        c->bytes <= COST_BYTES + (int64_t)size * COST_BYTES_EACH)
        return true;
    fprintf(stderr, "run_corpus: %s: %zu bytes took %lld ms and %lld KiB\n", path, size,
            (long long)c->ns / 1000000, (long long)c->bytes / 1024);
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
    struct cost cost = run_input(data, size);
    free(data);
    return is_cheap(path, size, &cost) ? 1 : -1;
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
    if (ran == 0 && failed == 0)
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
