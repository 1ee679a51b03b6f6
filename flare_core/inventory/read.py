"""Reading inventories: files, streams, dictionaries and DataFrames, one or many, into one `Inventory`.

=============  =======================================================================================
format         recognised by
=============  =======================================================================================
``document``   ``.json`` or text that begins with ``{`` or ``[``; offers as the specification has them
``jsonl``      ``.jsonl``, ``.ndjson``; one offer a line
``csv``        ``.csv`` with dotted column names (``price.hourly``); an empty cell is unknown
``parquet``    ``.parquet``; dotted or nested columns; needs the extra ``parquet``
``skypilot``   a CSV with SkyPilot's columns ``InstanceType``, ``AcceleratorName``
``gpuhunt``    gpuhunt's or dstack's offers, CSV or JSON
``openb``      the node list of Alibaba's ``openb`` trace, CSV
``fluidos``    Kubernetes objects, JSON or YAML (``.yaml``, ``.yml``, which needs the extra ``fluidos``):
               FLUIDOS's flavors and candidates, annotated nodes; see `flare_core.inventory.fluidos`
=============  =======================================================================================
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

from flare_core.errors import IntentError, InventoryError, found_expected
from flare_core.intent.json import Json, parse_json
from flare_core.inventory import fluidos, gpuhunt, openb, skypilot
from flare_core.inventory.build import RawOffers, combine
from flare_core.inventory.document import read_document, read_offers
from flare_core.inventory.fields import BY_PATH
from flare_core.inventory.manifests import manifests
from flare_core.inventory.prices import settle
from flare_core.inventory.types import Inventory, Kind
from flare_core.inventory.write import offer_document, to_document, to_frame

if TYPE_CHECKING:
    from _csv import Reader as _CsvReader

    import pandas as pd

__all__ = ["MAX_BYTES", "offer_document", "read_inventory", "to_document", "to_frame"]

MAX_BYTES: Final = 256 * 2**20
"""Largest file or stream."""
MAX_LINE_BYTES: Final = 2**20
"""Largest line of JSON Lines."""

FORMATS: Final = ("document", "jsonl", "csv", "parquet", "skypilot", "gpuhunt", "openb", "fluidos")
_SUFFIXES: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".yaml": "fluidos",
    ".yml": "fluidos",
}
_HEADERS: Final = (
    ("skypilot", skypilot.REQUIRED),
    ("gpuhunt", gpuhunt.REQUIRED),
    ("openb", openb.NODE_COLUMNS),
)
_LONGEST_HEADER: Final = 2**16

One: TypeAlias = "str | Path | TextIO | Mapping[str, object] | pd.DataFrame"
Source: TypeAlias = "One | Sequence[One]"


def read_inventory(
    source: Source,
    *more: Source,
    usd_eur: str | float | Decimal | None = None,
    assume: Mapping[str, object] | None = None,
    format: str | None = None,
) -> Inventory:
    """Read what providers offer.

    Parameters
    ----------
    source, *more
        Paths, open text streams, documents as dictionaries, JSON text, DataFrames, or lists of these; the
        offers of all are put together. A list of offers (dictionaries with ``id``) is a document, too.
    usd_eur
        Euro for one US dollar, such as ``"0.92"``; needed for prices in USD.
    assume
        Values for absent fields by provider (``"aws"``), region (``"aws/us-east-1"``) or for everybody
        (``"*"``), nested or by dotted path.
    format
        One of the formats above, where it cannot be told from the name or the content.

    Returns
    -------
    Inventory
        Offers sorted by id; its ``warnings`` tell what was skipped and why.

    Raises
    ------
    InventoryError
        If a source cannot be read or has no usable offer.
    """
    if format is not None and format not in FORMATS:
        raise InventoryError("format", found_expected(format, f"one of {', '.join(FORMATS)}"))
    sources = [one for given in (source, *more) for one in _each(given)]
    if not sources:
        raise InventoryError("", "found no source, expected at least one")
    several = len(sources) > 1
    return combine(settle([_read(one, format, usd_eur, several) for one in sources]), assume=assume)


def _each(given: Source) -> Iterator[One]:
    """Yield the sources in a list; a list of offers is itself one."""
    if not isinstance(given, (list, tuple)):
        yield given  # type: ignore[misc]  # what is neither list nor tuple is one source
    elif given and all(isinstance(item, Mapping) and "id" in item for item in given):
        yield {"offers": list(given)}
    elif fluidos.is_objects(list(given)):
        yield {"apiVersion": "v1", "kind": "List", "items": list(given)}
    else:
        yield from given


def _read(source: One, format: str | None, usd_eur: object, several: bool) -> RawOffers:
    if isinstance(source, Mapping):
        if fluidos.is_objects(source):
            return _read_objects([source], "", usd_eur)
        offers = source.get("offers")
        native = [_native(offer) for offer in offers] if isinstance(offers, (list, tuple)) else offers
        return read_document({**source, "offers": native})
    if hasattr(source, "to_dict"):
        return _read_records(source.to_dict("records"), "")
    if isinstance(source, str) and source.lstrip()[:1] in ("{", "["):
        return _read_text(source, "", format, usd_eur, several)
    if hasattr(source, "read"):
        name = str(getattr(source, "name", "stream"))
        return _read_text(_bounded(source.read(MAX_BYTES + 1), name), name, format, usd_eur, several)
    if isinstance(source, (str, Path)):
        return _read_path(Path(source), format, usd_eur, several)
    raise InventoryError("", f"found a {type(source).__name__}, expected a path, a document or a DataFrame")


def _read_path(path: Path, format: str | None, usd_eur: object, several: bool) -> RawOffers:
    format = format or _SUFFIXES.get(path.suffix.lower())
    if format == "parquet":
        return _read_parquet(path)
    return _read_text(_text_of(path), str(path), format, usd_eur, several)


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InventoryError(str(path), f"found more than {MAX_BYTES} bytes, expected at most that")
        return path.read_text(encoding="utf-8-sig", errors="strict")
    except UnicodeDecodeError as error:
        raise InventoryError(str(path), f"found a byte that is not UTF-8 at offset {error.start}") from None
    except OSError as error:
        raise InventoryError(str(path), f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise InventoryError(repr(str(path)), f"cannot be read: {error}") from None


def _bounded(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise InventoryError(name, f"found a stream of {type(text).__name__}, expected text")
    if len(text) > MAX_BYTES:
        raise InventoryError(name, f"found more than {MAX_BYTES} characters, expected at most that")
    return text.removeprefix("\ufeff")


def _read_text(text: str, name: str, format: str | None, usd_eur: object, several: bool) -> RawOffers:
    is_json = text.lstrip()[:1] in ("{", "[") or name.lower().endswith(".json")
    if format == "document" or (format is None and is_json):
        document = _parsed(text, name)
        if format is None and gpuhunt.is_offers(document):
            return gpuhunt.parse_gpuhunt(text, name, usd_eur=usd_eur)[0]
        if format is None and fluidos.is_objects(document):
            return _read_objects([document], name, usd_eur)
        return read_document(document, name, f"{name}: " if several and name else "")
    match format or _csv_format(text):
        case "jsonl":
            return read_offers(_json_lines(text, name), name, inside=": {}".format)
        case "skypilot":
            # The folder of a catalog is the name of its cloud.
            return skypilot.parse_skypilot(text, str(Path(name).absolute()), usd_eur=usd_eur)[0]
        case "gpuhunt":
            return gpuhunt.parse_gpuhunt(text, name, usd_eur=usd_eur)[0]
        case "openb":
            return openb.parse_openb_nodes(text, name)[0]
        case "fluidos":
            return _read_objects(manifests(text, name), name, usd_eur)
        case _:
            return _read_csv(text, name)


def _read_objects(documents: Iterable[object], name: str, usd_eur: object) -> RawOffers:
    return fluidos.read_objects(documents, name, reading=fluidos.Reading(usd_eur=usd_eur))


def _csv_format(text: str) -> str:
    """Tell from the header whose columns these are."""
    header = {cell.strip() for cell in text[:_LONGEST_HEADER].partition("\n")[0].replace('"', "").split(",")}
    return next((format for format, columns in _HEADERS if header.issuperset(columns)), "csv")


def _parsed(text: str, name: str) -> Json:
    try:
        return parse_json(text, max_bytes=MAX_BYTES)
    except IntentError as error:
        raise InventoryError(error.path or name, error.message) from None


def _json_lines(text: str, name: str) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield f"{name}:{number}", parse_json(line.strip("\r"), max_bytes=MAX_LINE_BYTES)
        except IntentError as error:
            yield f"{name}:{number}", InventoryError(error.path, error.message)


def _read_csv(text: str, name: str) -> RawOffers:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(rows, [])]
    except csv.Error as error:
        raise InventoryError(f"{name}:1", f"found text that is no CSV: {error}") from None
    number = {path: i for i, path in enumerate(header, 1)}
    if len(number) < len(header):
        raise InventoryError(f"{name}:1", "found a column name twice, expected each once")

    def inside(path: str) -> str:
        return f":{number[path]}: {path}" if path in number else f": {path}"

    return read_offers(_csv_offers(rows, header, name), name, inside=inside)


def _csv_offers(rows: "_CsvReader", header: Sequence[str], name: str) -> Iterator[tuple[str, object]]:
    while True:
        where = f"{name}:{rows.line_num + 1}"
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield where, InventoryError("", f"found text that is no CSV: {error}")
            continue
        if len(cells) == len(header):
            yield where, _offer(dict(zip(header, cells, strict=True)))
        elif cells:
            yield (
                where,
                InventoryError("", f"found {len(cells)} cells, expected {len(header)} as in the first line"),
            )


def _read_parquet(path: Path) -> RawOffers:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        message = "reading Parquet needs pyarrow: install flare-core with the extra 'parquet'"
        raise InventoryError(str(path), message) from None
    try:
        records = parquet.read_table(path).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise InventoryError(str(path), f"cannot be read as Parquet: {error}") from None
    return _read_records(records, str(path))


def _read_records(records: Iterable[Mapping[object, object]], name: str) -> RawOffers:
    offers = ((f"{name}: row {i}".removeprefix(": "), _offer(record)) for i, record in enumerate(records))
    return read_offers(offers, name, inside=": {}".format)


def _offer(record: Mapping[object, object]) -> dict[str, object]:
    """Return a row of a table as the offer it means: text that stands for something else becomes that."""
    return {str(path): _value(str(path), _cell(_native(cell))) for path, cell in record.items()}


def _value(path: str, cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    column = BY_PATH.get(path)
    if not text:
        return None
    if column is not None and column.kind is Kind.FLAG:
        return {"true": True, "false": False}.get(text.lower(), text)
    nested = path == "node_states" or (column is not None and column.kind.nested)
    if not nested or text[0] not in "[{":
        return text
    try:
        return parse_json(text)
    except IntentError:
        return text


def _cell(value: object) -> object:
    """Return a cell's value; tables leave cells empty as NaN, and then hold whole numbers as floats."""
    if isinstance(value, float):
        return None if value != value else int(value) if value.is_integer() else value
    return None if type(value).__name__ in ("NAType", "NaTType") else value


def _native(value: object) -> object:
    """Return a value as JSON holds it, where NumPy or Arrow hold it in their own way."""
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {key: _native(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays
        value = value.tolist()
    return [_native(item) for item in value] if isinstance(value, (list, tuple)) else value
