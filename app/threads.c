#include "app/threads.h"

#include "base/assert.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    struct sf_job *first;
    struct sf_job **last;
};

struct thread {
    struct sf_threads *threads;
    uint32_t index;
    pthread_t id;
};

struct sf_threads {
    struct sf_workers workers; /* first: the engine's pointer is ours */
    pthread_mutex_t mutex;     /* guards all down to `is_ending` */
    pthread_cond_t wake;       /* there is work, or an end */
    struct queue waiting;
    struct queue finished;
    uint32_t asleep;
    bool is_ending;
    int fd;
    uint64_t under_way; /* submitted and not given back; the owner's thread only */
    uint32_t count;
    struct thread all[SF_THREADS_MAX];
};

static void
queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void
queue_add(struct queue *queue, struct sf_job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

static struct sf_job *
queue_take(struct queue *queue)
{
    struct sf_job *job = queue->first;

    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
    }
    return job;
}

/* Make the eventfd readable. It cannot overflow: one count for each first finished job. */
static void
signal_owner(const struct sf_threads *threads)
{
    const uint64_t one = 1;
    ssize_t written = write(threads->fd, &one, sizeof(one));

    (void)written;
}

static void *
work(void *context)
{
    const struct thread *self = context;
    struct sf_threads *threads = self->threads;

    (void)pthread_mutex_lock(&threads->mutex);
    for (;;) {
        struct sf_job *job;
        bool is_first;

        while (threads->waiting.first == NULL && !threads->is_ending) {
            threads->asleep++;
            (void)pthread_cond_wait(&threads->wake, &threads->mutex);
            threads->asleep--;
        }
        if (threads->is_ending) {
            break;
        }
        job = queue_take(&threads->waiting);
        (void)pthread_mutex_unlock(&threads->mutex);
        job->worker = self->index;
        job->run(job);
        (void)pthread_mutex_lock(&threads->mutex);
        is_first = threads->finished.first == NULL;
        queue_add(&threads->finished, job);
        if (is_first) {
            signal_owner(threads);
        }
    }
    (void)pthread_mutex_unlock(&threads->mutex);
    return NULL;
}

static void
threads_submit(struct sf_workers *workers, struct sf_job *job)
{
    struct sf_threads *threads = (struct sf_threads *)workers;
    bool is_asleep;

    threads->under_way++;
    (void)pthread_mutex_lock(&threads->mutex);
    queue_add(&threads->waiting, job);
    is_asleep = threads->asleep > 0;
    (void)pthread_mutex_unlock(&threads->mutex);
    if (is_asleep) {
        (void)pthread_cond_signal(&threads->wake);
    }
}

static bool
threads_poll(struct sf_workers *workers)
{
    struct sf_threads *threads = (struct sf_threads *)workers;
    struct sf_job *job;
    struct sf_job *following;
    uint64_t count;

    if (threads->under_way == 0) {
        return false;
    }
    (void)pthread_mutex_lock(&threads->mutex);
    job = threads->finished.first;
    if (job != NULL) {
        /* Drained under the mutex, so that a job finished later signals again. */
        ssize_t got = read(threads->fd, &count, sizeof(count));

        (void)got;
        queue_init(&threads->finished);
    }
    (void)pthread_mutex_unlock(&threads->mutex);
    if (job == NULL) {
        return false;
    }
    for (; job != NULL; job = following) {
        following = job->next;
        threads->under_way--;
        job->done(job);
    }
    return true;
}

uint32_t
sf_threads_cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return count < 1 ? 1 : count > SF_THREADS_MAX ? SF_THREADS_MAX : (uint32_t)count;
}

/* Start the threads with every signal blocked: signals are the main thread's. */
static int
start_threads(struct sf_threads *threads, uint32_t count)
{
    sigset_t all;
    sigset_t before;
    int status = SF_OK;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; threads->count < count && status == SF_OK; threads->count++) {
        struct thread *thread = &threads->all[threads->count];

        thread->threads = threads;
        thread->index = threads->count;
        if (pthread_create(&thread->id, NULL, work, thread) != 0) {
            status = SF_ELIMIT;
            break;
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

int
sf_threads_open(uint32_t count, struct sf_threads **ret_threads)
{
    struct sf_threads *threads;
    int status;

    if (count < 1 || count > SF_THREADS_MAX) {
        return SF_EINVAL;
    }
    threads = calloc(1, sizeof(*threads));
    if (threads == NULL) {
        return SF_ENOMEM;
    }
    threads->workers.submit = threads_submit;
    threads->workers.poll = threads_poll;
    queue_init(&threads->waiting);
    queue_init(&threads->finished);
    threads->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (threads->fd < 0) {
        free(threads);
        return SF_ELIMIT;
    }
    /* With default attributes these two cannot fail on Linux. */
    sf_assert(pthread_mutex_init(&threads->mutex, NULL) == 0);
    sf_assert(pthread_cond_init(&threads->wake, NULL) == 0);
    status = start_threads(threads, count);
    if (status != SF_OK) {
        sf_threads_close(threads);
        return status;
    }
    *ret_threads = threads;
    return SF_OK;
}

void
sf_threads_close(struct sf_threads *threads)
{
    if (threads == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&threads->mutex);
    threads->is_ending = true;
    (void)pthread_mutex_unlock(&threads->mutex);
    (void)pthread_cond_broadcast(&threads->wake);
    for (uint32_t i = 0; i < threads->count; i++) {
        (void)pthread_join(threads->all[i].id, NULL);
    }
    (void)pthread_cond_destroy(&threads->wake);
    (void)pthread_mutex_destroy(&threads->mutex);
    close(threads->fd);
    free(threads);
}

struct sf_workers *
sf_threads_workers(struct sf_threads *threads)
{
    return &threads->workers;
}

int
sf_threads_fd(const struct sf_threads *threads)
{
    return threads->fd;
}

bool
sf_threads_is_idle(const struct sf_threads *threads)
{
    return threads->under_way == 0;
}
