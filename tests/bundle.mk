# Tests of bundle/.

EXTRA_DIST += tests/cbor_transcode.h tests/hex.h tests/unit/check.h
BUNDLE_LDADD = bundle/libbundle.a base/libbase.a $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CBOR_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS)

check_PROGRAMS += tests/unit/test_cbor
TESTS += tests/unit/test_cbor
tests_unit_test_cbor_SOURCES = tests/unit/test_cbor.c
tests_unit_test_cbor_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_frame
TESTS += tests/unit/test_frame
tests_unit_test_frame_SOURCES = tests/unit/test_frame.c
tests_unit_test_frame_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_delta
TESTS += tests/unit/test_delta
tests_unit_test_delta_SOURCES = tests/unit/test_delta.c
tests_unit_test_delta_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_layout tests/unit/test_tensors
TESTS += tests/unit/test_layout tests/unit/test_tensors
tests_unit_test_layout_SOURCES = tests/unit/test_layout.c
tests_unit_test_layout_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)
tests_unit_test_tensors_SOURCES = tests/unit/test_tensors.c tests/unit/tensor_files.h
tests_unit_test_tensors_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_planes
TESTS += tests/unit/test_planes
tests_unit_test_planes_SOURCES = tests/unit/test_planes.c
tests_unit_test_planes_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_class
TESTS += tests/unit/test_class
tests_unit_test_class_SOURCES = tests/unit/test_class.c
tests_unit_test_class_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_piece
TESTS += tests/unit/test_piece
tests_unit_test_piece_SOURCES = tests/unit/test_piece.c
tests_unit_test_piece_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_hpke
TESTS += tests/unit/test_hpke
tests_unit_test_hpke_SOURCES = tests/unit/test_hpke.c
tests_unit_test_hpke_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_identity tests/unit/test_card
TESTS += tests/unit/test_identity tests/unit/test_card
tests_unit_test_identity_SOURCES = tests/unit/test_identity.c tests/unit/people.h
tests_unit_test_identity_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)
tests_unit_test_card_SOURCES = tests/unit/test_card.c tests/unit/people.h
tests_unit_test_card_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_manifest
TESTS += tests/unit/test_manifest
tests_unit_test_manifest_SOURCES = tests/unit/test_manifest.c
tests_unit_test_manifest_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_receipt
TESTS += tests/unit/test_receipt
tests_unit_test_receipt_SOURCES = tests/unit/test_receipt.c
tests_unit_test_receipt_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_envelope
TESTS += tests/unit/test_envelope
tests_unit_test_envelope_SOURCES = tests/unit/test_envelope.c tests/unit/people.h
tests_unit_test_envelope_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

# Fuzz targets.

check_PROGRAMS += tests/fuzz/fuzz_cbor
tests_fuzz_fuzz_cbor_SOURCES = tests/fuzz/fuzz_cbor.c tests/cbor_transcode.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_cbor_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_cbor_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_content
tests_fuzz_fuzz_content_SOURCES = tests/fuzz/fuzz_content.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_content_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_content_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_digests
tests_fuzz_fuzz_digests_SOURCES = tests/fuzz/fuzz_digests.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_digests_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_digests_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_frame
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_frame_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_outline
tests_fuzz_fuzz_outline_SOURCES = tests/fuzz/fuzz_outline.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_outline_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_outline_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_tensors
tests_fuzz_fuzz_tensors_SOURCES = tests/fuzz/fuzz_tensors.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_tensors_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_tensors_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_receipt
tests_fuzz_fuzz_receipt_SOURCES = tests/fuzz/fuzz_receipt.c $(FUZZ_REPLAY)
tests_fuzz_fuzz_receipt_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_receipt_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

if !FUZZING
TESTS += tests/fuzz/fuzz_cbor tests/fuzz/fuzz_content tests/fuzz/fuzz_digests tests/fuzz/fuzz_frame tests/fuzz/fuzz_outline tests/fuzz/fuzz_receipt tests/fuzz/fuzz_tensors
endif
EXTRA_DIST += tests/fuzz/corpus/cbor tests/fuzz/corpus/content tests/fuzz/corpus/digests tests/fuzz/corpus/frame tests/fuzz/corpus/outline tests/fuzz/corpus/receipt
EXTRA_DIST += tests/fuzz/corpus/tensors tests/fuzz/tensors.dict

# Writes the seeds of the corpora above: tests/fuzz/make_corpus $(srcdir)/tests/fuzz/corpus
EXTRA_PROGRAMS = tests/fuzz/make_corpus
tests_fuzz_make_corpus_SOURCES = tests/fuzz/make_corpus.c tests/unit/tensor_files.h
tests_fuzz_make_corpus_LDADD = $(BUNDLE_LDADD)

check_PROGRAMS += tests/unit/test_grant
TESTS += tests/unit/test_grant
tests_unit_test_grant_SOURCES = tests/unit/test_grant.c tests/unit/people.h
tests_unit_test_grant_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_letter
TESTS += tests/unit/test_letter
tests_unit_test_letter_SOURCES = tests/unit/test_letter.c tests/unit/people.h
tests_unit_test_letter_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

# A whole transfer, opened by an independent reader.
check_PROGRAMS += tests/vectors/make_transfer
tests_vectors_make_transfer_SOURCES = tests/vectors/make_transfer.c tests/unit/people.h
tests_vectors_make_transfer_LDADD = $(BUNDLE_LDADD)
dist_check_SCRIPTS += tests/vectors/check_reader.sh
TESTS += tests/vectors/check_reader.sh
EXTRA_DIST += tests/vectors/reader.py

# Fuzz targets of sealed objects.

check_PROGRAMS += tests/fuzz/fuzz_card
tests_fuzz_fuzz_card_SOURCES = tests/fuzz/fuzz_card.c tests/unit/people.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_card_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_card_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_envelope
tests_fuzz_fuzz_envelope_SOURCES = tests/fuzz/fuzz_envelope.c tests/unit/people.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_envelope_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_envelope_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_grant
tests_fuzz_fuzz_grant_SOURCES = tests/fuzz/fuzz_grant.c tests/unit/people.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_grant_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_grant_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_identity
tests_fuzz_fuzz_identity_SOURCES = tests/fuzz/fuzz_identity.c tests/unit/people.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_identity_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_identity_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/fuzz/fuzz_letter
tests_fuzz_fuzz_letter_SOURCES = tests/fuzz/fuzz_letter.c tests/unit/people.h $(FUZZ_REPLAY)
tests_fuzz_fuzz_letter_LDADD = $(BUNDLE_LDADD)
tests_fuzz_fuzz_letter_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

if !FUZZING
TESTS += tests/fuzz/fuzz_card tests/fuzz/fuzz_envelope tests/fuzz/fuzz_grant tests/fuzz/fuzz_identity tests/fuzz/fuzz_letter
endif
EXTRA_DIST += tests/fuzz/corpus/card tests/fuzz/corpus/envelope tests/fuzz/corpus/grant tests/fuzz/corpus/identity tests/fuzz/corpus/letter

# Writes the seeds of these corpora: tests/fuzz/make_corpus_sealed $(srcdir)/tests/fuzz/corpus
EXTRA_PROGRAMS += tests/fuzz/make_corpus_sealed
tests_fuzz_make_corpus_sealed_SOURCES = tests/fuzz/make_corpus_sealed.c tests/unit/people.h
tests_fuzz_make_corpus_sealed_LDADD = $(BUNDLE_LDADD)

# Golden vectors: made, compared with those in the tree, and read by two readers.
check_PROGRAMS += tests/vectors/make_vectors
tests_vectors_make_vectors_SOURCES = tests/vectors/make_vectors.c tests/unit/people.h
tests_vectors_make_vectors_LDADD = $(BUNDLE_LDADD)
check_PROGRAMS += tests/unit/test_vectors
TESTS += tests/unit/test_vectors
tests_unit_test_vectors_SOURCES = tests/unit/test_vectors.c tests/vectors/vector_file.h
tests_unit_test_vectors_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

# Measures sealing and opening; run by hand.
EXTRA_PROGRAMS += tests/bench/bench_seal
tests_bench_bench_seal_SOURCES = tests/bench/bench_seal.c tests/unit/people.h
tests_bench_bench_seal_LDADD = $(BUNDLE_LDADD)
EXTRA_PROGRAMS += tests/bench/bench_parts
tests_bench_bench_parts_SOURCES = tests/bench/bench_parts.c
tests_bench_bench_parts_LDADD = $(BUNDLE_LDADD)
EXTRA_PROGRAMS += tests/bench/bench_codecs
tests_bench_bench_codecs_SOURCES = tests/bench/bench_codecs.c tests/unit/people.h
tests_bench_bench_codecs_CFLAGS = $(AM_CFLAGS) $(BLOSC_CFLAGS)
tests_bench_bench_codecs_LDADD = $(BUNDLE_LDADD) $(BLOSC_LIBS) -lm
EXTRA_DIST += tests/bench/codecs.sh tests/bench/delta.sh tests/bench/train_pair.py tests/bench/vary_weights.py
dist_check_SCRIPTS += tests/vectors/check_vectors.sh
TESTS += tests/vectors/check_vectors.sh
EXTRA_DIST += \
	tests/vectors/bundle.txt tests/vectors/cancel.txt tests/vectors/card.txt \
	tests/vectors/cbor.txt tests/vectors/content.txt tests/vectors/delta.txt tests/vectors/digests.txt \
	tests/vectors/frame.txt tests/vectors/grant.txt tests/vectors/letter.txt \
	tests/vectors/outline.txt tests/vectors/receipt.txt
EXTRA_DIST += docs/skyferry.cddl docs/protocol/02-content.md
