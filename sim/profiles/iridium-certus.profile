# iridium-certus: a Certus 700 terminal, anywhere on Earth: 352 kbit/s up, 704 kbit/s down
#
# forward is up (from the terminal), back is down.
#
# Sources
#   rate      the service class called Certus 700: 352 kbit/s up and 704 kbit/s down. An assumption:
#             the operator's own sheet was not at hand when this was written.
#   delay     assumption: 300 ms one way. The light needs 5 ms to a satellite at 780 km and some tens
#             across the links between satellites to a gateway; the rest is L-band framing.
#   loss      assumption: 0.5 % and bursts while a beam or satellite takes over, about once a minute.
#   queue     assumption: about 1.5 s at the terminal.
delay        = 300ms
jitter       = 100ms
forward.rate = 352kbit
back.rate    = 704kbit
loss         = 0.5%
burst-enter  = 0.05%
burst-leave  = 20%
burst-loss   = 80%
queue        = 64KiB
back.queue   = 128KiB
mtu          = 1500
