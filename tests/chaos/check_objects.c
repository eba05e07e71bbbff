#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "tests/chaos/check_internal.h"

struct judge {
    struct check *check;
    uint8_t *found;  /* whole objects of upload n, up to 255; owned by check_objects */
    struct map jobs; /* uuid of each accepted job -> n */
    struct err *e;
};

static const struct ledger_entry *entry_of(const struct judge *j, int64_t n)
{
    static const struct ledger_entry none;
    const struct ledger_record *l = j->check->o->ledger;

    return n >= 0 && (uint64_t)n < l->count ? &l->entries[n] : &none;
}

/* Whose key it is, as hoist names objects, "<uuid>.bin": the upload of the accepted job of this uuid; -1: nobody's. */
static int64_t owner_of_key(const struct judge *j, const char *key)
{
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    char uuid[ID_UUID_LEN + 1];

    (void)snprintf(uuid, sizeof uuid, "%s", name); /* its first 36 characters */
    const int64_t *n = map_find(&j->jobs, uuid);
    return n ? *n : -1;
}

static void judge_partial(struct judge *j, const struct store_object *o,
                          const struct store_content *c)
{
    struct check *check = j->check;

    check->r->partial++;
    if (c->state != STORE_PARTIAL) {
        check_offend(check, 2, "%.80s: %lld bytes that no upload begins with", o->key,
                     (long long)c->size);
        return;
    }
    check_offend(check, 2, "%.80s: upload %lld, not byte for byte (%lld of %lld bytes)",
                 o->key, (long long)c->body.n, (long long)c->size,
                 (long long)c->body.size);
    if (entry_of(j, c->body.n)->outcome == LEDGER_UNKNOWN)
        check_offend(check, 4, "%.80s: upload %lld, partial", o->key,
                     (long long)c->body.n);
}

static void judge_late(struct judge *j, const struct store_object *o,
                       const struct ledger_entry *entry)
{
    struct check *check = j->check;
    int64_t took = o->modified_ns / 1000000 - entry->ended_ms;

    if (took > check->r->slowest_ms)
        check->r->slowest_ms = took;
    if (check->o->settle_ms > 0 && took > check->o->settle_ms)
        check_offend(check, 6, "%.80s: came %lld ms after its 202", o->key,
                     (long long)took);
}

static void judge_twice(struct judge *j, const struct store_object *o, int64_t n)
{
    j->check->r->duplicates++;
    check_offend(j->check, 3, "%.80s: upload %lld once more", o->key, (long long)n);
    if (entry_of(j, n)->outcome == LEDGER_UNKNOWN)
        check_offend(j->check, 4, "%.80s: upload %lld once more", o->key, (long long)n);
}

static void judge_known(struct judge *j, const struct store_object *o, int64_t n,
                        const struct ledger_entry *entry)
{
    struct check *check = j->check;
    int64_t owner = owner_of_key(j, o->key);
    /* Of a job that nobody was told of. */
    bool is_anothers = entry->outcome == LEDGER_ACCEPTED && entry->id[0] && owner != n;

    if (owner >= 0 && owner != n) {
        check->r->partial++;
        check_offend(check, 2, "%.80s: the key of upload %lld, the bytes of %lld",
                     o->key, (long long)owner, (long long)n);
    } else if (is_anothers || j->found[n] > 0) {
        judge_twice(j, o, n);
    } else {
        j->found[n]++;
        if (entry->outcome == LEDGER_UNKNOWN)
            check->r->arrived++;
        else
            judge_late(j, o, entry);
    }
}

static void judge_whole(struct judge *j, const struct store_object *o,
                        const struct store_content *c)
{
    static const char *const why[] = {
        [LEDGER_NONE] = "never sent",
        [LEDGER_REFUSED] = "refused",
        [LEDGER_BROKEN] = "broken off or too short",
    };
    const struct ledger_entry *entry = entry_of(j, c->body.n);
    bool same = c->size == entry->size &&
                memcmp(c->sha256, entry->sha256, sizeof c->sha256) == 0;

    if ((entry->outcome == LEDGER_ACCEPTED || entry->outcome == LEDGER_UNKNOWN) &&
        same) {
        judge_known(j, o, c->body.n, entry);
        return;
    }
    j->check->r->orphans++;
    check_offend(j->check, 2, "%.80s: upload %lld, which was %s", o->key,
                 (long long)c->body.n,
                 why[entry->outcome] ? why[entry->outcome] : "another in this run");
}

static bool judge_object(void *ctx, const struct store_object *o)
{
    struct judge *j = ctx;
    struct store_content c;

    if (store_read_path(o->path, &c, j->e) != ERR_OK)
        return false;
    j->check->r->objects++;
    if (c.state == STORE_WHOLE)
        judge_whole(j, o, &c);
    else
        judge_partial(j, o, &c);
    return true;
}

/* What was promised and is not there. */
static void judge_missing(struct judge *j)
{
    struct check *check = j->check;
    const struct ledger_record *l = check->o->ledger;

    for (size_t n = 0; n < l->count; n++) {
        const struct ledger_entry *entry = &l->entries[n];
        if (entry->outcome != LEDGER_ACCEPTED || j->found[n] > 0)
            continue;
        struct job_id id;
        bool is_dead = id_parse_job(entry->id, strlen(entry->id), &id) &&
                       map_find(&check->dead, id.uuid.text);
        if (check->o->may_die && is_dead &&
            check_has_bytes(check, entry->id, (int64_t)n)) {
            check->r->dead++;
            continue;
        }
        check->r->lost++;
        check_offend(check, 1, "upload %zu, %s: %s", n,
                     entry->id[0] ? entry->id : "no job named",
                     is_dead ? "dead" : "no whole object");
    }
}

static void judge_versions(struct check *c)
{
    const struct store_changes *changes = c->o->changes;
    const struct store_puts *puts = c->o->puts;
    int64_t replaced = changes ? changes->replaced : 0;

    if (puts && puts->replaced > replaced)
        replaced = puts->replaced;
    c->r->replaced = replaced;
    if (changes && changes->vanished > 0)
        check_offend(c, 3, "%lld objects vanished", (long long)changes->vanished);
    for (int i = 0; changes && i < STORE_EXAMPLES; i++)
        if (strncmp(changes->examples[i], "vanished", 8) == 0)
            check_offend(c, 3, "%.150s", changes->examples[i]);
    if (replaced > 0 && !c->o->may_replace)
        check_offend(c, 3, "%lld objects replaced, as %.150s", (long long)replaced,
                     changes && changes->replaced ? changes->examples[0]
                                                  : puts->examples[0]);
}

static enum err_code load_jobs(struct judge *j, struct err *e)
{
    const struct ledger_record *l = j->check->o->ledger;

    for (size_t n = 0; n < l->count; n++) {
        const struct ledger_entry *entry = &l->entries[n];
        struct job_id id;
        bool fresh;
        if (!id_parse_job(entry->id, strlen(entry->id), &id))
            continue;
        int64_t *value = map_add(&j->jobs, id.uuid.text, &fresh);
        if (!value)
            return err_set(e, ERR_NOMEM, "check: no memory");
        if (!fresh)
            check_offend(j->check, 3, "%s: the job of uploads %lld and %zu", entry->id,
                         (long long)*value, n);
        *value = (int64_t)n;
    }
    return ERR_OK;
}

static enum err_code judge_all(struct judge *j, struct err *e)
{
    if (load_jobs(j, e) != ERR_OK ||
        store_walk(j->check->o->store, judge_object, j, &j->check->walked, e) != ERR_OK)
        return e->code;
    if (j->e->code != ERR_OK) {
        *e = *j->e;
        return e->code;
    }
    judge_missing(j);
    judge_versions(j->check);
    return ERR_OK;
}

enum err_code check_objects(struct check *c, struct err *e)
{
    struct err failed = ERR_INIT;
    struct judge j = {.check = c, .e = &failed, .jobs = MAP_INIT(LEDGER_ENTRIES_MAX)};
    CLEANUP(str_free) char *found = calloc(c->o->ledger->count + 1, 1);

    if (!found)
        return err_set(e, ERR_NOMEM, "check: no memory");
    j.found = (uint8_t *)found;
    for (int i = 1; i <= 4; i++)
        (void)check_wants(c, i);
    enum err_code code = judge_all(&j, e);
    map_release(&j.jobs);
    return code;
}
