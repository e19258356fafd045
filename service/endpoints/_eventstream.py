"""What does AWS's binary event stream say, piece by piece? Each message as JSON: ``{its type: its payload}``.

A message is: its whole length and the length of its headers (each 4 bytes, big-endian), a CRC-32 of these 8 bytes,
headers (length of the name, name, type, value), a payload, a CRC-32 of all before. An exception becomes
``{"error": {"code": its type, "message": ...}}``, as errors of other protocols read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

from service.endpoints._faults import bad_body
from service.endpoints._sse import Arriving

_PRELUDE, _CRC = 12, 4
_MOST_BYTES = 16_777_216 + 131_072 + 16
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""How many bytes a header's value takes, by its type; types 6 and 7 tell their length themselves."""


class EventStream(Arriving):
    """A body as it arrives: binary messages, or one JSON object from a gateway that does not stream."""

    def __init__(self) -> None:
        super().__init__()
        self._rest = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Every message that ends in this piece, as JSON.

        Raises:
            Fault: it is no such stream, or damaged.
        """
        if self._is_whole(piece):
            return
        self._rest += piece
        while len(self._rest) >= _PRELUDE:
            length = int.from_bytes(self._rest[:4])
            prelude = zlib.crc32(self._rest[:8]) == int.from_bytes(self._rest[8:12])
            if not prelude or not _PRELUDE + _CRC <= length <= _MOST_BYTES:
                bad_body("the body is no event stream of AWS", bytes(self.head))
            if len(self._rest) < length:
                return
            message = bytes(self._rest[:length])
            del self._rest[:length]
            if zlib.crc32(message[:-_CRC]) != int.from_bytes(message[-_CRC:]):
                bad_body("a message of the event stream is damaged")
            yield _as_json(message)

    def finish(self) -> Iterator[bytes]:
        """Nothing: a message that did not end is none."""
        return iter(())


def _as_json(message: bytes) -> bytes:
    end = _PRELUDE + int.from_bytes(message[4:8])
    headers, payload = _headers(message[_PRELUDE:end]), message[end:-_CRC] or b"{}"
    name = headers.get(":exception-type") or headers.get(":error-code")
    if name is None:
        return b"{%s: %s}" % (json.dumps(headers.get(":event-type", "")).encode(), payload)
    said = headers.get(":error-message")
    try:
        content = json.loads(payload)
        said = said or (content.get("message") or content.get("Message"))
    except (ValueError, AttributeError, RecursionError):
        said = said or payload.decode("utf-8", "replace")
    return json.dumps({"error": {"code": name, "message": said or name}}).encode()


def _headers(data: bytes) -> dict[str, str]:
    """The headers that are texts, by name."""
    found, at = {}, 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind, at = (
            data[at + 1 : name_end].decode("utf-8", "replace"),
            data[name_end : name_end + 1],
            name_end + 1,
        )
        if not kind or (kind[0] not in _SIZES and kind[0] not in (6, _STRING)):
            bad_body("a header of the event stream cannot be read")
        size = _SIZES.get(kind[0])
        if size is None:
            size, at = int.from_bytes(data[at : at + 2]), at + 2
        if kind[0] == _STRING:
            found[name] = data[at : at + size].decode("utf-8", "replace")
        at += size
    return found
