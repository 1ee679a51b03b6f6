"""Logs: one event, one line on standard error, and no secret in any of them.

Whoever has something to say uses the standard library, ``logging.getLogger(__name__).info("words",
extra={…})``, where what varies stands in `extra`, never in the words; and `context` for what holds for all
that is said meanwhile. So an application that mounts the gateway logs as it always does; `configure` is for a
process of our own. Lines of JSON are ASCII and at most `LONGEST_LINE` bytes: a pipe takes them in one piece,
and what several processes write does not mix.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Any, Final, TextIO

from flare_core.adapters.gateway.settings import HIDDEN, Settings

Event = dict[str, Any]
LONGEST_LINE: Final = 4096
"""Bytes, with the newline: what Linux writes to a pipe in one piece."""

_LENGTHS: Final = (1000, 250, 60)
"""Longest text in an event, characters; the next one where the line would be too long."""
_LONGEST_TEXT: Final = 2**16
"""What is looked at of a text, characters."""
_MOST: Final = 20
_DEEPEST: Final = 3
_FIRST: Final = ("timestamp", "level", "event", "logger", "pid")
_EXCEPTION: Final = "exception"
_OWN: Final = ("flare_core", "uvicorn")
_CONTEXT: ContextVar[Mapping[str, str]] = ContextVar("flare_log_context")
_NO_EXTRA: Final = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"}
"""What every record has, and uvicorn's own for terminals."""

_SECRET_NAMES: Final = re.compile(
    r"(?i)authorization|cookie|passw|secret|credential|kubeconfig|private|api_?key|token$|^(env|document|body)$"
)
_SECRET_TEXTS: Final = (
    (re.compile(r"flr_\w+"), f"flr_{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)(://[^/\s:@]*):[^/\s@]*@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"(?i)\b(\w*(?:passw\w*|secret|token|apikey))=[^&\s]+"), rf"\1={HIDDEN}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),  # a JSON web token, as Kubernetes gives them
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*"), HIDDEN),
)


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Log everything that happens in this process, also what nobody caught, in one form.

    Parameters
    ----------
    stream
        Where to; None is standard error.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(settings))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)  # others' INFO and DEBUG hold SQL, bodies and headers
    for name in _OWN:
        logging.getLogger(name).setLevel(settings.log_level.upper())
    logging.raiseExceptions = False  # a full disk must not print tracebacks between the lines
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def formatter(settings: Settings) -> logging.Formatter:
    """Return what writes an event in the format of the settings."""
    return _Formatter(_json if settings.log_format == "json" else _text)


class _Formatter(logging.Formatter):
    """Makes an event of a record, and a line of the event."""

    def __init__(self, draw: Callable[[Event], str]) -> None:
        super().__init__()
        self._draw = draw

    def format(self, record: logging.LogRecord) -> str:
        event: Event = {
            **_CONTEXT.get({}),
            **{name: value for name, value in vars(record).items() if name not in _NO_EXTRA},
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            "pid": record.process,
        }
        if record.exc_info and record.exc_info[0] is not None:
            event[_EXCEPTION] = self.formatException(record.exc_info)
        return _fitting(event, self._draw)


@contextmanager
def context(**fields: str) -> Iterator[None]:
    """Say these with every event of the block, in tasks that it starts too.

    Examples
    --------
    >>> with context(request_id="req-1", user="ada"):
    ...     logging.getLogger(__name__).debug("accepted", extra={"intent": "intent-1"})
    """
    before = _CONTEXT.set({**_CONTEXT.get({}), **fields})
    try:
        yield
    finally:
        _CONTEXT.reset(before)


def redact(text: str) -> str:
    """Return a text without what looks like a secret.

    >>> redact("GET with Bearer flr_0123456789 on postgresql://ada:pa55@db/flare")
    'GET with Bearer *** on postgresql://ada:***@db/flare'
    """
    for pattern, instead in _SECRET_TEXTS:
        text = pattern.sub(instead, text)
    return text


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, SystemExit | KeyboardInterrupt):
        logging.getLogger("flare_core").critical("uncaught", exc_info=(kind, error, trace))


def _fitting(event: Event, draw: Callable[[Event], str]) -> str:
    """Return an event as text that is short enough."""
    for longest in _LENGTHS:
        line = draw(_ordered(_plain(event, longest)))
        if len(line) < LONGEST_LINE:
            return line
    core = {name: event[name] for name in _FIRST if name in event}
    return draw({**_plain(core, _LENGTHS[-1]), "cut": True})


def _ordered(event: Event) -> Event:
    return {name: event[name] for name in (*_FIRST, *sorted(event.keys() - {*_FIRST})) if name in event}


def _plain(value: Any, longest: int, depth: int = 0) -> Any:
    """Return a value as JSON can hold it, without secrets, and not too much of it."""
    if isinstance(value, str):
        return _cut(value, longest)
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, Mapping | Sequence | AbstractSet) and not isinstance(value, bytes):
        return _several(value, longest, depth) if depth <= _DEEPEST else "…"
    return _cut(_shown(value), longest)


def _several(value: Mapping[Any, Any] | Sequence[Any] | AbstractSet[Any], longest: int, depth: int) -> Any:
    if not isinstance(value, Mapping):
        return [_plain(each, longest, depth + 1) for each in islice(value, _MOST)]
    pairs = islice(value.items(), None if depth == 0 else _MOST)
    return {name: _inside(name, v, longest, depth) for name, v in ((_name(k), v) for k, v in pairs)}


def _inside(name: str, value: Any, longest: int, depth: int) -> Any:
    if _SECRET_NAMES.search(name) and value is not None:
        return HIDDEN
    if name == _EXCEPTION and isinstance(value, str):  # its end says most
        text = redact(value[-_LONGEST_TEXT:])
        return text if len(text) <= 2 * longest else "…" + text[-2 * longest :]
    return _plain(value, longest, depth + 1)


def _name(key: object) -> str:
    return _cut(str(key), _LENGTHS[-1])


def _cut(text: str, longest: int) -> str:
    """Return the beginning of a text; secrets go before it is cut, as half of one is not known for one."""
    shown = redact(text[:_LONGEST_TEXT])
    return shown if len(shown) <= longest else f"{shown[:longest]}… ({len(text)} characters)"


def _shown(value: object) -> str:
    try:
        if isinstance(value, date | timedelta | BaseException):
            return str(value)
        return repr(value)
    except Exception as error:  # what cannot be shown must not lose the event
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _json(event: Event) -> str:
    """Return an event as ASCII: whatever could steer a terminal or break a line is escaped."""
    return json.dumps(event, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")


def _text(event: Event) -> str:
    """Return an event for people: one line, and an exception's lines below it, indented."""
    said, trace = dict(event), event.get(_EXCEPTION)
    head = [str(said.pop(name, "")) for name in _FIRST[:3]]
    said.pop(_EXCEPTION, None)
    pairs = [f"{name}={value if isinstance(value, str) else _json(value)}" for name, value in said.items()]
    lines = [" ".join((head[0], f"{head[1]:<8}", *head[2:], *pairs))]
    lines += [f"    {line}" for line in trace.splitlines()] if isinstance(trace, str) else []
    return "\n".join(_printable(line) for line in lines)


def _printable(text: str) -> str:
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
