# starlink: a consumer terminal: 17 Mbit/s up, 180 down, 50 ms round trip, a jolt every 15 s
#
# forward is up (from the terminal), back is down.
#
# Sources
#   delay     50 ms round trip in the median (40 to 60 in the quartiles, 20 at best) to anchors in
#             Europe: Michel et al., "A First Look at Starlink Performance", ACM IMC 2022, and
#             "Fact checking Starlink's performance figures", APNIC blog, 28 November 2022.
#   rate      assumption: uniform between half and all of 240 Mbit/s down and 23 up, thus 180 and 17
#             on average. Medians of 97 to 105 down and 12 to 14 up in the United States in 2021
#             (Ookla, second to fourth quarter), of more than 100 in 14 countries of Europe in 2023,
#             and more than 300 at best (Michel et al., as above).
#   15 s      the network assigns satellites anew every 15 seconds, all over the world at once:
#             Mohan et al., "A Multifaceted Look at Starlink Performance", WWW 2024,
#             arXiv:2310.09242. How long the gap lasts (20 ms) is an assumption.
#   loss      assumption: 0.4 % in bursts. That losses of up to half of the packets cluster around
#             handovers: Kassem et al., "A browser-side view of Starlink connectivity", ACM IMC
#             2022, abstract.
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
