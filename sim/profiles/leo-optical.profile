# leo-optical: low orbit by laser: 5 min of contact in 95, 1 Gbit/s up, 10 down, deep short fades
#
# forward is up (ground to satellite), back is down.
#
# Sources
#   contact   5 minutes: "Operations and Results from the 200 Gbps TBIRD Laser Communication
#             Mission", Jet Propulsion Laboratory, 2023, abstract.
#   down      assumption: 10 Gbit/s, between terminals for CubeSats (100 Mbit/s: Roediger et al.,
#             "OSIRIS4CubeSat", Aerospace 2025, 12(8), 655) and the 200 Gbit/s that TBIRD has shown.
#   up        assumption: 1 Gbit/s. What has flown uses the uplink mostly as a beacon.
#   bursts    assumption: the atmosphere fades for milliseconds at a time, which is why TBIRD
#             repeats frames (ARQ; "TBIRD 200-Gbps CubeSat Downlink: System Architecture and
#             Mission Plan", 2022, abstract). Here: 2 % of the time, a thousand datagrams at once.
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
