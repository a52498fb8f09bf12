# leo-optical: low orbit by laser: 5 min of contact in 95, 1 Gbit/s up, 10 down, deep short fades
#
# forward is up (ground to satellite), back is down.
#
# Sources
#   contact   5 minutes: Schieler et al., "On-orbit demonstration of 200-Gbps laser communication
#             downlink from the TBIRD CubeSat", Proc. SPIE 12413, 2023.
#   down      10 Gbit/s: the class of DLR's OSIRIS programme, up to 10 Gbit/s and more (German
#             Aerospace Center). TBIRD has shown 100 and 200 Gbit/s.
#   up        assumption: 1 Gbit/s. What has flown uses the uplink mostly as a beacon.
#   bursts    assumption: the atmosphere fades for milliseconds at a time, which is why TBIRD
#             repeats frames (ARQ; "TBIRD 200-Gbps CubeSat Downlink: System Architecture and
#             Mission Plan", 2022). Here: 2 % of the time, a thousand datagrams at once.
#   fade      assumption: haze and thin cloud take up to half the rate.
#   period    95 min: one orbit at 550 km by Kepler's third law.
#   delay     assumption: 2 to 7 ms of light time and a ground network of about 10 ms.
delay        = 15ms
jitter       = 1ms
forward.rate = 1Gbit
back.rate    = 10Gbit
burst-enter  = 0.002%
burst-leave  = 0.1%
burst-loss   = 100%
fade-span    = 20s
fade-chance  = 30%
fade-rate    = 50%
queue        = 8MiB
back.queue   = 64MiB
mtu          = 1500
period       = 95min
contact      = 0s+5min
