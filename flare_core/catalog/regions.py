"""Where things are: provider regions, countries, the reference's location classes, distances.

A region is keyed by provider *and* name: ``us-central1`` is Iowa at Google and Kansas City at
Nebius, ``ch-lug1`` is in Switzerland, ``norway_2_eu`` not in the EU. A country belongs to every
class that holds for it: Japan is ``Japan`` and ``Asia``; Chile is in none.

Classes: ``EU`` is the 27 member states by their own ISO codes (overseas territories with a code of
their own are not listed); ``Asia`` is Eastern, South-Eastern, Southern and Central Asia of the UN's
M49 list, with Taiwan, Australia and New Zealand, without Western Asia; the others are one country
each (``US`` is the United States without the territories that have their own code).
"""

from dataclasses import dataclass
from functools import cache
from math import asin, cos, nan, radians, sin, sqrt

from flare_core.catalog._tables import Row, rows
from flare_core.errors import OptionsError, found_expected

LOCATION_CLASSES = ("EU", "US", "Asia", "Canada", "Australia", "Brazil", "India", "Japan", "Singapore")
"""The reference's classes; its ``any`` asks for nothing and is none of them."""

EARTH_RADIUS_KM = 6371.0088
"""Mean earth radius (IUGG)."""

FIBRE_KM_PER_RTT_MS = 100.0
"""Light in fibre runs at 2/3 c, 5 microseconds per km one way (planning value of ITU-T G.114)."""

PATH_FACTOR = 1.71
"""How much longer than the fibre floor a round trip takes, the median of 2020 and 2021 pings
between cloud regions over 300 km apart (github.com/vitorenesduarte/fantoch, ``latency_aws`` and
``latency_gcp``); their 10th to 90th percentile is 1.33 to 2.72."""

FIXED_OVERHEAD_MS = 2.0
"""First and last mile of a round trip. On the same pings it halves the error of pairs below
2000 km (median 10 %, against 17 % without it) and leaves the error of all pairs at 17 %."""

Point = tuple[float, float]
"""Latitude and longitude, degrees (WGS 84)."""


@dataclass(frozen=True, slots=True)
class Country:
    """A country of ISO 3166-1.

    Attributes
    ----------
    classes
        The reference's location classes that hold for it.
    lat, lon
        Its capital or seat of government (territories: main settlement): a stand-in for "somewhere
        in it", good to a few hundred km, worse in the largest countries.
    """

    iso2: str
    iso3: str
    name: str
    eu: bool
    eea: bool
    classes: frozenset[str]
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Region:
    """A provider's region.

    Attributes
    ----------
    country
        ISO 3166-1 alpha-2.
    place
        City or area; empty where the provider says no more than the country.
    precision
        Of the coordinates: ``city``, ``state`` or ``country``.
    """

    provider: str
    name: str
    country: str
    place: str
    lat: float
    lon: float
    precision: str


def _country(row: Row) -> Country:
    return Country(
        iso2=row["iso2"],
        iso3=row["iso3"],
        name=row["name"],
        eu=row["eu"] == "1",
        eea=row["eea"] == "1",
        classes=frozenset(row["classes"].split(";")) - {""},
        lat=float(row["lat"]),
        lon=float(row["lon"]),
    )


@cache
def countries() -> tuple[Country, ...]:
    """Return all countries of ISO 3166-1."""
    return tuple(_country(row) for row in rows("countries.csv"))


@cache
def _by_code() -> dict[str, Country]:
    return {country.iso2: country for country in countries()}


def country(code: str) -> Country | None:
    """Return the country of an ISO 3166-1 alpha-2 code in capitals; None where there is none.

    >>> country("UK") is None  # the United Kingdom is GB
    True
    """
    return _by_code().get(code)


@cache
def _class_members() -> dict[str, frozenset[str]]:
    return {
        name.casefold(): frozenset(c.iso2 for c in countries() if name in c.classes)
        for name in LOCATION_CLASSES
    }


def location_countries(location: str) -> frozenset[str] | None:
    """Return the countries that a location class (any case) or an ISO code (capitals) stands for.

    None where it is neither: a provider region, ``any``, or a mistake.

    >>> sorted(location_countries("Canada"))
    ['CA']
    """
    members = _class_members().get(location.casefold())
    if members is None and location in _by_code():
        return frozenset({location})
    return members


@cache
def regions() -> tuple[Region, ...]:
    """Return all known provider regions."""
    return tuple(
        Region(
            provider=row["provider"],
            name=row["region"],
            country=row["country"],
            place=row["place"],
            lat=float(row["lat"]),
            lon=float(row["lon"]),
            precision=row["precision"],
        )
        for row in rows("regions.csv")
    )


@cache
def _by_provider_and_name() -> dict[tuple[str, str], Region]:
    return {(r.provider, r.name.casefold()): r for r in regions()}


@cache
def _by_name() -> dict[str, tuple[Region, ...]]:
    found: dict[str, tuple[Region, ...]] = {}
    for each in regions():
        found[each.name.casefold()] = (*found.get(each.name.casefold(), ()), each)
    return found


def region(provider: str, name: str) -> Region | None:
    """Return a provider's region (both without regard to case); None where it is not known."""
    return _by_provider_and_name().get((provider.casefold(), name.casefold()))


def distance_km(a: Point, b: Point) -> float:
    """Return the great-circle distance, km (haversine formula)."""
    lat_a, lon_a, lat_b, lon_b = map(radians, (*a, *b))
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(h)))


def estimate_latency_ms(km: float) -> float:
    """Return the round-trip time to expect over a great-circle distance, ms.

    ``FIXED_OVERHEAD_MS + PATH_FACTOR * km / FIBRE_KM_PER_RTT_MS``: grows with distance, typically
    within 20 % between continents, wrong by up to a factor of three where a route makes a detour.
    """
    return FIXED_OVERHEAD_MS + PATH_FACTOR * km / FIBRE_KM_PER_RTT_MS


def resolve_origin(origin: Point | str) -> Point:
    """Return the place where a consumer sits.

    Parameters
    ----------
    origin
        ``(lat, lon)``; an ISO country code; a provider's region as ``aws/eu-west-1``; or a region
        name that only one provider has.

    Raises
    ------
    OptionsError
        At path ``origin``: out of range, unknown, or a region name of several providers.
    """
    if not isinstance(origin, str):
        return _valid_point(origin)
    here = country(origin)
    if here is not None:
        return here.lat, here.lon
    provider, _, name = origin.partition("/")
    named = region(provider, name) if name else None
    found = (named,) if named else _by_name().get(origin.casefold(), ())
    if len(found) == 1:
        return found[0].lat, found[0].lon
    choices = ", ".join(f"{each.provider}/{each.name}" for each in found)
    expected = f"one of {choices}" if found else "(lat, lon), a country code such as 'DE', or 'aws/eu-west-1'"
    raise OptionsError("origin", found_expected(origin, expected))


def _valid_point(point: Point) -> Point:
    try:
        lat, lon = (float(angle) for angle in point)
    except (TypeError, ValueError):
        lat = lon = nan
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise OptionsError("origin", found_expected(point, "latitude in -90..90 and longitude in -180..180"))
    return lat, lon
