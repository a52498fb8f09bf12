/*
 * check.h - what every unit test program starts with: one suite of tests whose
 * names are sentences, run by CUnit, and the result as the exit status.
 *
 *     static void
 *     test_empty(void)
 *     {
 *         CHECK_EQ(sf_thing_count(&thing), 0);
 *     }
 *
 *     CHECK_MAIN("thing", {"an empty thing counts nothing", test_empty})
 */
#ifndef SF_TESTS_UNIT_CHECK_H
#define SF_TESTS_UNIT_CHECK_H

#include <CUnit/Basic.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_test {
    const char *sentence;
    void (*run)(void);
};

/* The test goes on after a CHECK that fails and ends at a REQUIRE that fails. */
#define CHECK(expression)                                                                          \
    ((void)CU_assertImplementation(                                                                \
        (expression) ? CU_TRUE : CU_FALSE, __LINE__, #expression, __FILE__, "", CU_FALSE))
#define REQUIRE(expression)                                                                        \
    ((void)CU_assertImplementation(                                                                \
        (expression) ? CU_TRUE : CU_FALSE, __LINE__, #expression, __FILE__, "", CU_TRUE))

/* Integers; a failure shows both. */
#define CHECK_EQ(actual, expected)                                                                 \
    check_equal((int64_t)(actual), (int64_t)(expected), #actual " == " #expected, __FILE__,        \
        __LINE__, CU_FALSE)
#define REQUIRE_EQ(actual, expected)                                                               \
    check_equal((int64_t)(actual), (int64_t)(expected), #actual " == " #expected, __FILE__,        \
        __LINE__, CU_TRUE)

#define CHECK_BYTES(actual, expected, bytes) CHECK(memcmp((actual), (expected), (bytes)) == 0)
#define CHECK_TEXT(actual, expected)         CHECK(strcmp((actual), (expected)) == 0)

/* What this host cannot show is said, never passed over: `SKIP("io_uring is disabled here");`. */
#define SKIP(...)                                                                                  \
    do {                                                                                           \
        printf("\n    SKIP: ");                                                                    \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        return;                                                                                    \
    } while (0)

static inline void
check_equal(int64_t actual, int64_t expected, const char *text, const char *file, unsigned int line,
    CU_BOOL fatal)
{
    char message[512];

    snprintf(
        message, sizeof(message), "%s (%" PRId64 " against %" PRId64 ")", text, actual, expected);
    (void)CU_assertImplementation(
        actual == expected ? CU_TRUE : CU_FALSE, line, message, file, "", fatal);
}

static inline int
check_run(const char *module, const struct check_test *tests, size_t count)
{
    CU_pSuite suite;
    unsigned int failures;

    if (CU_initialize_registry() != CUE_SUCCESS ||
        (suite = CU_add_suite(module, NULL, NULL)) == NULL) {
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < count; i++) {
        if (CU_add_test(suite, tests[i].sentence, tests[i].run) == NULL) {
            return EXIT_FAILURE;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    if (CU_basic_run_tests() != CUE_SUCCESS) {
        return EXIT_FAILURE;
    }
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define CHECK_MAIN(module, ...)                                                                    \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct check_test tests[] = {__VA_ARGS__};                                    \
        return check_run((module), tests, sizeof(tests) / sizeof(tests[0]));                       \
    }

#endif
