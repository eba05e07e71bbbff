#include "tests/chaos/map.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

TestSuite(map, .timeout = 60);

Test(map, finds_what_was_added_and_nothing_else)
{
    struct map m = MAP_INIT(100000);
    char name[32];
    bool fresh;

    cr_expect(eq(ptr, map_find(&m, "0"), NULL));
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(name, sizeof name, "name-%d", i);
        int64_t *value = map_add(&m, name, &fresh);
        cr_assert(value && fresh);
        *value = i;
    }
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(name, sizeof name, "name-%d", i);
        int64_t *value = map_find(&m, name);
        cr_assert(value && *value == i, "%s", name);
        cr_assert(map_add(&m, name, &fresh) == value && !fresh);
    }
    cr_expect(eq(ptr, map_find(&m, "name-20000"), NULL));
    map_release(&m);
    cr_expect(eq(ptr, map_find(&m, "name-1"), NULL));
}

Test(map, is_full_at_its_maximum)
{
    struct map m = MAP_INIT(2);

    cr_assert(map_add(&m, "a", NULL) && map_add(&m, "b", NULL));
    cr_expect(eq(ptr, map_add(&m, "c", NULL), NULL));
    cr_expect(ne(ptr, map_add(&m, "a", NULL), NULL));
    map_release(&m);
}
