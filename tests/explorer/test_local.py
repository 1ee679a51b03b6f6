"""The page on this machine is for who started it, and for nobody who merely reaches the port."""

import gzip
import http.client
import json
import re

import pytest

from flare_core.adapters.explorer.local import MAX_BYTES, Explorer
from flare_core.adapters.explorer.pages import POLICY, names
from flare_core.adapters.explorer.question import read_question

JSON = "application/json"
QUESTION = json.dumps({"intent": "{}"}).encode()


def ask(
    site: Explorer, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", int(site.server_address[1]), timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    line.request(method, path, body, sent)
    answer = line.getresponse()
    found = answer.status, answer.headers, answer.read()
    line.close()
    return found


def test_it_listens_on_loopback_alone_behind_a_random_key(site: Explorer) -> None:
    assert site.server_address[0] == "127.0.0.1"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[A-Za-z0-9_-]{32}/ui", site.url)
    assert site.key in site.url


@pytest.mark.parametrize(
    "path", ["/", "/ui", "/api/v1/explore", "/{key}", "/{key}/", "/{key}x/ui", "/{key}/uix"]
)
def test_nothing_is_told_without_the_key(site: Explorer, path: str) -> None:
    assert ask(site, "GET", path.format(key=site.key))[0] == 404
    wrong = path.format(key="x" * len(site.key))
    assert ask(site, "POST", wrong, QUESTION, Content_Type=JSON)[0] == 404


@pytest.mark.parametrize("host", ["localhost", "evil.example", "127.0.0.1", "127.0.0.1:1"])
def test_another_name_for_this_machine_is_refused(site: Explorer, host: str) -> None:
    """Whoever points a name of his own at 127.0.0.1 must not reach the page through a browser."""
    assert ask(site, "GET", f"/{site.key}/ui", Host=host)[0] == 404
    path = f"/{site.key}/api/v1/explore"
    assert ask(site, "POST", path, QUESTION, Host=host, Content_Type=JSON)[0] == 404


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content_Type": "text/plain"}, {"Content_Type": JSON, "Origin": "http://evil.example"}],
    ids=["no type", "a form's type", "another origin"],
)
def test_only_the_page_itself_may_ask(site: Explorer, headers: dict[str, str]) -> None:
    path = f"/{site.key}/api/v1/explore"
    assert ask(site, "POST", path, QUESTION, **headers)[0] == 404
    assert ask(site, "POST", path, QUESTION, Content_Type=JSON, Origin=f"http://{site.host}")[0] == 200


def test_a_question_has_a_size_and_a_form(site: Explorer) -> None:
    path = f"/{site.key}/api/v1/explore"
    assert ask(site, "POST", path, Content_Type=JSON, Content_Length=str(MAX_BYTES + 1))[0] == 413
    status, _, body = ask(site, "POST", path, b"{}", Content_Type=JSON)
    assert (status, json.loads(body)["path"]) == (400, "intent")


@pytest.mark.parametrize("name", sorted(names()))
def test_every_file_has_the_policy(site: Explorer, name: str) -> None:
    status, headers, body = ask(site, "GET", f"/{site.key}/ui{'/' if name else ''}{name}")
    assert status == 200
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    text = gzip.decompress(body).decode()
    assert text
    if name.endswith((".js", ".css")) or not name:
        assert not re.search(r"(?:src|href|from|import|url)\s*[=(]?\s*[\"']?(?:https?:)?//", text)
        assert "innerHTML" not in text


def test_the_policy_lets_a_browser_ask_nobody_else() -> None:
    policy = dict(part.split(" ", 1) for part in POLICY.split("; "))
    assert policy["default-src"] == "'none'"
    assert {source for sources in policy.values() for source in sources.split()} == {
        "'none'",
        "'self'",
        "data:",
    }


def test_the_page_is_small() -> None:
    from flare_core.adapters.explorer.pages import asset

    assert sum(len(asset(name, gateway=False).body) for name in names()) < 150_000


def test_a_new_plan_ends_what_takes_long(site: Explorer) -> None:
    front, plan = (read_question(json.dumps({"intent": "{}", "ask": ask})) for ask in ("front", "quick"))
    with site.world_for(front) as slow, site.world_for(plan) as quick:
        assert slow.options.cancellation is not None
        assert slow.options.cancellation.cancelled
        assert quick.options.cancellation is None
    with site.world_for(plan), site.world_for(front) as next_one:
        assert next_one.options.cancellation is not None
        assert not next_one.options.cancellation.cancelled
