"""The body of an HTTP answer that never ends."""

import re

from sensors.errors import FormatError

_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")


class Body:
    """Takes HTTP/1.1's chunks apart (RFC 9112, 7.1) as the bytes come; holds back no more than a chunk's first line."""

    def __init__(self, chunked: bool, name: str) -> None:
        self._chunked = chunked
        self._name = name
        self._left = 0
        self._line = b""

    def feed(self, data: bytes, /) -> bytes:
        """The content in the next bytes. Raises ``FormatError`` when they are no chunks."""
        if not self._chunked:
            return data
        content = []
        while data:
            if self._left:
                content.append(data[: self._left])
                self._left, data = max(0, self._left - len(data)), data[self._left :]
                continue
            line, end, data = (self._line + data).partition(b"\n")
            self._line = b"" if end else line
            if not end and len(line) <= 256:
                break
            line = line.rstrip(b"\r").split(b";")[0].strip()  # what follows a semicolon is an extension
            if line and not _HEX.fullmatch(line):
                raise FormatError(f"{self._name}: a damaged HTTP stream", "see that its address and port are right")
            # The empty line ends the chunk before; a chunk of 0 bytes is the last one, and the connection closes.
            self._left = int(line or b"0", 16)
        return b"".join(content)
