# Tests of bundle/.

EXTRA_DIST += tests/cbor_transcode.h tests/hex.h tests/unit/check.h
BUNDLE_LDADD = bundle/libbundle.a base/libbase.a $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CBOR_LIBS) $(LZ4_LIBS)

check_PROGRAMS += tests/unit/test_cbor
TESTS += tests/unit/test_cbor
tests_unit_test_cbor_SOURCES = tests/unit/test_cbor.c
tests_unit_test_cbor_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

check_PROGRAMS += tests/unit/test_frame
TESTS += tests/unit/test_frame
tests_unit_test_frame_SOURCES = tests/unit/test_frame.c
tests_unit_test_frame_LDADD = $(BUNDLE_LDADD) $(CUNIT_LIBS)

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
