/*
 * Worker threads: every job runs once and comes back on the owner's thread.
 */
#include "app/threads.h"

#include "tests/unit/check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

enum { JOBS = 5000, CHAIN = 200 };

struct counted {
    struct sf_job job;
    atomic_int ran;
    int done;
    pthread_t runner;
    pthread_t giver;
    struct sf_workers *again; /* submit this job `left` times more */
    int left;
};

static void
count_run(struct sf_job *job)
{
    struct counted *counted = (struct counted *)job;

    counted->runner = pthread_self();
    atomic_fetch_add(&counted->ran, 1);
}

static void
count_done(struct sf_job *job)
{
    struct counted *counted = (struct counted *)job;

    counted->giver = pthread_self();
    counted->done++;
    if (counted->left > 0) {
        counted->left--;
        sf_workers_submit(counted->again, job);
    }
}

/* Poll until nothing is under way, sleeping on the descriptor as the daemon does. */
static void
finish(struct sf_threads *threads)
{
    while (!sf_threads_is_idle(threads)) {
        struct pollfd ready = {.fd = sf_threads_fd(threads), .events = POLLIN};

        REQUIRE_EQ(poll(&ready, 1, 10000), 1);
        (void)sf_workers_poll(sf_threads_workers(threads));
    }
}

static void
test_all_once(void)
{
    struct counted *jobs = calloc(JOBS, sizeof(*jobs));
    struct sf_threads *threads;
    int elsewhere = 0;

    REQUIRE(jobs != NULL);
    REQUIRE_EQ(sf_threads_open(4, &threads), SF_OK);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i].job.run = count_run;
        jobs[i].job.done = count_done;
        sf_workers_submit(sf_threads_workers(threads), &jobs[i].job);
        if (i % 100 == 0) {
            (void)sf_workers_poll(sf_threads_workers(threads));
        }
    }
    finish(threads);
    for (size_t i = 0; i < JOBS; i++) {
        if (atomic_load(&jobs[i].ran) != 1 || jobs[i].done != 1 ||
            !pthread_equal(jobs[i].giver, pthread_self())) {
            CHECK(false && "a job was not run and given back exactly once");
        }
        elsewhere += !pthread_equal(jobs[i].runner, pthread_self());
    }
    CHECK_EQ(elsewhere, JOBS);
    CHECK(!sf_workers_poll(sf_threads_workers(threads)));
    sf_threads_close(threads);
    free(jobs);
}

static void
test_chain(void)
{
    struct counted job = {.job = {.run = count_run, .done = count_done}, .left = CHAIN};
    struct sf_threads *threads;

    REQUIRE_EQ(sf_threads_open(2, &threads), SF_OK);
    job.again = sf_threads_workers(threads);
    sf_workers_submit(job.again, &job.job);
    finish(threads);
    CHECK_EQ(job.done, CHAIN + 1);
    CHECK_EQ(atomic_load(&job.ran), CHAIN + 1);
    sf_threads_close(threads);
}

static int order[64];
static int order_count;

struct numbered {
    struct sf_job job;
    int number;
};

static void
note_number(struct sf_job *job)
{
    order[order_count++] = ((struct numbered *)job)->number;
}

static void
nothing(struct sf_job *job)
{
    (void)job;
}

static void
test_order(void)
{
    struct numbered jobs[64];
    struct sf_threads *threads;

    order_count = 0;
    REQUIRE_EQ(sf_threads_open(1, &threads), SF_OK);
    for (int i = 0; i < 64; i++) {
        jobs[i] = (struct numbered){{.run = note_number, .done = nothing}, i};
        sf_workers_submit(sf_threads_workers(threads), &jobs[i].job);
    }
    finish(threads);
    for (int i = 0; i < 64; i++) {
        CHECK_EQ(order[i], i);
    }
    sf_threads_close(threads);
}

static void
slow_run(struct sf_job *job)
{
    (void)job;
    usleep(20000);
}

static void
never(struct sf_job *job)
{
    (void)job;
    CHECK(false && "done was called after the workers were closed");
}

static void
test_close_busy(void)
{
    struct sf_job jobs[20];
    struct sf_threads *threads;

    REQUIRE_EQ(sf_threads_open(2, &threads), SF_OK);
    for (size_t i = 0; i < 20; i++) {
        jobs[i] = (struct sf_job){.run = slow_run, .done = never};
        sf_workers_submit(sf_threads_workers(threads), &jobs[i]);
    }
    sf_threads_close(threads);
    sf_threads_close(NULL);
}

static void
test_idle(void)
{
    struct sf_threads *threads;
    struct rusage before;
    struct rusage after;

    REQUIRE_EQ(sf_threads_open(8, &threads), SF_OK);
    usleep(50000);
    (void)getrusage(RUSAGE_SELF, &before);
    usleep(200000);
    (void)getrusage(RUSAGE_SELF, &after);
    /* This thread's own going to sleep and waking up, and not a hundred more. */
    CHECK(after.ru_nvcsw - before.ru_nvcsw < 20);
    sf_threads_close(threads);
}

static void
test_limits(void)
{
    struct sf_threads *threads;

    CHECK_EQ(sf_threads_open(0, &threads), SF_EINVAL);
    CHECK_EQ(sf_threads_open(SF_THREADS_MAX + 1, &threads), SF_EINVAL);
    CHECK(sf_threads_cores() >= 1 && sf_threads_cores() <= SF_THREADS_MAX);
}

CHECK_MAIN("threads", {"every job runs once, elsewhere, and comes back here", test_all_once},
    {"a finished job may be submitted again from its done", test_chain},
    {"one thread takes jobs in the order they came", test_order},
    {"closing waits for what runs and drops the rest", test_close_busy},
    {"idle threads do not wake up", test_idle}, {"the number of threads has limits", test_limits})
