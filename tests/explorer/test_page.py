"""The page in a browser: what it shows, what it can do, and that everybody can use it."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import flare_core as flare
from flare_core.adapters.explorer.answers import World
from flare_core.adapters.explorer.local import Explorer
from flare_core.options import Options
from tests.explorer.browser import Visit, check_access, explored, needs_browser
from tests.explorer.test_answers import EXAMPLES

pytestmark = needs_browser

Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, site: Explorer) -> Iterator[Open]:
    """Open the page, and when the test is over see that it asked nobody else and had no errors."""
    opened: list[Visit] = []

    def go(**how: Any) -> Visit:
        opened.append(Visit(browser, site.url, **how))
        opened[-1].until("Placed", "deepseek-r1-inference")
        return opened[-1]

    yield go
    for each in opened:
        each.close()


def document(page: Page) -> dict[str, Any]:
    intent: dict[str, Any] = json.loads(page.locator("#text").input_value())["intent"]
    return intent


def test_all_examples_are_placed(visit: Open) -> None:
    seen = visit()
    for k, example in enumerate(EXAMPLES):
        seen.page.select_option("#example", str(k))
        seen.until("Placed", example["intent"]["intent"]["workload"]["name"])
        # Room for more replicas is told by the plan that follows the quick one.
        if example["intent"]["intent"]["workload"].get("scaling", {}).get("auto_scale"):
            seen.page.locator("#verdict", has_text="Room for").wait_for()
        assert seen.page.locator("#table tbody tr").count() >= 1
        assert seen.page.locator("#map .spot.chosen").count() >= 1
        assert seen.page.locator("#funnel li").count() >= 2
        assert seen.page.locator("#gpus .gpu.own").count() >= 1
        is_job = example["intent"]["intent"]["workload"]["type"] != "service"
        assert seen.page.locator("#gantt-card").is_visible() == is_job
        seen.page.locator("#front .point").first.wait_for()


def test_form_and_json_are_one_document(visit: Open) -> None:
    seen = visit()
    seen.page.get_by_label("Location").fill("DE")
    assert document(seen.page)["constraints"]["location"] == "DE"
    changed = document(seen.page)
    changed["workload"]["resources"]["gpu"]["count"] = 1
    seen.page.locator("#text").fill(json.dumps({"intent": changed}))
    assert seen.page.get_by_label("Count").input_value() == "1"
    seen.page.get_by_label("Spot allowed").check()
    assert document(seen.page)["constraints"]["preemptible"] is True
    seen.page.get_by_label("Spot allowed").uncheck()
    assert "preemptible" not in document(seen.page)["constraints"]
    seen.until("Placed", "deepseek-r1-inference")


def test_an_error_stands_at_its_field_and_at_its_line(visit: Open) -> None:
    seen = visit()
    field = seen.page.get_by_label("Memory of each")
    field.fill("lots")
    error = seen.page.locator("#f-workload-resources-gpu-memory-error")
    error.filter(has_text="lots").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    entry = seen.page.locator("#errors li")
    assert "workload.resources.gpu.memory" in entry.inner_text()
    line = int(re.findall(r"line (\d+)", entry.inner_text())[0])
    assert '"lots"' in seen.page.locator("#text").input_value().split("\n")[line - 1]
    entry.get_by_role("button").click()
    selected = "(e) => e.value.slice(e.selectionStart, e.selectionEnd)"
    assert seen.page.locator("#text").evaluate(selected) == '"lots"'
    field.fill("80Gi")
    seen.until("Placed")
    assert field.get_attribute("aria-invalid") is None
    seen.page.locator("#text").fill('{"intent":\n  {"objective": }}')
    seen.page.locator("#errors", has_text="line 2").wait_for()


def test_a_refusal_is_explained_and_repaired(visit: Open) -> None:
    seen = visit()
    seen.page.get_by_label("Most per hour").fill("1 EUR")
    seen.page.locator("#refusal .reason", has_text="COST_LIMIT_EXCEEDED").wait_for()
    assert seen.page.locator("#refusal .conflicts button", has_text="max_hourly_cost").count() >= 1
    seen.page.locator("#refusal .conflicts button", has_text="max_hourly_cost").first.click()
    assert seen.page.get_by_label("Most per hour").evaluate("(e) => e === document.activeElement")
    seen.page.get_by_role("button", name=re.compile("Apply.*nvidia-h100.*max_hourly_cost")).first.click()
    seen.until("Placed", "deepseek-r1-inference")
    assert document(seen.page)["constraints"]["max_hourly_cost"] != "1 EUR"
    assert not seen.page.locator("#refusal").inner_text()


def test_a_point_of_the_front_shows_its_placement(visit: Open) -> None:
    seen = visit()
    seen.page.select_option("#example", "3")
    seen.until("Placed", "spark-etl-pipeline")
    seen.page.locator("#front .point").nth(5).wait_for()
    before = seen.page.locator("#table").inner_text()
    last = seen.page.locator("#front .point").last
    last.focus()
    seen.page.keyboard.press("Enter")
    seen.page.get_by_text("one of the compromises").wait_for()
    assert seen.page.locator("#table").inner_text() != before
    assert seen.page.locator("#front .point").last.get_attribute("aria-pressed") == "true"
    seen.page.get_by_role("button", name="Back to the plan").click()
    assert seen.page.locator("#table").inner_text() == before


def test_sliders_plan_again(visit: Open) -> None:
    seen = visit()
    seen.slide("s-budget", 100)
    assert "Refused" in seen.verdict
    assert document(seen.page)["constraints"]["max_hourly_cost"].endswith("EUR/hour")
    seen.slide("s-budget", 400)
    assert "Placed" in seen.verdict
    assert "max_hourly_cost" not in document(seen.page)["constraints"]
    seen.page.get_by_role("button", name="Weigh the terms").click()
    for term in ("latency", "carbon", "performance"):
        seen.slide(f"w-{term}", 0)
    cheapest = _cost(seen.page)
    seen.slide("w-performance", 100)
    seen.slide("w-cost", 0)
    assert _cost(seen.page) > cheapest


def _cost(page: Page) -> float:
    return float(page.locator(".figure dd").first.inner_text().split()[0])


def test_the_choice_is_explained(visit: Open) -> None:
    seen = visit()
    seen.page.select_option("#example", "4")
    seen.until("Placed", "gpu-jupyter-lab")
    seen.page.get_by_role("button", name="Explain").click()
    seen.page.locator("#why", has_text="Next best").wait_for()
    assert seen.page.locator("#why .standing").count() >= 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nobody_is_kept_out(visit: Open, dark: bool) -> None:
    """No serious or critical finding of axe-core: a compromise, an account, slots, a mistake, a refusal."""
    seen = visit(dark=dark)
    seen.page.locator("#front .point").first.click()
    seen.page.get_by_text("one of the compromises").wait_for()
    seen.page.get_by_role("button", name="Explain").click()
    seen.page.locator("#why .standing").first.wait_for()
    check_access(seen.page)
    seen.page.select_option("#example", "3")  # a job on shared GPUs
    seen.until("Placed", "spark-etl-pipeline")
    check_access(seen.page)
    seen.page.select_option("#example", "0")
    seen.until("Placed", "deepseek-r1-inference")
    seen.page.get_by_label("Memory of each").fill("lots")
    seen.page.locator("#errors li").wait_for()
    check_access(seen.page)
    seen.page.get_by_label("Memory of each").fill("80Gi")
    seen.until("Placed", "deepseek-r1-inference")
    seen.page.get_by_label("Most per hour").fill("1 EUR")
    seen.page.locator("#refusal .options").first.wait_for()
    check_access(seen.page)


@pytest.mark.parametrize("width", [380, 1280, 2560])
def test_it_fits_every_screen(visit: Open, width: int) -> None:
    seen = visit(width=width)
    seen.page.locator("#front .point").first.wait_for()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_can_be_chosen(visit: Open) -> None:
    seen = visit()
    background = "getComputedStyle(document.body).backgroundColor"
    light = seen.page.evaluate(background)
    seen.page.get_by_role("button", name="Dark").click()
    assert seen.page.evaluate(background) != light
    assert seen.page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"


def test_one_who_waits_is_told_when_there_is_room(browser: Browser) -> None:
    """The estimate that a plan makes of what is known to end, and that it is none that binds."""
    busy = {
        "id": "a", "provider": "p", "region": "r", "country": "DE", "nodes": 1, "cpu": "96", "memory": "1Ti",
        "price": {"hourly": "2 EUR/hour", "billing": "gpu"}, "gpu": {"model": "nvidia-l4", "count": 1},
        "node_states": [{"node": 0, "free_gpus": [], "until": "2026-01-15T14:00:00Z"}],
    }  # fmt: skip
    wanted = {
        "objective": "Cost_Minimization",
        "workload": {
            "type": "service", "name": "waits", "image": "x",
            "resources": {"gpu": {"model": "nvidia-l4", "count": 1}},
        },
        "constraints": {"negotiation": {"fallback_strategy": "queue"}},
    }  # fmt: skip
    world = World.of(flare.read_inventory({"version": 1, "offers": [busy]}), Options())
    with explored(world) as site:
        seen = Visit(browser, site.url)
        seen.until("Refused")
        seen.page.locator("#text").fill(json.dumps({"intent": wanted}))
        seen.until("Waits", "waits")
        assert "Room is expected from 15 Jan, 14:00 UTC on" in seen.verdict
        seen.close()


def test_the_keyboard_is_enough(visit: Open) -> None:
    """The way to the result, a slider and the end of a refusal, without a mouse."""
    seen = visit()
    press = seen.page.keyboard.press
    press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    press("Enter")
    assert seen.page.evaluate("location.hash") == "#result"
    seen.page.locator("#s-budget").focus()
    press("Home")
    seen.page.locator("#refusal .options button").first.wait_for()
    seen.page.locator("#refusal .options button").first.focus()
    assert seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    press("Enter")
    seen.until("Placed", "deepseek-r1-inference")
    stops = set()
    for _ in range(40):
        press("Tab")
        stops.add(seen.page.evaluate("document.activeElement.id"))
    assert {"zoom-fit", "zoom-world", "table", "against", "explain"} <= stops
