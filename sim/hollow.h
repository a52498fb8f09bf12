/*
 * hollow.h - cryptography and contents that have their sizes and nothing else.
 *
 * A what-if asks when things arrive, not what they say. With this chosen,
 * ciphertext is plaintext, hashes and signatures are cheap sums of as many
 * bytes, and files are all zeros, which the simulated disk keeps for nothing.
 * Everything has the length it has in flight, and what is damaged on a path
 * fails its check, so the engines do what they do in earnest.
 *
 * It protects nothing from anybody. It can be chosen only before the first use
 * of base/crypto, for the whole process, and only in a program that links this
 * file; see base/crypto_bulk.h.
 */
#ifndef SF_SIM_HOLLOW_H
#define SF_SIM_HOLLOW_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Choose it. Returns SF_OK; SF_ESTATE if real cryptography is in use already. */
SF_MUST_USE int sf_hollow_init(void);

bool sf_hollow_is_chosen(void);

/*
 * A datagram of `bytes` is damaged at *flip_bit: move that to its tag, where it
 * is found. Does nothing if real cryptography is used.
 */
void sf_hollow_damage(uint32_t *flip_bit, size_t bytes);

/* A generator for sf_sim_disk_source(): zeros. */
void sf_hollow_generate(void *context, uint64_t offset, uint8_t *out, size_t bytes);

#endif
