# edge-4g-cgnat: an edge site on LTE behind a carrier's NAT: 10 Mbit/s up, 30 down
#
# forward is up (from the edge site), back is down. The NAT stands before the edge site.
#
# Sources
#   rate      assumption: a shared cell. The standard's peak for a category 4 terminal is 150 Mbit/s
#             down and 50 up (3GPP TS 36.306).
#   delay     assumption: 25 ms one way; jitter by scheduling and repeated blocks.
#   fade      assumption: the cell's load takes up to 70 % of the rate, within half a minute.
#   nat-idle  60 s: carriers' translators forget UDP mappings after half a minute to a few
#             minutes: Richter et al., "A Multi-perspective Analysis of Carrier-Grade NAT
#             Deployment", ACM IMC 2016. RFC 4787 (REQ-5) asks for two minutes at least.
#   nat-every assumption: the modem is given a new address every 6 hours.
#   outage    assumption: 8 s once in 20 min, a handover that failed or a tunnel.
#   mtu       1400: GTP tunnels leave less than 1500 (3GPP TS 29.060 advises 1400).
#   queue     assumption: deep buffers, about 800 ms up.
delay        = 25ms
jitter       = 20ms
forward.rate = 10Mbit
back.rate    = 30Mbit
fade-span    = 30s
fade-rate    = 70%
loss         = 0.1%
burst-enter  = 0.01%
burst-leave  = 10%
burst-loss   = 60%
period       = 20min
outage       = 15min+8s
queue        = 1MiB
back.queue   = 2MiB
mtu          = 1400
nat-idle     = 60s
nat-every    = 6h
