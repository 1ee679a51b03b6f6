"""Settings are checked when they are made, and read from variables."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from flare_core import OptionsError
from flare_core.adapters.fluidos.settings import Deadlines, FluidosSettings, Identity, read_settings

P = "FLARE_FLUIDOS_"


def test_without_variables_all_is_as_documented() -> None:
    assert read_settings({"HOME": "/", "FLARE_STORE_URL": "x"}) == FluidosSettings()


def test_every_kind_of_setting_is_read() -> None:
    found = read_settings(
        {
            f"{P}NAMESPACE": "other",
            f"{P}PRICES_PER": "gpu",
            f"{P}COUNTRY_FROM_REGION": "true",
            f"{P}USD_EUR": "0.92",
            f"{P}REFRESH_S": "30",
            f"{P}STORAGE_CLASS": "",
            f"{P}INGRESS_ANNOTATIONS": "a=b,c=d=e",
            f"{P}IMAGE_PULL_SECRETS": "one,two",
            f"{P}DEADLINES_START_S": "60",
            f"{P}BUYER_DOMAIN": "d",
            f"{P}BUYER_NODE_ID": "n",
            f"{P}BUYER_IP": "1.2.3.4:5",
        }
    )
    assert found == FluidosSettings(
        namespace="other",
        prices_per="gpu",
        country_from_region=True,
        usd_eur="0.92",
        refresh_s=30.0,
        storage_class=None,
        ingress_annotations={"a": "b", "c": "d=e"},
        image_pull_secrets=("one", "two"),
        deadlines=Deadlines(start_s=60.0),
        buyer=Identity(domain="d", node_id="n", ip="1.2.3.4:5"),
    )


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({"COLOUR": "red"}, f"{P}COLOUR"),
        ({"DEADLINES": "1"}, f"{P}DEADLINES"),
        ({"DEADLINES_LUNCH_S": "1"}, f"{P}DEADLINES_LUNCH_S"),
        ({"REFRESH_S": "soon"}, f"{P}REFRESH_S"),
        ({"DEADLINES_START_S": "soon"}, f"{P}DEADLINES_START_S"),
        ({"NODES": "maybe"}, f"{P}NODES"),
        ({"BUYER_DOMAIN": "d"}, f"{P}BUYER"),
        ({"PRICES_PER": "rack"}, "prices_per"),
        ({"PLACES": "up"}, "places"),
        ({"USD_EUR": "much"}, "usd_eur"),
        ({"REFRESH_S": "0"}, "refresh_s"),
        ({"STALE_S": "-1"}, "stale_s"),
        ({"DEADLINES_START_S": "nan"}, "deadlines.start_s"),
    ],
)
def test_what_is_no_setting_is_refused_by_name(variables: dict[str, str], path: str) -> None:
    with pytest.raises(OptionsError) as refused:
        read_settings({f"{P}{name}": value for name, value in variables.items()})
    assert refused.value.path == path


@pytest.mark.parametrize("field", ["start_s", "release_s", "discovery_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_deadline_lies_ahead(field: str, value: float) -> None:
    wrong: Any = {field: value}
    with pytest.raises(OptionsError, match=field):
        Deadlines(**wrong)


def test_every_setting_is_documented_with_its_default() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "fluidos.md").read_text()
    table = page.partition("## Settings")[2].partition("## Rights")[0]
    for each in (*fields(FluidosSettings), *fields(Deadlines)):
        assert f"`{each.name}`" in table, each.name
    for name, value in asdict(Deadlines()).items():
        assert f"`{name}` {value:g}" in table
    assert "| `refresh_s`, `stale_s` | 60, 600 |" in table
