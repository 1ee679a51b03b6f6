"""The page of a gateway: open to look at, and asking with the visitor's own token."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from flare_core.adapters.explorer.pages import POLICY
from tests.explorer.browser import Visit, check_access, needs_browser
from tests.explorer.test_answers import EXAMPLES
from tests.gateway.security.served import UNLIMITED, Served, intent, served

EXPLORE = "/api/v1/explore"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("explored"), **UNLIMITED) as running:
        yield running


def test_the_page_is_open_and_its_questions_are_not(server: Served) -> None:
    client = server.client()
    page = client.ask("GET", "/ui")
    assert (page.status, page.headers["Content-Security-Policy"]) == (200, POLICY)
    assert client.ask("GET", "/ui/about").json["gateway"] is True
    assert client.ask("GET", "/ui/nothing").status == 404
    question = {"intent": json.dumps(EXAMPLES[0]["intent"]), "ask": "plan"}
    assert client.ask("POST", EXPLORE, json=question).status == 401
    told = server.client(server.mint("ada")).ask("POST", EXPLORE, json=question)
    assert told.status == 200
    assert told.json["funnel"]["offers"] > 0


def test_what_is_wrong_with_an_intent_is_an_answer(server: Served) -> None:
    client = server.client(server.mint("ada"))
    for text in ('{"intent": {}}', "{", '{"\\ud800": 1}'):
        told = client.ask("POST", EXPLORE, json={"intent": text})
        assert told.status == 200
        assert told.json["errors"]
    assert client.ask("POST", EXPLORE, json={"intent": 3}).status == 400


@needs_browser
def test_a_token_opens_it(server: Served, browser: Browser) -> None:
    seen = Visit(browser, f"http://127.0.0.1:{server.port}/ui")
    seen.page.get_by_label("API token").fill(server.mint("ada"))
    seen.page.get_by_role("button", name="Use token").click()
    seen.until("Refused")  # its one offer has no storage
    seen.page.locator("#refusal .reason").wait_for()
    seen.page.locator("#running", has_text="You have none").wait_for()
    assert seen.page.locator("#login").is_hidden()
    stored = seen.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert stored == [0, 0, ""]
    seen.close()


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_lists_what_runs_and_keeps_nobody_out(server: Served, browser: Browser, dark: bool) -> None:
    token = server.mint(f"visitor-{dark}".lower())
    made = server.client(token).ask("POST", "/api/v1/intents", json=intent("listed"))
    assert made.status in (201, 202)
    seen = Visit(browser, f"http://127.0.0.1:{server.port}/ui", dark=dark)
    check_access(seen.page)
    seen.page.get_by_label("API token").fill(token)
    seen.page.get_by_role("button", name="Use token").click()
    row = seen.page.locator("#running tbody tr", has_text="listed")
    row.wait_for()
    assert "€/h" in row.inner_text()
    seen.page.locator("#refusal .reason").wait_for()
    check_access(seen.page)
    seen.close()
