"""The OpenAPI document is valid, complete, and what the gateway serves; its page needs nobody else."""

import gzip
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from flare_core.adapters.gateway.errors import GatewayCode
from flare_core.adapters.gateway.http import page
from flare_core.adapters.gateway.http.errors import STATUS
from flare_core.adapters.gateway.http.openapi import document
from flare_core.adapters.gateway.http.page.codes import MEANINGS
from flare_core.adapters.gateway.http.table import OPERATIONS
from flare_core.errors import ErrorCode
from tests.gateway.security.served import Served

DOCUMENT = document(OPERATIONS, version=version("flare-core"))


def described() -> Iterator[tuple[str, str, Any]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_it_is_valid() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"


def test_every_operation_of_the_table_is_in_it_and_none_else() -> None:
    assert {(method, path) for method, path, _ in described()} == {(o.method, o.path) for o in OPERATIONS}
    ids = [operation["operationId"] for _, _, operation in described()]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] and operation["tags"] for _, _, operation in described())


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    used = set(re.findall(r"#/components/schemas/(\w+)", str(DOCUMENT)))
    assert used == {*DOCUMENT["components"]["schemas"]}


def test_every_code_has_a_status_a_meaning_and_an_operation() -> None:
    codes = {*map(str, ErrorCode), *map(str, GatewayCode)}
    assert {*map(str, STATUS)} == {*map(str, MEANINGS)} == codes
    told = str([operation["responses"] for _, _, operation in described()])
    # A method that a path does not have is no operation's.
    assert {code for code in codes if f"'{code}'" not in told} == {"METHOD_NOT_ALLOWED"}


def test_headers_that_are_too_large_may_be_those_of_any_request() -> None:
    for _, _, operation in described():
        schema = operation["responses"]["431"]["content"]["application/json"]["schema"]
        assert schema["allOf"][1]["properties"]["code"] == {"enum": ["PAYLOAD_TOO_LARGE"]}


def test_only_health_and_descriptions_are_open() -> None:
    is_open = {path for _, path, operation in described() if operation["security"] == []}
    assert is_open == {"/healthz", "/readyz", "/openapi.json", "/docs", "/docs/{name}", "/ui", "/ui/{name}"}


def test_the_gateway_serves_it(server: Served) -> None:
    answer = server.client().ask("GET", "/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == DOCUMENT


# --- the page -------------------------------------------------------------------------------------------


class Loaded(HTMLParser):
    """Everything that a page loads, and what runs inside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.files += [value for name in ("src", "href") if tag != "a" and (value := given.get(name))]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


def test_the_page_loads_from_the_gateway_alone(server: Served) -> None:
    client, html = server.client(), server.client().ask("GET", "/docs")
    assert (html.status, html.headers.get_content_type()) == (200, "text/html")
    assert html.headers["Content-Security-Policy"] == page.POLICY
    found = Loaded()
    found.feed(html.body.decode())
    assert not found.inline
    files = [file for file in found.files if not file.startswith("data:")]
    assert files
    for file in files:
        assert not re.match(r"[a-z]*:?//", file)
        answer = client.ask("GET", f"/{file}")
        assert answer.status == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        packed = client.ask("GET", f"/{file}", headers=[("Accept-Encoding", "gzip")])
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == answer.body


def test_a_browser_may_ask_nobody_else() -> None:
    policy = dict(part.split(" ", 1) for part in page.POLICY.split("; "))
    assert policy["default-src"] == "'none'"
    allowed = {source for sources in policy.values() for source in sources.split()}
    assert allowed == {"'none'", "'self'", "data:"}


def test_the_viewer_is_small_and_its_licences_are_told(server: Served) -> None:
    folder = Path(page.__file__).parent
    assert sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) < 2 * 2**20
    told = server.client().ask("GET", "/docs/licenses").body.decode()
    assert "Swagger UI" in told
    assert "Apache License" in told


@pytest.mark.parametrize("name", ["index.html", "../openapi.py", "codes.py", "%2e%2e/openapi.py", "x"])
def test_the_page_has_no_other_files(server: Served, name: str) -> None:
    assert server.client().ask("GET", f"/docs/{name}").status == 404


def test_every_code_has_a_place_on_the_page_of_codes(server: Served) -> None:
    html = server.client().ask("GET", "/docs/errors").body.decode()
    assert {*re.findall(r'<tr id="(\w+)">', html)} == {*map(str, MEANINGS)}
