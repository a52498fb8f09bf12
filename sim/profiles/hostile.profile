# hostile: a test: bursts of loss, corruption, copies, reordering, all at once
#
# Sources
#   all       assumptions, to find what breaks: nobody's link.
delay         = 40ms
jitter        = 30ms
rate          = 20Mbit
loss          = 5%
burst-enter   = 0.2%
burst-leave   = 2%
burst-loss    = 90%
corrupt       = 0.5%
duplicate     = 2%
reorder       = 5%
reorder-delay = 200ms
queue         = 256KiB
mtu           = 1500
nat-idle      = 30s
