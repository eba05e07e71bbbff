#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "tests/chaos/check_internal.h"
#include "tests/chaos/tree.h"

enum { DATA = 1, MANIFEST = 2 };

static bool see_young(struct check *c, const char *dir, const struct tree_file *f)
{
    int64_t age_ms = clock_wall_ms() - f->stat->st_mtim.tv_sec * INT64_C(1000);

    if (c->o->tmp_age_ms == 0 || age_ms > c->o->tmp_age_ms)
        check_offend(c, 5, "%s/%.120s: %lld ms old", dir, f->below, (long long)age_ms);
    return true;
}

static bool see_tmp(void *ctx, const struct tree_file *f)
{
    return see_young(ctx, "tmp", f);
}

/* Of "<id>.data", "<id>.json" and "<id>.job": what it holds; 0: it is none of these. */
static int parse_name(const char *name, struct job_id *ret_id)
{
    const char *dot = strrchr(name, '.');

    if (!dot || !id_parse_job(name, (size_t)(dot - name), ret_id))
        return 0;
    if (strcmp(dot, ".job") == 0)
        return DATA | MANIFEST;
    return strcmp(dot, ".data") == 0 ? DATA : strcmp(dot, ".json") == 0 ? MANIFEST : 0;
}

/* A .new is what a writer has left that was killed, and stays for as long as what stands in tmp/. */
static bool is_new(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && strcmp(dot, ".new") == 0;
}

static bool see_job(void *ctx, const struct tree_file *f)
{
    struct check *c = ctx;
    struct job_id id;
    int part = parse_name(f->below, &id);
    int64_t *dead = part ? map_find(&c->dead, id.uuid.text) : NULL;

    if (dead)
        *dead |= part;
    else if (is_new(f->below))
        return see_young(c, "jobs", f);
    else
        check_offend(c, 5, "jobs/%.120s: of no dead job", f->below);
    return true;
}

static void check_pairs(struct check *c)
{
    for (size_t i = 0; i < c->dead.size; i++) {
        const struct map_slot *slot = &c->dead.slots[i];
        if (slot->name && slot->value != 0 && slot->value != (DATA | MANIFEST))
            check_offend(c, 5, "jobs/: dead job %s has its %s alone", slot->name,
                         slot->value == DATA ? "data" : "manifest");
    }
}

enum err_code check_spool(struct check *c, struct err *e)
{
    char path[TREE_PATH_MAX + 1];

    if (!check_wants(c, 5))
        return ERR_OK;
    if (c->walked.hidden > 0)
        check_offend(c, 5, "store: %lld unfinished files, as %s",
                     (long long)c->walked.hidden, c->walked.hidden_name);
    if (!c->o->spool_dir)
        return ERR_OK;
    (void)snprintf(path, sizeof path, "%.4000s/tmp", c->o->spool_dir);
    if (tree_walk(path, see_tmp, c, e) != ERR_OK)
        return err_prefix(e, "check: spool");
    (void)snprintf(path, sizeof path, "%.4000s/jobs", c->o->spool_dir);
    if (tree_walk(path, see_job, c, e) != ERR_OK)
        return err_prefix(e, "check: spool");
    check_pairs(c);
    return ERR_OK;
}

bool check_has_bytes(const struct check *c, const char *job_id, int64_t n)
{
    char path[TREE_PATH_MAX + 1];
    struct store_content content;
    struct err e = ERR_INIT;

    if (!c->o->spool_dir)
        return false;
    (void)snprintf(path, sizeof path, "%.3900s/jobs/%s.job", c->o->spool_dir, job_id);
    if (store_read_behind_line(path, &content, &e) != ERR_OK)
        return false;
    if (content.state == STORE_MISSING) {
        (void)snprintf(path, sizeof path, "%.3900s/jobs/%s.data", c->o->spool_dir,
                       job_id);
        if (store_read_path(path, &content, &e) != ERR_OK)
            return false;
    }
    return content.state == STORE_WHOLE && content.body.n == n;
}
