"""The tablet of the shop floor, served by the box of the store: arrival cards, taps, consent."""
