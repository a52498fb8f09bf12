# clean: a perfect network: no delay, no loss, no limit
#
# Nothing is set, so nothing is added. A base for --set, and what to compare with.
mtu = 1500                       # Ethernet (IEEE 802.3)
