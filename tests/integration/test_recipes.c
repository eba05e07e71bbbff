#include <criterion/criterion.h>
Test(recipes, x) { cr_assert(1); }
