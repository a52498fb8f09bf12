# edge-4g-cgnat: an edge site on LTE behind a carrier's NAT: 10 Mbit/s up, 30 down
#
# forward is up (from the edge site), back is down. The NAT stands before the edge site.
#
# Sources
#   rate      assumption: a shared cell. The peak of a category 4 terminal is 150,752 bits down and
#             51,024 up in each millisecond (3GPP TS 36.306, tables 4.1-1 and 4.1-2).
#   delay     assumption: 25 ms one way; jitter by scheduling and repeated blocks.
#   fade      assumption: the cell's load takes up to 70 % of the rate, within half a minute.
#   nat-idle  assumption: 60 s, less than a translator should keep a UDP mapping, which is two
#             minutes at least and five by recommendation (RFC 4787, section 4.3, REQ-5). That those
#             of carriers keep them for various times, often shorter ones: Richter et al., "A
#             Multi-perspective Analysis of Carrier-Grade NAT Deployment", ACM IMC 2016.
#   nat-every assumption: the modem is given a new address every 6 hours.
#   outage    assumption: 8 s once in 20 min, a handover that failed or a tunnel.
#   mtu       tunnels in the operator's network leave less than 1500 (3GPP TS 23.501, annex J, "Link
#             MTU considerations"). That it is 1400 is an assumption.
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
