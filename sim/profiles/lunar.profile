# lunar: Earth to the vicinity of the Moon by laser: 20 Mbit/s up, 260 down, 1.3 s one way
#
# forward is up (Earth to Moon), back is down.
#
# Sources
#   rate      up to 260 Mbit/s down: NASA, "Orion Artemis II Optical Communications System (O2O)".
#             20 up: as the press has it of the same mission in 2026. For a radio link of a
#             hundredth of that (assumption): --set back.rate=2Mbit
#   delay     1.282 s: the Moon's mean distance of 384,400 km (NASA, Moon Fact Sheet) at the speed
#             of light, and 10 ms of ground network (assumption).
#   outage    assumption: a spacecraft in a low lunar orbit is behind the Moon for 45 of 120 minutes.
#   loss      assumption: 0.05 %, and clouds in bursts.
#   queue     assumption: a spacecraft stores before it sends.
delay        = 1.292s
jitter       = 2ms
forward.rate = 20Mbit
back.rate    = 260Mbit
loss         = 0.05%
burst-enter  = 0.002%
burst-leave  = 0.5%
burst-loss   = 90%
period       = 2h
outage       = 75min+45min
queue        = 16MiB
back.queue   = 64MiB
mtu          = 1500
