"""How machines that Kubernetes objects describe become offers: what FLUIDOS's flavors and nodes share.

An object says a thing at a path of its own (``gpu.memory``, an annotation) and an offer says it at another.
`Facts` keeps both, so that what is wrong is reported where its author wrote it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Final, Literal

from flare_core.catalog import regions
from flare_core.errors import InventoryError, OptionsError, found_expected
from flare_core.inventory.cells import CellError
from flare_core.inventory.fields import BY_PATH, FieldError, OtherAccelerator, parse_value
from flare_core.inventory.prices import read_rate, read_usd, to_ueur
from flare_core.quantities import QuantityError, Rounding, format_rate, parse_cpu_milli, parse_memory_mib

UNSTATED: Final = "unstated"
"""Region of an offer that names none: it satisfies no wish for a place."""

_TRUTH: Final[Mapping[str, object]] = {"true": True, "false": False}
_CONTINENTS: Final = frozenset({"af", "ap", "eu", "me", "sa"})
"""Prefixes of cloud regions that are ISO codes of countries and mean something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What no object says and a reader has to be told; the FLUIDOS page of the reference explains each.

    Attributes
    ----------
    prices_per
        Whether ``hourly_rate`` is the price of a node or of one of its GPUs.
    places
        Whether ``region`` and ``zone`` of a flavor's GPUs hold each other's value.
    country_from_region
        Whether the name of a region may tell the country.
    usd_eur
        Euro for one US dollar.
    """

    prices_per: Literal["node", "gpu"] = "node"
    places: Literal["auto", "swapped", "stated"] = "auto"
    country_from_region: bool = False
    usd_eur: object = None

    def __post_init__(self) -> None:
        if self.prices_per not in ("node", "gpu"):
            raise OptionsError("prices_per", found_expected(self.prices_per, "'node' or 'gpu'"))
        if self.places not in ("auto", "swapped", "stated"):
            raise OptionsError("places", found_expected(self.places, "'auto', 'swapped' or 'stated'"))
        if self.usd_eur is not None:
            read_rate(self.usd_eur, "")


@dataclass(slots=True)
class Facts:
    """What one object says about its machine.

    Attributes
    ----------
    values
        By path of the offer: the value, and where in the object it stands.
    left_out
        What the object says and an offer has no word for.
    """

    values: dict[str, tuple[object, str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def say(self, path: str, value: object, at: str) -> None:
        """Take a value; None says nothing."""
        if value is not None:
            self.values[path] = (value, at)

    def say_word(self, path: str, value: object, at: str, known: tuple[str, ...]) -> None:
        """Take a word in any spelling; one that an offer cannot say is left out, and that is told."""
        word = plain_word(value)
        if word in known:
            self.say(path, word, at)
        elif word:
            expected = f"one of {', '.join(known)}"
            self.left_out.append(f"{at}: {found_expected(value, expected)}; left out")

    def get(self, path: str) -> object:
        """Return the value at a path of the offer, None where there is none."""
        return self.values.get(path, (None, ""))[0]

    def offer(self) -> dict[str, object]:
        """Return the offer by dotted path.

        Raises
        ------
        InventoryError
            At the first value that no offer can have, with its path in the object, or the first one missing.
        OtherAccelerator
            It is no GPU.
        """
        has_gpu = any(path.startswith("gpu.") for path in self.values)
        for path in ("provider", *(("gpu.model", "gpu.count") if has_gpu else ())):
            if path not in self.values:
                raise InventoryError(path, "is missing, expected a value")
        if not {"price.hourly", "price.spot_hourly"} & self.values.keys():
            raise InventoryError("price", "is missing, which is not the same as free")
        for path, (value, at) in self.values.items():
            if path not in BY_PATH:
                continue
            try:
                parse_value(BY_PATH[path], value)
            except OtherAccelerator:
                raise
            except FieldError as error:
                raise InventoryError(f"{at}.{error.path}".rstrip("."), error.message) from None
        return {path: value for path, (value, _) in self.values.items()}


def plain_word(value: object) -> str:
    """Return a word as it is compared: lower case, ``-`` for ``_`` and blanks."""
    return "-".join(str(value).lower().replace("_", " ").split()) if isinstance(value, str) else ""


def known(value: object) -> object:
    """Return a value, None for what stands for "unknown" where zeros are left out in writing: 0 and ""."""
    if isinstance(value, str):
        text = value.strip()
        return None if not text or text.strip("0.") == "" else text
    return None if value == 0 and not isinstance(value, bool) else value


def quantity(value: object) -> Fraction | None:
    """Return a Kubernetes quantity as a number, None where it is none or 0."""
    try:
        found = Fraction(parse_cpu_milli(value, Rounding.DOWN), 1000)
    except QuantityError:
        return None
    return found or None


def mebibytes(value: object) -> int | None:
    """Return a quantity of bytes as MiB, None where it is none or 0."""
    try:
        return parse_memory_mib(value, Rounding.DOWN) or None
    except QuantityError:
        return None


def whole(value: object) -> object:
    """Return a count that is written as text or as ``4.0`` as a number, anything else as it is."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def truth(value: object) -> object:
    """Return ``"true"`` and ``"false"`` as what they mean, anything else as it is."""
    return _TRUTH.get(value.strip().lower(), value) if isinstance(value, str) else value


def rate(amount: object, currency: str, per_hour: int, machines: int, reading: Reading) -> str:
    """Return an hourly price as an offer states it.

    Parameters
    ----------
    amount
        A number, or its digits.
    currency
        ``EUR`` or ``USD``.
    per_hour
        Hours that the amount pays for.
    machines
        How often the amount is paid: the GPUs of a node where it is the price of one.

    Raises
    ------
    CellError
        If it is no price, or in another currency.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, float, str, Decimal)):
        raise CellError(found_expected(amount, "a price, such as 18.4"))
    digits = read_usd(repr(amount) if isinstance(amount, float) else str(amount).strip())
    if digits is None:
        raise CellError(found_expected(amount, "a price, such as 18.4"))
    return format_rate(-(-to_ueur(digits, _euro(currency, reading)) * machines // per_hour))


def _euro(currency: str, reading: Reading) -> Decimal:
    if currency.strip().upper() in ("EUR", "€"):
        return Decimal(1)
    if currency.strip().upper() not in ("USD", "$"):
        raise CellError(found_expected(currency, "EUR, or USD with an exchange rate"))
    if reading.usd_eur is None:
        raise CellError(found_expected(currency, 'EUR, or an exchange rate beside it, usd_eur="0.92"'))
    return read_rate(reading.usd_eur, "")


def country_of(region: str) -> str | None:
    """Return the country that a region's name tells; a name is no proof, see `Reading`.

    >>> country_of("eu-west-1"), country_of("de-frankfurt"), country_of("germany"), country_of("eu-nowhere")
    ('IE', 'DE', 'DE', None)
    """
    name = region.casefold()
    of_that_name = {each.country for each in regions.regions() if each.name.casefold() == name}
    if len(of_that_name) == 1:
        return of_that_name.pop()
    prefix = name.partition("-")[0]
    for spelled, code in _countries().items():
        if name == spelled or name.startswith(f"{spelled}-"):
            return code
    found = None if prefix in _CONTINENTS or prefix == name else regions.country(prefix.upper())
    return None if found is None else found.iso2


@cache
def _countries() -> Mapping[str, str]:
    return {"-".join(each.name.casefold().split()): each.iso2 for each in regions.countries()}
