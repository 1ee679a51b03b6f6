"""Server-sent events from bytes as they come (the HTML standard, 9.2)."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flare_core.client.errors import AnswerError

_LONGEST: Final = 2**20
_LINE: Final = re.compile(r"\r\n|\n|\r(?!\Z)")  # a CR at the end may be half of a line's end


@dataclass(frozen=True, slots=True)
class Message:
    """One event as it was sent."""

    id: str
    event: str
    data: str


class Reader:
    """Bytes in, events out.

    Attributes
    ----------
    retry_s
        How long to wait before a new connection, as the server says; None where it says nothing.
    """

    def __init__(self) -> None:
        self.retry_s: float | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._left = ""
        self._id = ""
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the events that these bytes complete.

        Raises
        ------
        AnswerError
            If an event never ends.
        """
        *lines, self._left = _LINE.split(self._left + self._decoder.decode(chunk))
        if len(self._left) + sum(map(len, self._data)) > _LONGEST:
            raise AnswerError(f"found an event of more than {_LONGEST} characters")
        for line in lines:
            if line:
                self._field(line)
            elif self._data:
                yield Message(self._id, self._event or "message", "\n".join(self._data))
            if not line:
                self._event, self._data = "", []

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdecimal():
            self.retry_s = int(value) / 1000
