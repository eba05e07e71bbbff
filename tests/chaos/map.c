#include "tests/chaos/map.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 64 };

void map_release(struct map *m)
{
    for (size_t i = 0; i < m->size; i++)
        free(m->slots[i].name);
    free(m->slots);
    m->slots = NULL;
    m->size = m->count = 0;
}

/* FNV-1a */
static uint64_t hash(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return h;
}

/* The slot of this name, or the free one where it would be; there is always a free one. */
static struct map_slot *probe(struct map_slot *slots, size_t size, const char *name)
{
    size_t i = (size_t)hash(name) & (size - 1);

    while (slots[i].name && strcmp(slots[i].name, name) != 0)
        i = (i + 1) & (size - 1);
    return &slots[i];
}

static bool grow(struct map *m)
{
    size_t size = m->size ? m->size * 2 : FIRST_SIZE;
    struct map_slot *slots = calloc(size, sizeof *slots);

    if (!slots)
        return false;
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].name)
            *probe(slots, size, m->slots[i].name) = m->slots[i];
    free(m->slots);
    m->slots = slots;
    m->size = size;
    return true;
}

int64_t *map_find(const struct map *m, const char *name)
{
    struct map_slot *slot = m->size ? probe(m->slots, m->size, name) : NULL;

    return slot && slot->name ? &slot->value : NULL;
}

int64_t *map_add(struct map *m, const char *name, bool *ret_new)
{
    int64_t *known = map_find(m, name);

    if (ret_new)
        *ret_new = !known;
    if (known)
        return known;
    if (m->count >= m->max || (2 * (m->count + 1) > m->size && !grow(m)))
        return NULL;
    struct map_slot *slot = probe(m->slots, m->size, name);
    slot->name = strdup(name);
    if (!slot->name)
        return NULL;
    m->count++;
    return &slot->value;
}
