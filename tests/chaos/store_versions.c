#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "tests/chaos/map.h"
#include "tests/chaos/store.h"

DEFINE_CLEANUP(FILE *, file_close, fclose)

/* --- looks at the store --- */

struct seen {
    uint64_t inode;
    int64_t modified_ns, size;
    int64_t look;  /* the latest in which it was there */
    bool vanished; /* told already */
};

struct store_index {
    struct map keys;  /* -> place in all */
    struct seen *all; /* owned */
    size_t count, room;
    struct store_changes changes;
    bool failed; /* no memory in this look */
};

enum err_code store_index_new(struct store_index **ret_index, struct err *e)
{
    struct store_index *x = calloc(1, sizeof *x);

    if (!x)
        return err_set(e, ERR_NOMEM, "store: no memory");
    x->keys = (struct map)MAP_INIT(STORE_OBJECTS_MAX);
    *ret_index = x;
    return ERR_OK;
}

void store_index_free(struct store_index *x)
{
    if (!x)
        return;
    map_release(&x->keys);
    free(x->all);
    free(x);
}

static void add_example(char examples[STORE_EXAMPLES][160], int64_t before,
                        const char *what, const char *key)
{
    if (before < STORE_EXAMPLES)
        (void)snprintf(examples[before], 160, "%s: %.120s", what, key);
}

static struct seen *find_or_add(struct store_index *x, const char *key, bool *ret_new)
{
    int64_t *place = map_add(&x->keys, key, ret_new);

    if (!place)
        return NULL;
    if (!*ret_new)
        return &x->all[*place];
    if (x->count == x->room) {
        size_t room = x->room ? 2 * x->room : 1024;
        struct seen *all = realloc(x->all, room * sizeof *all);
        if (!all)
            return NULL;
        x->all = all;
        x->room = room;
    }
    *place = (int64_t)x->count;
    x->all[x->count] = (struct seen){0};
    return &x->all[x->count++];
}

static bool look_at(void *ctx, const struct store_object *o)
{
    struct store_index *x = ctx;
    struct store_changes *c = &x->changes;
    bool fresh;
    struct seen *s = find_or_add(x, o->key, &fresh);

    if (!s) {
        x->failed = true;
        return false;
    }
    if (!fresh && (s->inode != o->inode || s->modified_ns != o->modified_ns ||
                   s->size != o->size)) {
        add_example(c->examples, c->replaced + c->vanished, "replaced", o->key);
        c->replaced++;
    }
    s->inode = o->inode;
    s->modified_ns = o->modified_ns;
    s->size = o->size;
    s->look = c->looks;
    return true;
}

static void find_vanished(struct store_index *x)
{
    struct store_changes *c = &x->changes;

    for (size_t i = 0; i < x->keys.size; i++) {
        const char *key = x->keys.slots[i].name;
        struct seen *s = key ? &x->all[x->keys.slots[i].value] : NULL;
        if (!s || s->vanished || s->look == c->looks)
            continue;
        s->vanished = true;
        add_example(c->examples, c->replaced + c->vanished, "vanished", key);
        c->vanished++;
    }
}

enum err_code store_index_update(struct store_index *x, const struct store *s,
                                 struct err *e)
{
    x->failed = false;
    x->changes.looks++;
    if (store_walk(s, look_at, x, NULL, e) != ERR_OK)
        return e->code;
    if (x->failed)
        return err_set(e, ERR_NOMEM, "store: too many objects to remember");
    find_vanished(x);
    return ERR_OK;
}

struct store_changes store_index_changes(const struct store_index *x)
{
    return x->changes;
}

/* --- the sink's access log --- */

/* Of a line `... "PUT /key HTTP/1.1" 201 ...`: the key, NUL-terminated in place, and the status. */
static const char *parse_put(char *line, int *ret_status)
{
    static const char method[] = "\"PUT /";
    char *key = strstr(line, method);
    char *end = key ? strstr(key, " HTTP/1.") : NULL;

    if (!end)
        return NULL;
    const char *quote = strchr(end, '"');
    if (!quote || quote[1] != ' ')
        return NULL;
    long status = strtol(quote + 2, NULL, 10);
    if (status < 100 || status > 599)
        return NULL;
    *ret_status = (int)status;
    *end = '\0';
    return key + sizeof method - 1;
}

static enum err_code count_put(struct map *keys, const char *key, int status,
                               struct store_puts *p, struct err *e)
{
    bool fresh;

    if (status != 201 && status != 204) {
        p->refused++;
        return ERR_OK;
    }
    if (!map_add(keys, key, &fresh))
        return err_set(e, ERR_NOMEM, "store: too many keys in the access log");
    p->puts++;
    p->objects += fresh;
    if (fresh)
        return ERR_OK;
    add_example(p->examples, p->replaced, "put again", key);
    p->replaced++;
    return ERR_OK;
}

enum err_code store_read_access_log(const char *path, struct store_puts *ret,
                                    struct err *e)
{
    CLEANUP(file_close) FILE *file = fopen(path, "re");
    CLEANUP(map_release) struct map keys = MAP_INIT(STORE_OBJECTS_MAX);
    struct store_puts p = {0};
    char line[8192];
    int status;

    if (!file)
        return err_errno(e, ERR_CONFIG, "store: open %s", path);
    while (fgets(line, sizeof line, file)) {
        const char *key = parse_put(line, &status);
        if (key && count_put(&keys, key, status, &p, e) != ERR_OK)
            return e->code;
    }
    *ret = p;
    return ERR_OK;
}
