"""The interactive page of the API: everything that it shows comes from the gateway itself.

The viewer is Swagger UI, as it is released (``LICENSES.txt``), kept compressed. The page may load and ask
nothing but the gateway that served it, and keeps no token beyond its tab.
"""

import gzip
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from flare_core.adapters.explorer.pages import POLICY
from flare_core.adapters.gateway.errors import NotFoundError
from flare_core.adapters.gateway.http.errors import STATUS
from flare_core.adapters.gateway.http.page.codes import MEANINGS

_HTML: Final = "text/html; charset=utf-8"
_FILES: Final = {
    "": ("index.html", _HTML),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": ("swagger-ui-bundle.js.gz", "text/javascript; charset=utf-8"),
    "swagger-ui.css": ("swagger-ui.css.gz", "text/css; charset=utf-8"),
    "licenses": ("LICENSES.txt", "text/plain; charset=utf-8"),
}


__all__ = ["NAMES", "POLICY", "response"]


class Asset(NamedTuple):
    """One file of the page, compressed."""

    body: bytes
    media_type: str


def response(request: Request, name: str) -> Response:
    """Answer a request for the page, or for one of its files.

    Parameters
    ----------
    name
        Empty for the page itself, ``errors`` for the list of codes, else a file that the page names.

    Raises
    ------
    NotFoundError
        For a name that the page does not have.
    """
    if name not in NAMES:
        raise NotFoundError("page")
    asset = _asset(name)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            asset.body, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type
        )
    return Response(gzip.decompress(asset.body), headers=headers, media_type=asset.media_type)


@cache
def _asset(name: str) -> Asset:
    if name == "errors":
        return Asset(gzip.compress(_codes().encode(), mtime=0), _HTML)
    file, media_type = _FILES[name]
    body = files(__package__).joinpath(file).read_bytes()
    return Asset(body if file.endswith(".gz") else gzip.compress(body, mtime=0), media_type)


NAMES: Final = frozenset({*_FILES, "errors"})
"""What `response` knows."""


def _marked(text: str) -> str:
    """Return plain text with code in backticks as HTML."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _codes() -> str:
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code><td>{STATUS[code]}<td>{_marked(meaning)}\n'
        for code, meaning in MEANINGS.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>FLARE API: error codes</title>
<link rel="stylesheet" href="page.css"></head>
<body><main>
<h1>Error codes</h1>
<table>
<tr><th>Code</th><th>Status</th><th>Meaning and way out</th></tr>
{rows}</table>
</main></body>
</html>
"""
