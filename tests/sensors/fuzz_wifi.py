"""Fuzzing of all that reads Wi-Fi input, with coverage: ``make fuzz-wifi`` (atheris; 30 minutes, or FUZZ_SECONDS=…).

    python -m tests.sensors.fuzz_wifi [libFuzzer options] [folder of interesting inputs]

Anything but a ``FormatError`` stops it with the input in a file, as does memory over 512 MB or ten seconds for one.
The first byte picks the target: a capture file in pieces, a single frame of a link type, or Kismet's HTTP chunks.
"""

import sys

import atheris

with atheris.instrument_imports(include=["sensors.wifi", "edge.processors.bursts"]):
    from edge.processors.bursts import Windows
    from sensors.errors import FormatError
    from sensors.http_body import Body
    from sensors.wifi.capture import BARE_80211, BARE_80211_FCS, HEAD, RADIOTAP, Parser, PcapngParser, open_parser
    from sensors.wifi.dot11 import ProbeParser

LINKS = (RADIOTAP, BARE_80211, BARE_80211_FCS)


def one_input(data: bytes) -> None:
    """What libFuzzer calls."""
    if len(data) < 2:
        return
    target, step, data = data[0] % 8, data[1] + 1, data[2:]
    try:
        if target < 3:
            parser = ProbeParser()
            for cut in (False, True):
                parser.parse(1000.0, LINKS[target], data, cut)
        elif target == 3:
            body, parser_ng = Body(True, "fuzz"), PcapngParser("fuzz", only_wifi=True)
            for at in range(0, len(data), step):
                read(parser_ng, body.feed(data[at : at + step]))
        else:
            capture = open_parser(data[:HEAD], "fuzz")
            for at in range(0, len(data), step):
                read(capture, data[at : at + step])
    except FormatError:
        return


def read(capture: Parser, chunk: bytes) -> None:
    """As the sources do: a damaged frame is left out, a damaged capture ends."""
    parser, windows = ProbeParser(), Windows(600)
    for packet in capture.feed(chunk):
        try:
            probe = parser.parse(*packet)
        except FormatError:
            continue
        if probe is not None:
            windows.add(probe)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
