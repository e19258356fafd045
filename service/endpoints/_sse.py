"""What does an event stream say, piece by piece? The ``data`` of server-sent events."""

from __future__ import annotations

from collections.abc import Iterator

_HEAD_BYTES = 4_096


class Events:
    r"""Cuts a byte stream into the data of its events; line ends may be LF or CRLF.

    >>> events = Events()
    >>> list(events.feed(b": hello\ndata: {\"a\"")), list(events.feed(b": 1}\n\ndata: [DO"))
    ([], [b'{"a": 1}'])
    >>> list(events.finish())
    [b'[DO']
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The data of every event that ends in this chunk."""
        scan = len(self._rest)
        self._rest += chunk
        begin = 0
        while (end := self._rest.find(b"\n", max(begin, scan))) >= 0:
            line = bytes(self._rest[begin:end])
            begin = end + 1
            yield from self._line(line.removesuffix(b"\r"))
        del self._rest[:begin]

    def finish(self) -> Iterator[bytes]:
        """The data of a last event that no blank line ended."""
        yield from self._line(bytes(self._rest).removesuffix(b"\r"))
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[bytes]:
        if not line:
            if self._data:
                data, self._data = b"\n".join(self._data), []
                yield data
        elif line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))


class Arriving:
    r"""A body as it arrives: a stream of events, or one JSON object from a server that does not stream.

    >>> body = Arriving()
    >>> list(body.feed(b'{"a"')), list(body.feed(b": 1}")), list(body.finish()), body.whole
    ([], [], [], b'{"a": 1}')
    """

    def __init__(self) -> None:
        self.head = bytearray()
        self._events = Events()
        self._whole: list[bytes] | None = None

    @property
    def whole(self) -> bytes | None:
        """The body, if it is no stream."""
        return None if self._whole is None else b"".join(self._whole)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of every event that ends in this piece."""
        if self._whole is None and not self.head.lstrip():
            self.head += piece[:_HEAD_BYTES]
            if self.head.lstrip()[:1] == b"{":
                self._whole = []
        if self._whole is not None:
            self._whole.append(piece)
        else:
            yield from self._events.feed(piece)

    def finish(self) -> Iterator[bytes]:
        """The data of a last event that no blank line ended."""
        if self._whole is None:
            yield from self._events.finish()
