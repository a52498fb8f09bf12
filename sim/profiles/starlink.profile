# starlink: a consumer terminal: 17 Mbit/s up, 180 down, 50 ms round trip, a jolt every 15 s
#
# forward is up (from the terminal), back is down.
#
# Sources
#   delay     50 ms round trip in the median (40 to 60 in the quartiles, 20 at best) to anchors in
#             Europe: Michel et al., "A First Look at Starlink Performance", ACM IMC 2022, and
#             "Fact checking Starlink's performance figures", APNIC blog, 28 November 2022.
#   rate      medians of 178 Mbit/s down and 17 up, varying by more than a factor of two: the same
#             paper. Here: uniform between half and all of 240 and 23.
#   15 s      the network assigns satellites anew every 15 seconds, all over the world at once:
#             Mohan et al., "A Multifaceted Look at Starlink Performance", WWW 2024,
#             arXiv:2310.09242. How long the gap lasts (20 ms) is an assumption.
#   loss      assumption: 0.4 % in bursts, the size of what Michel et al. report at a low load.
#             Losses of up to half of the packets cluster around handovers: Kassem et al.,
#             "A browser-side view of Starlink connectivity", ACM IMC 2022.
#   queue     assumption: about 200 ms up, 50 ms down.
delay        = 25ms
jitter       = 10ms
forward.rate = 23Mbit
back.rate    = 240Mbit
fade-span    = 15s
fade-rate    = 50%
burst-enter  = 0.04%
burst-leave  = 5%
burst-loss   = 50%
period       = 15s
outage       = 0s+20ms
queue        = 512KiB
back.queue   = 1536KiB
mtu          = 1500
