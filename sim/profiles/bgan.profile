# bgan: an Inmarsat BGAN terminal: 400 kbit/s shared, 0.9 s round trip, metered
#
# forward is up (from the terminal), back is down.
#
# Sources
#   rate      about 400 kbit/s at best for the background (best effort) class, billed by volume,
#             which shares what the spot beam has left: "I-4 satellite", Wikipedia, section "Data
#             services" (2023). That best effort depends on the terminal and on other users:
#             Hughes 9201 BGAN Terminal User's Guide, glossary, "Standard".
#   delay     assumption: 450 ms one way. The light alone needs 240 ms up to 35,786 km and down; the
#             radio link assigns time slots and repeats blocks, as cellular networks do.
#   fade      assumption: other users of the beam take up to 60 % of the rate.
#   loss      assumption: 0.2 %, what is left by the radio link's own repetition.
#   queue     assumption: about 2.5 s.
delay        = 450ms
jitter       = 150ms
rate         = 400kbit
fade-span    = 2min
fade-rate    = 60%
loss         = 0.2%
queue        = 128KiB
mtu          = 1500
