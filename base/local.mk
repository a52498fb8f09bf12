noinst_LIBRARIES += base/libbase.a
base_libbase_a_SOURCES = \
	%D%/assert.c %D%/assert.h \
	%D%/bytes.h \
	%D%/crc32c.c %D%/crc32c.h \
	%D%/crypto.c %D%/crypto.h \
	%D%/crypto_bulk.h %D%/crypto_bulk_openssl.c %D%/crypto_bulk_sodium.c \
	%D%/job.c %D%/job.h \
	%D%/master.c %D%/master.h \
	%D%/prng.c %D%/prng.h \
	%D%/random.h \
	%D%/range_set.c %D%/range_set.h \
	%D%/status.c %D%/status.h \
	%D%/time.h
