/*
 * assert.h - assertions for our own bugs; they stay on in release builds.
 *
 * Bytes from peers, users or disks never reach one: they are checked and
 * answered with a status.
 */
#ifndef SF_BASE_ASSERT_H
#define SF_BASE_ASSERT_H

__attribute__((noreturn)) void sf_assert_fail(const char *expression, const char *file, int line);

#define sf_assert(expression)                                                                      \
    ((expression) ? (void)0 : sf_assert_fail(#expression, __FILE__, __LINE__))

#endif
