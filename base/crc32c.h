/*
 * crc32c.h - the Castagnoli CRC (RFC 3720, appendix B.4), against accidents only.
 *
 * Uses the processor's own instruction where there is one, decided at run
 * time, and tables elsewhere; both give the same result.
 */
#ifndef SF_BASE_CRC32C_H
#define SF_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Continue `crc` (0 at the start) over `bytes` bytes at `data`, so that
 * crc(a ‖ b) = crc(crc(0, a), b). `data` may be NULL if bytes is 0.
 */
uint32_t sf_crc32c(uint32_t crc, const void *data, size_t bytes);

/* The same without the processor's help; tests compare the two. */
uint32_t sf_crc32c_portable(uint32_t crc, const void *data, size_t bytes);

#endif
