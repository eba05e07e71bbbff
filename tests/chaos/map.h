/*
 * map: names to numbers, grown as needed up to a maximum.  Open addressing; names are copied.  One thread.
 */
#ifndef HOIST_TESTS_CHAOS_MAP_H
#define HOIST_TESTS_CHAOS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    char *name; /* owned; NULL: free */
    int64_t value;
};

struct map {
    struct map_slot *slots; /* owned */
    size_t size, count;     /* size: a power of two, or 0 */
    size_t max;             /* names allowed */
};

#define MAP_INIT(max_names)                                                            \
    {                                                                                  \
        .max = (max_names)                                                             \
    }

void map_release(struct map *m); /* empty and reusable */

/* Where the value of this name is, or NULL.  Valid until the next add. */
int64_t *map_find(const struct map *m, const char *name);
/* The same; a name that is not known is added with value 0 and *ret_new (may be NULL) true.  NULL: full, or no memory. */
int64_t *map_add(struct map *m, const char *name, bool *ret_new);

#endif
