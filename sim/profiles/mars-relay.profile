# mars-relay: Earth to a relay in Mars orbit: 256 kbit/s up, 2 Mbit/s down, 12.5 light minutes
#
# forward is up (Earth to Mars), back is down.
#
# Sources
#   down      0.5 to 4 Mbit/s from Mars Reconnaissance Orbiter, which is behind Mars for about a
#             third of every orbit: NASA, Mars Reconnaissance Orbiter, "Communications With Earth
#             Summary".
#   period    112 min, by Kepler's third law: 280 km above Mars (assumption).
#   up        assumption: 256 kbit/s. Today's command links are far thinner; nobody sends models yet.
#   delay     12.5 min: 225 million km, the mean distance; it goes from 3 to 22.3 min (55.7 to 401.3
#             million km: NASA, Mars Fact Sheet). For the longest: --set delay=22.3min
#   loss      assumption: 0.1 %. CCSDS codes (131.0-B) make frames nearly error free.
#   queue     assumption: a spacecraft stores before it sends.
delay        = 12.5min
forward.rate = 256kbit
back.rate    = 2Mbit
loss         = 0.1%
period       = 112min
duty         = 67%
queue        = 64MiB
mtu          = 1500
