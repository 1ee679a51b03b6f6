"""A real browser on a real page: the system's Chromium, driven by playwright."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it says no types
from playwright.sync_api import Browser, Page, sync_playwright

from flare_core.adapters.explorer.answers import World
from flare_core.adapters.explorer.local import Explorer
from flare_core.quantities import parse_moment

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS: Sequence[str] = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NOW = parse_moment("2026-01-15T10:35:00Z")


def _installed() -> Path:
    """Return where the system's Chromium is, else where `playwright install chromium` puts one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return Path(found)
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


CHROMIUM = _installed()
needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium on this machine")


_MOVE = """([slider, value]) => {
  const input = document.getElementById(slider);
  const moved = performance.now();
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  return moved;
}"""
_TOOK = """(moved) =>
  performance.getEntriesByName("replan").find((each) => each.startTime >= moved)?.duration ?? null"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def explored(world: World, now: datetime = NOW) -> Iterator[Explorer]:
    """The page, served to this machine."""
    with Explorer(world, lambda: now) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Visit:
    """One page, and all that it asked for and complained of."""

    def __init__(self, browser: Browser, url: str, *, width: int = 1280, dark: bool = False) -> None:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type == "error" else None
        )
        self.origin = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        self.page.goto(url)

    def close(self) -> None:
        """Leave, and see that nobody else was asked and nothing was wrong."""
        self.page.context.close()
        assert not self.complaints
        strangers = [url for url in self.asked if not url.startswith((f"{self.origin}/", "data:"))]
        assert self.asked
        assert not strangers

    @property
    def verdict(self) -> str:
        return self.page.locator("#verdict").inner_text()

    def slide(self, slider: str, value: int) -> float:
        """Move a slider, and return how long it took until it was drawn, ms."""
        moved = self.page.evaluate(_MOVE, [slider, value])
        for _ in range(1_000):  # playwright's own waiting needs what the page's policy forbids
            took: float | None = self.page.evaluate(_TOOK, moved)
            if took is not None:
                return took
            self.page.wait_for_timeout(10)
        raise TimeoutError(slider)

    def until(self, badge: str, about: str = "") -> None:
        """Wait until the verdict is this, about an intent."""
        self.page.locator("#verdict .state", has_text=about).locator(".badge", has_text=badge).wait_for()


def check_access(page: Page) -> None:
    """See that axe-core finds nothing serious or critical."""
    found = Axe().run(page).response["violations"]
    grave = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in grave]
