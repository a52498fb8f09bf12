# geo-vsat: a geostationary dish: 5 Mbit/s up, 20 down, 630 ms round trip, fades in rain
#
# forward is up (from the terminal), back is down.
#
# Sources
#   delay     627 ms round trip in the median on Viasat, 725 on HughesNet: Ookla, fourth quarter of
#             2021 (in Mobile World Live, "Starlink hits US download speeds of 100 Mb/s", 2022). The
#             light alone needs 240 ms one way, up to 35,786 km and down.
#   down      medians of 18.75 Mbit/s on Viasat and 19.30 on HughesNet: Ookla, third quarter of 2021
#             (in IEEE ComSoc Technology Blog, 21 December 2021).
#   up        assumption: 5 Mbit/s, a business terminal. Consumers get 2.5 to 3 (as for down).
#   fade      rain makes DVB-S2 fall from 8PSK 3/4 (2.23 bits per symbol) to QPSK 1/2 (0.99): less
#             than half the rate is left (ETSI EN 302 307-1, table 13; the same figures in
#             "Satellite Media Broadcasting with Adaptive Coding and Modulation", Int. J. of Digital
#             Multimedia Broadcasting, 2009, 879290, table 1). That one moment in twenty is rainy
#             and that it takes ten minutes are assumptions.
#   loss      assumption: 0.1 %, and bursts of 20 datagrams. DVB-S2 itself is quasi error free
#             (packet error rate 1e-7: the same standard).
#   queue     assumption: 400 ms down, 800 ms up.
delay        = 310ms
jitter       = 10ms
forward.rate = 5Mbit
back.rate    = 20Mbit
fade-span    = 10min
fade-chance  = 5%
fade-rate    = 55%
loss         = 0.1%
burst-enter  = 0.02%
burst-leave  = 5%
burst-loss   = 80%
queue        = 512KiB
back.queue   = 1MiB
mtu          = 1500
