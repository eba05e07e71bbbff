#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "tests/chaos/check_internal.h"

struct judge {
    struct check *check;
    uint8_t *found; /* whole objects of upload n, up to 255; owned by check_objects */
    struct err *e;
};

static const struct ledger_entry *entry_of(const struct judge *j, int64_t n)
{
    static const struct ledger_entry none;
    const struct ledger_record *l = j->check->o->ledger;

    return n >= 0 && (uint64_t)n < l->count ? &l->entries[n] : &none;
}

/* The uuid in the last part of a key, as hoist names objects: "<uuid>.bin". */
static bool key_is_of_job(const char *key, const char *job_id)
{
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    struct job_id id;

    return id_parse_job(job_id, strlen(job_id), &id) &&
           strncmp(name, id.uuid.text, ID_UUID_LEN) == 0;
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

static void judge_known(struct judge *j, const struct store_object *o, int64_t n,
                        const struct ledger_entry *entry)
{
    struct check *check = j->check;

    if (entry->outcome == LEDGER_ACCEPTED && entry->id[0] &&
        !key_is_of_job(o->key, entry->id)) {
        check->r->partial++;
        check_offend(check, 2, "%.80s: holds upload %lld, which is job %s", o->key,
                     (long long)n, entry->id);
        return;
    }
    if (j->found[n] < UINT8_MAX)
        j->found[n]++;
    if (j->found[n] > 1) {
        check->r->duplicates++;
        check_offend(check, 3, "%.80s: upload %lld once more", o->key, (long long)n);
        if (entry->outcome == LEDGER_UNKNOWN)
            check_offend(check, 4, "%.80s: upload %lld once more", o->key,
                         (long long)n);
    } else if (entry->outcome == LEDGER_UNKNOWN) {
        check->r->arrived++;
    } else {
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

enum err_code check_objects(struct check *c, struct err *e)
{
    struct err failed = ERR_INIT;
    struct judge j = {.check = c, .e = &failed};
    CLEANUP(str_free) char *found = calloc(c->o->ledger->count + 1, 1);

    if (!found)
        return err_set(e, ERR_NOMEM, "check: no memory");
    j.found = (uint8_t *)found;
    for (int i = 1; i <= 4; i++)
        (void)check_wants(c, i);
    if (store_walk(c->o->store, judge_object, &j, &c->walked, e) != ERR_OK)
        return e->code;
    if (failed.code != ERR_OK) {
        *e = failed;
        return failed.code;
    }
    judge_missing(&j);
    judge_versions(c);
    return ERR_OK;
}
