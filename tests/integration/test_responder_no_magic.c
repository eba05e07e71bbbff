/*
 * responder, built without libmagic: uploads as ever, and no list of types that it could not keep to.
 */
#include "tests/integration/responder_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_no_magic, .init = responder_up, .fini = responder_down,
          .timeout = 120);

static bool maps_hold(const char *text)
{
    char path[64], line[512];
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)rig.process.pid);
    FILE *f = fopen(path, "re");
    cr_assert(ne(ptr, (void *)f, NULL));
    while (!found && fgets(line, sizeof line, f))
        found = strstr(line, text);
    (void)fclose(f);
    return found;
}

Test(responder_no_magic, uploads_are_taken_without_a_library)
{
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");

    cr_expect(eq(int, responder_status(&put), 202));
    cr_expect(eq(sz, responder_count("jobs"), 2));
    cr_expect(maps_hold("libcrypto"));
    cr_expect(not(maps_hold("libmagic")));
}

/* The rig's configuration, with a section more. */
static struct tmpdir_file with_section(const char *section)
{
    char all[8192];
    FILE *f = fopen(rig.config.path, "re");

    cr_assert(ne(ptr, (void *)f, NULL));
    size_t len = fread(all, 1, sizeof all - 1, f);
    (void)fclose(f);
    int more = snprintf(all + len, sizeof all - len, "%s", section);
    cr_assert(more > 0 && (size_t)more < sizeof all - len);
    return tmpdir_write(&rig.dir, "list.ini", all, len + (size_t)more);
}

Test(responder_no_magic, a_list_of_types_is_an_error_of_configuration)
{
    static const char *const lists[] = {
        "[queue pics]\nallow_types = image/*\n",
        "[destination other]\nurl = file:///tmp\nallow_types = image/*\n"};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        int status = 0;
        cr_assert(eq(int, truncate(rig.log.path, 0), 0));
        struct tmpdir_file file = with_section(lists[i]);
        (void)spawn_stop(&rig.process, 10000);
        spawn_start(
            &rig.process,
            &(struct spawn_options){
                .argv = (const char *[]){HOIST_FCGI_BIN, "--config", file.path, NULL},
                .log_path = rig.log.path});
        cr_assert(spawn_wait(&rig.process, 20000, &status), "it runs with %s",
                  lists[i]);
        bool refused = WIFEXITED(status) && WEXITSTATUS(status) != 0;
        cr_expect(refused);
        cr_expect(spawn_log_has(
            &rig.process, "allow_types: this program was built without libmagic"));
    }
}
