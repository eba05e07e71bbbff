#include <stdio.h>

#include "tests/chaos/check.h"

static const char *const titles[CHECK_INVARIANTS + 1] = {
    [1] = "no loss",
    [2] = "nothing partial, mixed up or uninvited",
    [3] = "exactly one",
    [4] = "unanswered: whole, once, or not at all",
    [5] = "no debris",
    [6] = "all ended, in time",
    [7] = "no open upload in parts",
    [8] = "no end taken from who had lost the job",
    [9] = "done was true when it was said",
    [10] = "what came in is accounted for",
    [12] = "no secret anywhere",
    [13] = "no more held than after the warm-up",
    [14] = "no crash",
};

static void print_bound(FILE *to, const struct check_result *r)
{
    int64_t bad = r->lost + r->duplicates + r->partial;

    if (r->accepted == 0 || bad > 0)
        return;
    fprintf(to, "0 of %lld accepted: fewer than %.2g a job", (long long)r->accepted,
            3.0 / (double)r->accepted);
    if (r->kills > 0)
        fprintf(to, ", %.2g a kill (%lld)", 3.0 / (double)r->kills,
                (long long)r->kills);
    fprintf(to, ", at 95 %%\n");
}

static void print_finding(FILE *to, int i, const struct check_finding *f)
{
    fprintf(to, "I%-3d %-44s %s", i, titles[i],
            !f->checked     ? "not looked at"
            : f->violations ? "VIOLATED"
                            : "holds");
    if (f->violations)
        fprintf(to, " %lld times", (long long)f->violations);
    fprintf(to, "\n");
    for (int k = 0; k < CHECK_OFFENDERS && f->offenders[k][0]; k++)
        fprintf(to, "       %s\n", f->offenders[k]);
}

void check_print(FILE *to, const struct check_result *r)
{
    static const char *const heads[] = {"accepted",   "unknown", "refused", "objects",
                                        "duplicates", "lost",    "partial", "orphans"};
    const int64_t row[] = {r->accepted,   r->unknown, r->refused, r->objects,
                           r->duplicates, r->lost,    r->partial, r->orphans};

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        fprintf(to, "%10s", heads[i]);
    fprintf(to, "\n");
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        fprintf(to, "%10lld", (long long)row[i]);
    fprintf(to, "\n");
    fprintf(to,
            "of the unknown %lld arrived; %lld broken off; %lld dead with their bytes; "
            "%lld put again; slowest %.1f s\n",
            (long long)r->arrived, (long long)r->broken, (long long)r->dead,
            (long long)r->replaced, (double)r->slowest_ms / 1000);
    print_bound(to, r);
    for (int i = 1; i <= CHECK_INVARIANTS; i++)
        if (titles[i])
            print_finding(to, i, &r->invariants[i]);
    fprintf(to, "%s\n", check_passed(r) ? "PASSED" : "FAILED");
}
