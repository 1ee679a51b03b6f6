"""What the fields of an intent are made of: strict parts, quantities, and the grammars of names.

A field holds its value in the base unit of the quantities; demands are rounded up, budgets down.
Whether a field was written out, which decides how unknown values are judged, is pydantic's
``model_fields_set``. ``null`` is never a value: a field that is not meant is left out.
"""

import difflib
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from flare_core import quantities
from flare_core.quantities import Rounding

T = TypeVar("T")

MAX_ENTRIES: Final = 10_000
MAX_FIELDS: Final = 1_000
"""Of one object; none has a fiftieth of it, and to tell what each of very many is not takes its time."""


class Part(BaseModel):
    """A part of the document: no unknown field, no coercion, no change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _not_endless(cls, given: object) -> object:
        if isinstance(given, Mapping) and len(given) > MAX_FIELDS:
            raise Misfit(f"at most {MAX_FIELDS} fields", found=f"an object of {len(given)}")
        return given


class Misfit(ValueError):
    """A value that does not fit.

    Parameters
    ----------
    expected
        What would have fitted.
    found
        What was found, in words that tell no secret; None: the value itself is shown.
    at
        Where below the judged value it was found.
    """

    def __init__(self, expected: str, *, found: str | None = None, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found
        self.at = at


def first_twice(values: Iterable[Hashable]) -> int | None:
    """Return the index of the first value that stands earlier already."""
    seen = set[Hashable]()
    for index, value in enumerate(values):
        if value in seen:
            return index
        seen.add(value)
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like the given one in any case, None where none is."""
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name[:64].casefold(), sorted(folded), n=1)
    return folded[near[0]] if near else None


def one_of(name: object, known: Sequence[str]) -> str:
    """List the known names and say which is most like the given one."""
    near = nearest(name, known) if isinstance(name, str) else None
    hint = f" (the nearest is {near!r})" if near else ""
    return f"one of {', '.join(map(repr, known))}{hint}"


def _not_null(value: object) -> object:
    if value is None:
        raise Misfit("a value; a field that is not meant is left out")
    return value


Maybe = Annotated[T | None, BeforeValidator(_not_null)]
"""A field that may be left out; it is then None."""


def _not_endless(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_ENTRIES:
        raise Misfit(f"at most {MAX_ENTRIES} entries", found=f"a list of {len(value)}")
    return value


Many = Annotated[tuple[T, ...], Field(strict=False), BeforeValidator(_not_endless)]
"""A JSON list (strictly read, pydantic takes none for a tuple), bounded so that refusing one is quick."""


def text_like(pattern: str, expected: str, longest: int) -> WithJsonSchema:
    """Tell the schema what a text looks like, in what Python and ECMA 262 have in common of patterns."""
    shape = {"pattern": f"^({pattern})$", "maxLength": longest, "description": expected}
    return WithJsonSchema({"type": "string"} | shape)


def _matching(pattern: str, expected: str, longest: int) -> AfterValidator:
    grammar = re.compile(pattern)

    def check(value: str) -> str:
        if len(value) > longest or not grammar.fullmatch(value):
            raise Misfit(expected)
        return value

    return AfterValidator(check)


_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN_PART: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PATH_PART: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"

_LABEL_WORDS: Final = "a DNS-1123 label: at most 63 of a-z, 0-9 and '-', no '-' at the ends"
_SUBDOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})*"
_SUBDOMAIN_WORDS: Final = "the name of a secret: DNS-1123 labels joined by dots, such as 'hf-token'"
_HOST_WORDS: Final = "a host name (RFC 1123), such as 'api.example.com'"
_IMAGE: Final = (
    rf"(?:(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
    rf"{_PATH_PART}(?:/{_PATH_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,128})?"
)
_IMAGE_WORDS: Final = "a container image, such as 'nvcr.io/nvidia/pytorch:24.01-py3'"

Label = Annotated[str, _matching(_LABEL, _LABEL_WORDS, 63), text_like(_LABEL, _LABEL_WORDS, 63)]
"""RFC 1123 label, the form of Kubernetes names."""

SecretName = Annotated[
    str, _matching(_SUBDOMAIN, _SUBDOMAIN_WORDS, 253), text_like(_SUBDOMAIN, _SUBDOMAIN_WORDS, 253)
]
"""DNS-1123 subdomain, the form of a Kubernetes secret's name."""

HostName = Annotated[
    str,
    # A host name whose last label is a number would be an IP address (RFC 1123, 2.1).
    _matching(rf"(?:{_HOST_LABEL}\.)*(?![0-9]+$){_HOST_LABEL}", _HOST_WORDS, 253),
    text_like(rf"(?:{_HOST_LABEL}\.)*{_HOST_LABEL}", _HOST_WORDS, 253),
]
"""RFC 1123 host name, not an address."""

Image = Annotated[
    str,
    _matching(rf"(?=[^@]{{1,384}}(?:@|$)){_IMAGE}", _IMAGE_WORDS, 560),
    text_like(_IMAGE, _IMAGE_WORDS, 560),
]
"""Image reference as registries read it: name (255) with tag (128) and digest.

Source: https://github.com/distribution/reference, ``regexp.go``.
"""

ENV_PATTERN: Final = "[-_A-Za-z][-._A-Za-z0-9]{0,252}"
ENV_KEY: Final = re.compile(ENV_PATTERN)
"""Key of an environment variable, as Kubernetes takes it (not starting with a dot).

Source: https://github.com/kubernetes/apimachinery, ``IsEnvVarName``.
"""


_ENV_WORDS: Final = "the name of an environment variable, such as 'HF_TOKEN'"


def _env_key(value: str) -> str:
    if not ENV_KEY.fullmatch(value):
        raise Misfit(_ENV_WORDS)
    return value


EnvKey = Annotated[str, AfterValidator(_env_key), text_like(ENV_PATTERN, _ENV_WORDS, 253)]


_WORD_WORDS: Final = "a text of 1 to 256 printable characters without space around it"


def _word(value: str) -> str:
    if not value or len(value) > 256 or value != value.strip() or not value.isprintable():
        raise Misfit(_WORD_WORDS)
    return value


# Of what is not printable the pattern names the controls and the other spaces; Unicode has more.
_PRINTED: Final = "[^\\x00-\\x20\\x7f-\\xa0\\xad]"
_WORD: Final = f"{_PRINTED}([ ]{{0,9}}{_PRINTED})*"
Word = Annotated[str, AfterValidator(_word), text_like(_WORD, _WORD_WORDS, 256)]
"""A name that something else gave: a provider, a zone, a certificate."""

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""0 or more; at most what Kubernetes counts in (int32)."""

Replicas = Annotated[int, Field(ge=1, le=2**31 - 1)]
Port = Annotated[int, Field(ge=1, le=65535)]
TargetPercent = Annotated[int, Field(ge=1, le=100)]
Protocol = Literal["TCP", "UDP"]


def _read(parse: Callable[[object], object]) -> BeforeValidator:
    return BeforeValidator(parse)


def _rounded(parse: Callable[[object, Rounding], int], rounding: Rounding) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value, rounding))


def _written(parse: Callable[..., object]) -> WithJsonSchema:
    """Tell the schema how a quantity is written, which is not what it becomes."""
    return WithJsonSchema(quantities.json_schema(parse))


_CPU: Final = _written(quantities.parse_cpu_milli)
_MEMORY: Final = _written(quantities.parse_memory_mib)
_MONEY: Final = _written(quantities.parse_money_ueur)
_RATE: Final = _written(quantities.parse_rate_ueur_per_h)

CpuMilli = Annotated[int, _rounded(quantities.parse_cpu_milli, Rounding.UP), _CPU]
MemoryMib = Annotated[int, _rounded(quantities.parse_memory_mib, Rounding.UP), _MEMORY]
BudgetUeur = Annotated[int, _rounded(quantities.parse_money_ueur, Rounding.DOWN), _MONEY]
BudgetUeurPerH = Annotated[int, _rounded(quantities.parse_rate_ueur_per_h, Rounding.DOWN), _RATE]
DurationS = Annotated[int, _read(quantities.parse_duration_s), _written(quantities.parse_duration_s)]
LatencyMs = Annotated[float, _read(quantities.parse_latency_ms), _written(quantities.parse_latency_ms)]
BandwidthGbps = Annotated[
    float, _read(quantities.parse_bandwidth_gbps), _written(quantities.parse_bandwidth_gbps)
]
ClockMhz = Annotated[float, _read(quantities.parse_clock_mhz), _written(quantities.parse_clock_mhz)]
Percent = Annotated[float, _read(quantities.parse_percent), _written(quantities.parse_percent)]
CarbonGPerH = Annotated[
    float, _read(quantities.parse_carbon_g_per_h), _written(quantities.parse_carbon_g_per_h)
]
Number = Annotated[float, _read(quantities.parse_number), _written(quantities.parse_number)]
Fraction = Annotated[
    Number,
    Field(le=1),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^ *(0?\.[0-9]{1,9}|0\.?|1(\.0{0,9})?) *$"},
                {"type": "number", "minimum": 0, "maximum": 1},
            ],
            "description": "a fraction from 0 to 1, such as 0.95 or '0.95'",
        }
    ),
]
"""0 to 1."""
Moment = Annotated[datetime, _read(quantities.parse_moment), _written(quantities.parse_moment)]
