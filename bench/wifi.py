"""Wi-Fi figures: cost, losses and memory (``bench.wifi_input``), and how good the estimate is beside simpler ones.

    python -m bench.wifi [cost|live|flood|phones|room]

Needs the recordings in ../shared/data/wifi. Times are CPU seconds of one core. For phones and room see
``bench.wifi_estimates``.
"""

import sys

from bench.wifi_estimates import phones, room
from bench.wifi_input import cost, flood, live

if __name__ == "__main__":
    parts = {"cost": cost, "live": live, "flood": flood, "phones": phones, "room": room}
    for part in sys.argv[1:] or parts:
        parts[part]()
