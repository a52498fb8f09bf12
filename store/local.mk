noinst_LIBRARIES += store/libstore.a
store_libstore_a_SOURCES = \
	%D%/audit.c %D%/audit.h %D%/audit_impl.h %D%/audit_line.c %D%/audit_open.c %D%/audit_walk.c \
	%D%/commit.h \
	%D%/disk.c %D%/disk.h \
	%D%/fact.c %D%/fact.h \
	%D%/headroom.c %D%/headroom.h \
	%D%/journal.c %D%/journal.h %D%/journal_compact.c %D%/journal_impl.h %D%/journal_open.c \
	%D%/ledger.c %D%/ledger.h \
	%D%/posix.c %D%/posix.h \
	%D%/recovery.h \
	%D%/spool.c %D%/spool.h %D%/spool_impl.h %D%/spool_put.c \
	%D%/vault.c %D%/vault.h %D%/vault_impl.h %D%/vault_open.c %D%/vault_slot.c \
	%D%/sysfile.c %D%/sysfile.h \
	%D%/uring.c %D%/uring.h
EXTRA_DIST += docs/STORE.md
