# oneweb: a user terminal: 20 Mbit/s up, 100 down, 70 ms round trip, dark for 2 % of the time
#
# forward is up (from the terminal), back is down.
#
# Sources
#   rate      100 Mbit/s down and 20 up as agreed with the operator: Gossling et al.,
#             "Measurement Study of Dynamics and Liquid Data Transport in OneWeb
#             LEO Satellite Networks" (ARA, Iowa State University, 2025). That the network generally
#             keeps what it promises: Zhao et al., "Measuring the OneWeb Satellite Network", TMA
#             2025, and Internet Society Pulse, 3 July 2025.
#   delay     assumption: 35 ms one way. 1,200 km of altitude, no links between satellites and
#             ground stations far apart (Zhao et al.) put the floor near 20 ms round trip, and
#             handovers between ground stations add tens of milliseconds: hence the jitter.
#   outage    98 % availability: Kokkoniemi-Tarkkanen et al., "Mission-critical connectivity over
#             LEO satellites: performance measurements using OneWeb system", IEEE Aerospace and
#             Electronic Systems Magazine, 2024. That it is 72 s of each hour is an assumption.
#   loss      assumption: 0.5 %. Gossling et al. name up to 2 % for such networks.
#   queue     assumption.
delay        = 35ms
jitter       = 15ms
forward.rate = 20Mbit
back.rate    = 100Mbit
loss         = 0.5%
period       = 1h
outage       = 20min+72s
queue        = 512KiB
back.queue   = 1MiB
mtu          = 1500
