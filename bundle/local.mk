noinst_LIBRARIES += bundle/libbundle.a
bundle_libbundle_a_SOURCES = \
	%D%/cbor.h
