/*
 * err: codes and texts; what comes from outside cannot break a line, and a long text is cut, not overrun.
 */
#include "shared/err.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(err, .timeout = 60);

Test(err, set_keeps_code_and_text_and_returns_the_code)
{
    struct err e = ERR_INIT;

    cr_expect(
        eq(int, err_set(&e, ERR_REJECT, "part %d: %s", 3, "no name"), ERR_REJECT));
    cr_expect(eq(int, e.code, ERR_REJECT));
    cr_expect(eq(str, e.text, "part 3: no name"));
    cr_expect(eq(int, e.os_errno, 0));
}

Test(err, errno_is_appended_remembered_and_kept)
{
    struct err e = ERR_INIT;

    errno = ENOSPC;
    cr_expect(eq(int, err_errno(&e, ERR_CONFIG, "spool: %s", "/x"), ERR_CONFIG));
    cr_expect(eq(str, e.text, "spool: /x: No space left on device"));
    cr_expect(eq(int, e.os_errno, ENOSPC));
    cr_expect(eq(int, errno, ENOSPC));
    err_set(&e, ERR_RETRY, "another");
    cr_expect(eq(int, e.os_errno, 0), "an errno does not outlive its error");
}

Test(err, prefix_goes_in_front_and_keeps_code_and_errno)
{
    struct err e = ERR_INIT;

    errno = EACCES;
    err_errno(&e, ERR_CONFIG, "open");
    cr_expect(eq(int, err_prefix(&e, "job %s", "a.b"), ERR_CONFIG));
    cr_expect(eq(str, e.text, "job a.b: open: Permission denied"));
    cr_expect(eq(int, e.os_errno, EACCES));
}

Test(err, an_argument_may_be_the_text_itself)
{
    struct err e = ERR_INIT;

    err_set(&e, ERR_RETRY, "away");
    err_set(&e, ERR_RETRY, "redis: %s", e.text);
    cr_expect(eq(str, e.text, "redis: away"));
}

Test(err, control_characters_become_blanks)
{
    struct err e = ERR_INIT;

    err_set(&e, ERR_REJECT, "a\nb\x1b[2J\x7fz");
    cr_expect(eq(str, e.text, "a b [2J z"));
}

Test(err, a_long_text_is_cut_and_terminated)
{
    struct err e = ERR_INIT;
    char longer[2 * sizeof e.text];

    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    err_set(&e, ERR_REJECT, "%s", longer);
    cr_expect(eq(sz, strlen(e.text), sizeof e.text - 1));
    errno = EIO;
    err_errno(&e, ERR_RETRY, "%s", longer);
    cr_expect(lt(sz, strlen(e.text), sizeof e.text));
    err_prefix(&e, "%s", longer);
    cr_expect(lt(sz, strlen(e.text), sizeof e.text));
    cr_expect(eq(int, e.text[0], 'x'));
}

Test(err, every_code_has_a_word)
{
    cr_expect(eq(str, (char *)err_code_name(ERR_OK), "ok"));
    cr_expect(eq(str, (char *)err_code_name(ERR_RETRY), "retry"));
    cr_expect(eq(str, (char *)err_code_name(ERR_REJECT), "reject"));
    cr_expect(eq(str, (char *)err_code_name(ERR_CONFIG), "config"));
    cr_expect(eq(str, (char *)err_code_name(ERR_NOMEM), "nomem"));
    cr_expect(eq(str, (char *)err_code_name((enum err_code)99), "unknown"));
}
