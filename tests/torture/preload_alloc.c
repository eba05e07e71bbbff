/* Allocations.  strdup, asprintf, open_memstream, getaddrinfo and the rest of libc call these by name, too. */
#include "tests/torture/preload.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { EARLY = 64 * 1024, ALIGN = 16 };

/* What is asked for while dlsym looks for the real ones; never given back. */
static _Alignas(ALIGN) char early[EARLY];
static size_t early_used;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);

static void find_all(void)
{
    static bool finding;

    if (finding)
        return;
    finding = true;
    torture_find("malloc", &real_malloc);
    torture_find("calloc", &real_calloc);
    torture_find("realloc", &real_realloc);
    torture_find("posix_memalign", &real_posix_memalign);
    torture_find("aligned_alloc", &real_aligned_alloc);
    torture_find("free", &real_free);
}

static bool is_early(const void *p)
{
    uintptr_t at = (uintptr_t)p, begin = (uintptr_t)early;

    return at >= begin && at < begin + EARLY;
}

static void *early_alloc(size_t size)
{
    size_t at = early_used;

    early_used += (size + ALIGN - 1) / ALIGN * ALIGN;
    return early_used <= EARLY ? early + at : NULL;
}

static bool is_ready(void)
{
    if (!real_free)
        find_all();
    return real_free != NULL;
}

/* One more, if it is one. */
static void *counted(void *p)
{
    if (p)
        torture_live(1);
    return p;
}

void *malloc(size_t size)
{
    if (!is_ready())
        return early_alloc(size);
    return torture_fails(TORTURE_ALLOC, FROM) ? NULL : counted(real_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    if (!is_ready())
        return early_alloc(count * size); /* it is zero */
    return torture_fails(TORTURE_ALLOC, FROM) ? NULL
                                              : counted(real_calloc(count, size));
}

static void *resize(void *p, size_t size, const void *from)
{
    if (!is_ready())
        return early_alloc(size);
    if (torture_fails(TORTURE_ALLOC, from))
        return NULL;
    if (!p)
        return counted(real_malloc(size));
    if (!is_early(p))
        return real_realloc(p, size);
    size_t left = (size_t)(early + EARLY - (char *)p);
    void *moved = counted(real_malloc(size));
    if (moved)
        memcpy(moved, p, size < left ? size : left);
    return moved;
}

void *realloc(void *p, size_t size)
{
    return resize(p, size, FROM);
}

void *reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return resize(p, bytes, FROM);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
    if (!is_ready() || torture_fails(TORTURE_ALLOC, FROM))
        return ENOMEM;
    int code = real_posix_memalign(ret, align, size);
    if (code == 0)
        (void)counted(*ret);
    return code;
}

void *aligned_alloc(size_t align, size_t size)
{
    if (!is_ready() || torture_fails(TORTURE_ALLOC, FROM))
        return NULL;
    return counted(real_aligned_alloc(align, size));
}

void *memalign(size_t align, size_t size)
{
    if (!is_ready() || torture_fails(TORTURE_ALLOC, FROM))
        return NULL;
    return counted(real_aligned_alloc(align, size));
}

void free(void *p)
{
    if (!p || is_early(p))
        return;
    torture_live(-1);
    real_free(p);
}
