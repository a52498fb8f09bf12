# What the programs share.
noinst_LIBRARIES += app/libapp.a
app_libapp_a_SOURCES = \
	%D%/config.c %D%/config.h \
	%D%/error.c %D%/error.h \
	%D%/home.c %D%/home.h \
	%D%/kept.c %D%/kept.h \
	%D%/log.c %D%/log.h \
	%D%/limit.c %D%/limit.h \
	%D%/mark.c %D%/mark.h \
	%D%/endpoint.c %D%/endpoint.h \
	%D%/peers.c %D%/peers.h \
	%D%/revoked.c %D%/revoked.h \
	%D%/plan.c %D%/plan.h \
	%D%/submit_protocol.c %D%/submit_protocol.h \
	%D%/threads.c %D%/threads.h \
	%D%/udp.c %D%/udp.h \
	%D%/units.c %D%/units.h \
	%D%/unlock.c %D%/unlock.h

# The daemon.
sbin_PROGRAMS += skyferryd
skyferryd_SOURCES = \
	%D%/control.c %D%/control.h %D%/control_internal.h \
	%D%/control_contacts.c \
	%D%/control_json.c \
	%D%/control_peer.c \
	%D%/control_route.c \
	%D%/confine.c %D%/confine.h \
	%D%/daemon.c %D%/daemon.h \
	%D%/daemon_home.c \
	%D%/daemon_limits.c \
	%D%/daemon_main.c \
	%D%/daemon_news.c \
	%D%/daemon_peers.c \
	%D%/daemon_plan.c \
	%D%/daemon_revoke.c \
	%D%/keeper.c %D%/keeper.h \
	%D%/outbox.c \
	%D%/privilege.c %D%/privilege.h \
	%D%/resolve.c %D%/resolve.h \
	%D%/sources.c %D%/sources.h \
	%D%/submit.c %D%/submit.h \
	%D%/traced.h
skyferryd_LDADD = app/libapp.a node/libnode.a link/liblink.a store/libstore.a bundle/libbundle.a \
	base/libbase.a $(MICROHTTPD_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CBOR_LIBS) \
	$(LZ4_LIBS) $(ZSTD_LIBS) $(URING_LIBS) $(ISAL_LIBS) $(SECCOMP_LIBS)
dist_man_MANS += docs/man/skyferryd.8 docs/man/skyferry.conf.5
dist_doc_DATA += docs/CONTROL.md

# The unit knows where the daemon is installed.
nodist_systemdsystemunit_DATA = contrib/skyferryd.service
EXTRA_DIST += contrib/skyferryd.service.in
CLEANFILES += contrib/skyferryd.service
contrib/skyferryd.service: contrib/skyferryd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib && \
	$(SED) 's|@sbindir[@]|$(sbindir)|' $(srcdir)/contrib/skyferryd.service.in > $@.tmp && \
	mv $@.tmp $@

# What `skyferry` is made of, apart from its commands.
noinst_LIBRARIES += app/libcli.a
app_libcli_a_SOURCES = \
	%D%/args.c %D%/args.h \
	%D%/client.c %D%/client.h \
	%D%/progress.c %D%/progress.h \
	%D%/bases.c %D%/bases.h \
	%D%/submit_client.c %D%/submit_client.h \
	%D%/table.c %D%/table.h \
	%D%/text.c %D%/text.h \
	%D%/when.c %D%/when.h \
	%D%/walk.c %D%/walk.h

bin_PROGRAMS += skyferry
skyferry_SOURCES = \
	%D%/cli.c %D%/cli.h \
	%D%/cli_audit.c \
	%D%/cli_contacts.c \
	%D%/cli_doctor.c \
	%D%/cli_estimate.c \
	%D%/cli_inbox.c \
	%D%/cli_init.c \
	%D%/cli_key.c \
	%D%/cli_main.c \
	%D%/cli_passphrase.c \
	%D%/cli_parts.c %D%/cli_parts.h \
	%D%/cli_peer.c %D%/cli_peer.h \
	%D%/cli_peer_add.c \
	%D%/cli_peer_revoke.c \
	%D%/cli_receipt.c \
	%D%/cli_send.c \
	%D%/cli_status.c \
	%D%/doctor.h \
	%D%/doctor_machine.c \
	%D%/doctor_node.c \
	%D%/doctor_peers.c \
	%D%/doctor_reach.c %D%/doctor_reach.h \
	%D%/track.c %D%/track.h
skyferry_LDADD = app/libcli.a app/libapp.a link/liblink.a store/libstore.a bundle/libbundle.a base/libbase.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CBOR_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(URING_LIBS)
dist_man_MANS += docs/man/skyferry.1
dist_bashcompletion_DATA = contrib/completion/skyferry

# The simulator.
bin_PROGRAMS += skyferry-sim
skyferry_sim_SOURCES = \
	%D%/sim.h \
	%D%/sim_control.c %D%/sim_control.h \
	%D%/sim_link.c \
	%D%/sim_main.c \
	%D%/sim_passes.c \
	%D%/sim_plan.c \
	%D%/sim_proxy.c %D%/sim_proxy.h \
	%D%/sim_relay.c %D%/sim_relay.h \
	%D%/sim_run.c %D%/sim_run.h \
	%D%/sim_run_print.c \
	%D%/sim_test.c %D%/sim_test.h \
	%D%/sim_test_print.c \
	%D%/sim_tun.c %D%/sim_tun.h
skyferry_sim_LDFLAGS = $(AM_LDFLAGS) $(SIM_MEMORY_WRAP)
skyferry_sim_LDADD = app/libapp.a sim/libsim.a node/libnode.a link/liblink.a store/libstore.a \
	bundle/libbundle.a base/libbase.a $(JANSSON_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) $(CBOR_LIBS) \
	$(LZ4_LIBS) $(ZSTD_LIBS) $(URING_LIBS) $(ISAL_LIBS) -lm
dist_man_MANS += docs/man/skyferry-sim.1
dist_bashcompletion_DATA += contrib/completion/skyferry-sim
