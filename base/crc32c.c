#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL_REFLECTED UINT32_C(0x82f63b78)

enum { TABLES = 8 };

/* tables[k][b]: the effect of byte b followed by k zero bytes ("slicing by 8"). */
static uint32_t tables[TABLES][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void
tables_make(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ POLYNOMIAL_REFLECTED : crc >> 1;
        }
        tables[0][b] = crc;
    }
    for (int k = 1; k < TABLES; k++) {
        for (int b = 0; b < 256; b++) {
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
        }
    }
}

uint32_t
sf_crc32c_portable(uint32_t crc, const void *data, size_t bytes)
{
    const uint8_t *p = data;

    (void)pthread_once(&tables_once, tables_make);
    crc = ~crc;
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                                 (uint32_t)p[3] << 24);

        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^
              tables[0][p[7]];
    }
    for (; bytes > 0; bytes--, p++) {
        crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
    }
    return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>

/*
 * The instruction takes three cycles but begins one in each, so three streams of
 * LANE_BYTES go side by side. A sum that was taken so far moves past what the next
 * stream has by a table: behind[k][b] is what byte b at place k of a sum becomes
 * after LANE_BYTES zero bytes. (Gopal et al., "Fast CRC Computation for iSCSI
 * Polynomial Using CRC32 Instruction", Intel, 2011.)
 */
enum { LANE_BYTES = 4096, SUM_BYTES = 4 };

static uint32_t behind[SUM_BYTES][256];
static pthread_once_t behind_once = PTHREAD_ONCE_INIT;

/* A sum after `bytes` zero bytes more, without the complement at either end. */
static uint32_t
after_zeros(uint32_t sum, size_t bytes)
{
    static const uint8_t zeros[256];

    for (size_t done = 0; done < bytes; done += sizeof(zeros)) {
        sum = ~sf_crc32c_portable(~sum, zeros, sizeof(zeros));
    }
    return sum;
}

static void
behind_make(void)
{
    for (unsigned k = 0; k < SUM_BYTES; k++) {
        for (uint32_t b = 0; b < 256; b++) {
            behind[k][b] = after_zeros(b << 8 * k, LANE_BYTES);
        }
    }
}

static uint64_t
move(uint64_t sum)
{
    return behind[0][sum & 0xff] ^ behind[1][sum >> 8 & 0xff] ^ behind[2][sum >> 16 & 0xff] ^
           behind[3][sum >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) static uint64_t
take_word(uint64_t sum, const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return _mm_crc32_u64(sum, word);
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const uint8_t *p, size_t bytes)
{
    uint64_t sum = ~crc;

    for (; bytes >= 3 * LANE_BYTES; bytes -= 3 * LANE_BYTES, p += 3 * LANE_BYTES) {
        uint64_t second = 0;
        uint64_t third = 0;

        for (size_t i = 0; i < LANE_BYTES; i += sizeof(uint64_t)) {
            sum = take_word(sum, p + i);
            second = take_word(second, p + LANE_BYTES + i);
            third = take_word(third, p + 2 * LANE_BYTES + i);
        }
        sum = move(move(sum) ^ second) ^ third;
    }
    for (; bytes >= sizeof(uint64_t); bytes -= sizeof(uint64_t), p += sizeof(uint64_t)) {
        sum = take_word(sum, p);
    }
    crc = (uint32_t)sum;
    for (; bytes > 0; bytes--, p++) {
        crc = _mm_crc32_u8(crc, *p);
    }
    return ~crc;
}

uint32_t
sf_crc32c(uint32_t crc, const void *data, size_t bytes)
{
    if (__builtin_cpu_supports("sse4.2")) {
        if (bytes >= 3 * LANE_BYTES) {
            (void)pthread_once(&behind_once, behind_make);
        }
        return crc32c_sse42(crc, data, bytes);
    }
    return sf_crc32c_portable(crc, data, bytes);
}

#else

uint32_t
sf_crc32c(uint32_t crc, const void *data, size_t bytes)
{
    return sf_crc32c_portable(crc, data, bytes);
}

#endif
