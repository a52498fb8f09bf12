noinst_LIBRARIES += bundle/libbundle.a
bundle_libbundle_a_SOURCES =
bundle_libbundle_a_SOURCES += %D%/cbor.c %D%/cbor.h
bundle_libbundle_a_SOURCES += %D%/class.h
bundle_libbundle_a_SOURCES += %D%/frame.h
bundle_libbundle_a_SOURCES += %D%/manifest.h
bundle_libbundle_a_SOURCES += %D%/piece.h
bundle_libbundle_a_SOURCES += %D%/receipt.h
