#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

/* The only place in the libraries that prints: an assertion has no caller left to tell. */
void
sf_assert_fail(const char *expression, const char *file, int line)
{
    fprintf(stderr, "skyferry: assertion failed: %s (%s:%d)\n", expression, file, line);
    abort();
}
