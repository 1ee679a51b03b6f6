"""The files of the page, what a browser may do on them, and what the page knows before it asks."""

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a browser may do here: run and ask nothing but what the page's own server has."""

_MEDIA: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
_WRITTEN_ON: Final = "2024-12-01T08:00:00Z"
"""Some examples have a deadline of that month; they are shown as of then."""


class Asset(NamedTuple):
    """One file of the page, compressed."""

    body: bytes
    media_type: str


@cache
def names() -> frozenset[str]:
    """Return the names of the page's files; the page itself is the empty name."""
    listed = (entry.name for entry in files(__package__).joinpath("static").iterdir())
    return frozenset({"", "about", *(name for name in listed if name != "index.html")})


@cache
def asset(name: str, *, gateway: bool) -> Asset:
    """Return a file of the page.

    Parameters
    ----------
    name
        One of `names`.
    gateway
        Whether a gateway serves it, which wants a token and has running intents.
    """
    if name == "about":
        return Asset(gzip.compress(json.dumps(about(gateway=gateway)).encode(), mtime=0), "application/json")
    file = name or "index.html"
    body = files(__package__).joinpath("static", file).read_bytes()
    return Asset(gzip.compress(body, mtime=0), _MEDIA[file.rpartition(".")[2]])


def about(*, gateway: bool) -> dict[str, Any]:
    """Return what the page knows before it asks: who serves it, and the bundled examples."""
    folder = files("flare_core") / "examples"
    listed = sorted((entry for entry in folder.iterdir() if entry.name[:1].isdigit()), key=lambda e: e.name)
    return {"gateway": gateway, "examples": [_example(entry.name, entry.read_text()) for entry in listed]}


def _example(name: str, text: str) -> dict[str, Any]:
    intent = json.loads(text)
    deadline = intent["intent"].get("constraints", {}).get("deadline")
    title = name.removesuffix(".json").lstrip("0123456789-").replace("-", " ")
    return {"name": name, "title": title, "intent": intent, "now": _WRITTEN_ON if deadline else None}
