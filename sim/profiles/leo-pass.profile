# leo-pass: low orbit over ground stations by radio: 10 min of contact in 95, 10 Mbit/s up, 160 down
#
# forward is up (ground to satellite), back is down.
#
# Sources
#   down      160 Mbit/s on average over a pass, 220 at best, at X-band with DVB-S2, passes of
#             7 to 10 minutes: Devaraj et al., "Dove High Speed Downlink System", 31st Annual
#             AIAA/USU Conference on Small Satellites, 2017, SSC17-VII-02.
#   up        assumption: a wide-band uplink for sending models to a computer in orbit. Plain
#             S-band uplinks are far thinner: 250 kbit/s (Klofas, "Planet Labs Ground Station
#             Network", CubeSat Developers Workshop, 2016); for those, --set forward.rate=250kbit
#   period    95 min: one orbit at 550 km by Kepler's third law. One contact in each orbit assumes
#             several stations, or one near a pole.
#   delay     assumption: 2 to 7 ms of light time (550 km overhead, 2,200 km at 5 degrees) and a
#             ground network of about 10 ms.
#   loss      assumption: 0.2 %, and bursts near the horizon. DVB-S2 itself is quasi error free
#             (packet error rate 1e-7: ETSI EN 302 307-1).
#   queue     assumption: a modem's.
delay        = 15ms
jitter       = 2ms
forward.rate = 10Mbit
back.rate    = 160Mbit
loss         = 0.2%
burst-enter  = 0.01%
burst-leave  = 5%
burst-loss   = 50%
queue        = 512KiB
back.queue   = 2MiB
mtu          = 1500
period       = 95min
contact      = 0s+10min
