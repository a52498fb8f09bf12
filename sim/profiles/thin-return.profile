# thin-return: a test: 200 Mbit/s forward over a way back that is a thousand times thinner
#
# Sources
#   all       assumptions, to see what feedback costs: nobody's link.
delay        = 150ms
forward.rate = 200Mbit
back.rate    = 200kbit
loss         = 1%
queue        = 1MiB
back.queue   = 16KiB
mtu          = 1500
