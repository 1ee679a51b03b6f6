"""The pages on offers, plans and errors name what there is, and nothing else."""

import json
import re
import runpy
from collections.abc import Mapping

import flare_core as flare
from flare_core.adapters.gateway.http.page.codes import MEANINGS
from flare_core.errors import ErrorCode
from flare_core.inventory.demo import demo_inventory
from flare_core.inventory.types import COLUMNS
from tests.house.shells import EXAMPLES, ROOT

REFERENCE = ROOT / "docs" / "reference"


def tables(page: str) -> dict[str, list[str]]:
    """Return the first cells of the tables of a page, by the heading above them."""
    text = (REFERENCE / page).read_text()
    sections = re.findall(r"^##? ([^\n]+)\n(.*?)(?=^##? |\Z)", text, re.M | re.S)
    return {title.strip("`"): re.findall(r"^\| `([^`]+)` \|", body, re.M) for title, body in sections}


def test_every_field_of_an_offer_has_a_row() -> None:
    rows = tables("offer.md")
    assert rows["Offer"] == [column.path for column in COLUMNS]
    assert rows["What identifies it, and what is taken"] == ["id", "used", "node_states"]


def plans() -> list[Mapping[str, object]]:
    request = json.loads((EXAMPLES / "01-llm-inference.json").read_text())
    dear = json.loads(json.dumps(request))
    dear["intent"]["constraints"]["max_hourly_cost"] = "1 EUR"
    offers = demo_inventory()
    return [
        flare.place(flare.read_intent(each), offers, now="2026-01-15T10:35:00Z").to_dict()
        for each in (request, dear)
    ]


def test_every_key_of_a_plan_has_a_row() -> None:
    rows, (plan, refused) = tables("plan.md"), plans()
    placed, rejected = plan["placements"][0], refused["placements"][0]  # type: ignore[index]  # lists
    assert rows["The plan"] == [*plan]
    assert rows["placements"] == [*placed]
    assert rows["placements[].assignments"] == [*placed["assignments"][0]]
    assert rows["placements[].error"] == [*rejected["error"]]


def test_every_public_code_has_a_section_with_an_example() -> None:
    text = (REFERENCE / "errors.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert {*sections} == {*map(str, ErrorCode)} <= {*MEANINGS}
    for code in {*sections} - {"INTERNAL"}:
        assert re.search(rf'^(?:shown|answered)\("{code}"', sections[code], re.M), code


def test_the_types_of_problems_are_places_on_that_page() -> None:
    shown = re.findall(r'"type": "/docs/errors#(\w+)"', (REFERENCE / "http-api.md").read_text())
    assert shown
    assert {*shown} <= {*MEANINGS}


def test_the_picture_is_the_one_that_its_command_draws() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "picture.py"))["drawn"]()
    assert (ROOT / "docs" / "turns.svg").read_text() == drawn


def test_external_links_are_well_formed() -> None:
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for link in re.findall(r"\]\((\w+:[^)\s]*)\)", page.read_text()):
            assert re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]+(?:/[^\s<>]*)?", link), f"{page.name}: {link}"
