"""Countries, classes, regions, and what distance says about latency."""

from collections.abc import Callable
from statistics import median

import pytest

from flare_core.catalog import regions
from flare_core.errors import OptionsError

ReadShared = Callable[[str], list[dict[str, str]]]


def test_every_country_of_iso_3166_is_there_once() -> None:
    countries = regions.countries()
    assert len(countries) == 249
    assert len({c.iso2 for c in countries}) == len({c.iso3 for c in countries}) == 249
    assert len({c.name for c in countries}) == 249
    assert all(len(c.iso2) == 2 and len(c.iso3) == 3 and (c.iso2 + c.iso3).isupper() for c in countries)
    assert all(-90 <= c.lat <= 90 and -180 <= c.lon <= 180 for c in countries)


def test_the_union_has_27_members_and_the_area_30() -> None:
    eu = regions.location_countries("EU")
    eea = {c.iso2 for c in regions.countries() if c.eea}
    assert eu is not None
    assert len(eu) == 27
    assert eea - eu == {"IS", "LI", "NO"}
    assert not eu & {"GB", "CH", "NO", "RU", "TR", "UA"}
    assert {c.iso2 for c in regions.countries() if c.eu} == eu


def test_asia_is_the_asia_pacific_without_western_asia() -> None:
    asia = regions.location_countries("Asia")
    assert asia is not None
    assert asia >= {"JP", "CN", "TW", "HK", "KR", "SG", "IN", "IR", "AF", "KZ", "UZ", "AU", "NZ", "ID", "VN"}
    assert not asia & {"AE", "SA", "QA", "IL", "TR", "GE", "AM", "AZ", "CY", "IQ", "FJ", "RU", "US"}
    assert len(asia) == 8 + 11 + 9 + 5 + 2


@pytest.mark.parametrize(
    ("location", "members"),
    [
        ("US", {"US"}),
        ("us", {"US"}),
        ("canada", {"CA"}),
        ("Australia", {"AU"}),
        ("Brazil", {"BR"}),
        ("India", {"IN"}),
        ("JAPAN", {"JP"}),
        ("Singapore", {"SG"}),
        ("DE", {"DE"}),
        ("CA", {"CA"}),
    ],
)
def test_a_location_stands_for_countries(location: str, members: frozenset[str]) -> None:
    assert regions.location_countries(location) == members


@pytest.mark.parametrize("location", ["any", "UK", "de", "eu-west-1", "Europe", "", "DEU"])
def test_what_is_neither_class_nor_code_stands_for_none(location: str) -> None:
    assert regions.location_countries(location) is None


def test_regions_are_unique_and_lie_in_countries() -> None:
    all_regions = regions.regions()
    assert len({(r.provider, r.name.casefold()) for r in all_regions}) == len(all_regions)
    assert all(regions.country(r.country) for r in all_regions)
    assert {r.precision for r in all_regions} == {"city", "state", "country"}


def test_one_name_at_two_providers_is_two_places() -> None:
    google, nebius = regions.region("gcp", "us-central1"), regions.region("nebius", "us-central1")
    assert google is not None
    assert nebius is not None
    assert google.place != nebius.place
    assert regions.region("AWS", "EU-West-1") == regions.region("aws", "eu-west-1")
    assert regions.region("aws", "us-central1") is None


@pytest.mark.parametrize(
    ("provider", "name", "classes"),
    [
        ("aws", "eu-west-2", set()),
        ("aws", "eu-west-1", {"EU"}),
        ("fluidstack", "norway_2_eu", set()),
        ("aws", "ap-northeast-1", {"Japan", "Asia"}),
        ("aws", "ap-southeast-2", {"Australia", "Asia"}),
        ("ovhcloud", "BHS", {"Canada"}),
        ("seeweb", "ch-lug1", set()),
        ("aws", "me-south-1", set()),
    ],
)
def test_a_region_s_name_does_not_decide_its_classes(provider: str, name: str, classes: set[str]) -> None:
    region = regions.region(provider, name)
    assert region is not None
    country = regions.country(region.country)
    assert country is not None
    assert country.classes == classes


def test_distance_is_that_of_the_globe() -> None:
    paris, london, sydney = (48.86, 2.35), (51.51, -0.13), (-33.87, 151.21)
    assert regions.distance_km(paris, london) == pytest.approx(344, abs=3)
    assert regions.distance_km(paris, sydney) == pytest.approx(16960, abs=30)
    assert regions.distance_km(paris, paris) == 0
    assert regions.distance_km((0, 0), (0, 180)) == pytest.approx(20015.1, abs=0.1)
    assert regions.distance_km(london, paris) == regions.distance_km(paris, london)


def test_an_estimate_grows_with_distance_and_never_beats_light() -> None:
    distances = [0, 1, 50, 500, 5_000, 20_000]
    estimates = [regions.estimate_latency_ms(km) for km in distances]
    assert estimates == sorted(set(estimates))
    assert all(ms > km / 100 for km, ms in zip(distances, estimates, strict=True))
    assert regions.estimate_latency_ms(1000) == pytest.approx(2 + 17.1)


def test_an_origin_is_a_point_a_country_or_a_region() -> None:
    assert regions.resolve_origin((52, 13.4)) == (52.0, 13.4)
    assert regions.resolve_origin("DE") == (52.52, 13.41)
    assert regions.resolve_origin("aws/eu-west-1") == (53.35, -6.26)
    assert regions.resolve_origin("europe-west4") == (53.44, 6.83)
    assert regions.resolve_origin("vast/Bavaria, DE, EU") == (48.14, 11.58)


@pytest.mark.parametrize(
    ("origin", "hint"),
    [
        ("us-east-1", "aws/us-east-1, lambda/us-east-1"),
        ("atlantis", "a country code"),
        ("aws/atlantis", "a country code"),
        ("", "a country code"),
        ((91, 0), "latitude"),
        ((0, 181), "longitude"),
        ((float("nan"), 0), "latitude"),
    ],
)
def test_an_origin_that_names_no_place_is_refused(origin: regions.Point | str, hint: str) -> None:
    with pytest.raises(OptionsError, match=r"^origin: ") as caught:
        regions.resolve_origin(origin)
    assert hint in str(caught.value)


# --- against data that is not shipped ------------------------------------------------------------


@pytest.mark.data
def test_countries_agree_with_a_second_list(read_shared: ReadShared) -> None:
    for row in read_shared("regions/countries.csv"):
        country = regions.country(row["iso2"])
        assert country is not None
        assert country.iso3 == row["iso3"]
        assert (country.eu, country.eea) == (row["eu"] == "1", row["eea"] == "1"), row
        assert country.classes == {c for c in row["spec_locations"].split(";") if c}, row


@pytest.mark.data
def test_estimates_agree_with_measured_pings(read_shared: ReadShared) -> None:
    errors, short = [], []
    for row in read_shared("network/*_ping_*.csv"):
        ends = [regions.region(row["provider"], row[key]) for key in ("src_region", "dst_region")]
        if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
            continue
        km = regions.distance_km((ends[0].lat, ends[0].lon), (ends[1].lat, ends[1].lon))
        measured = float(row["rtt_avg_ms"])
        error = abs(regions.estimate_latency_ms(km) - measured) / measured
        errors.append(error)
        short += [error] if km < 2000 else []
    assert len(errors) > 700
    assert median(errors) < 0.18
    assert median(short) < 0.11
