"""Files, standard input and the clock: what the core is given rather than reads."""

import glob
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flare_core.adapters.cli.output import note

if TYPE_CHECKING:
    from flare_core import Intent, Inventory
    from flare_core.intent.json import Json

STDIN: Final = "-"
DEMO: Final = "Offers and prices are those of the bundled demonstration federation, and invented."
_SHOWN: Final = 3
_CATALOG: Final = "vms.csv"
_MAX_BYTES: Final = 256 * 2**20


def now_or(moment: str | None) -> str | datetime:
    """Return the moment given, or the present one."""
    return datetime.now(UTC) if moment is None else moment


def check_stdin(*given: str) -> None:
    """Refuse to read standard input twice."""
    from flare_core import OptionsError

    if given.count(STDIN) > 1:
        raise OptionsError("-", "found twice, expected standard input at most once")


def read_intent_files(paths: Sequence[str]) -> "tuple[Intent, ...]":
    """Read the intents of all files, in their order; of several, errors name the file."""
    from flare_core import IntentError, read_intents

    intents: list[Intent] = []
    for path in paths:
        try:
            intents += read_intents(sys.stdin.buffer.read() if path == STDIN else Path(path))
        except IntentError as error:
            if len(paths) == 1 or error.path == path:
                raise
            raise IntentError(error.code, error.path, f"{path}: {error.message}") from None
    return tuple(intents)


def read_offers(
    paths: Sequence[str], *, usd_eur: str | None = None, assume: str | None = None
) -> "Inventory":
    """Read an inventory from files, directories and globs; from none the demonstration federation."""
    from flare_core import read_inventory
    from flare_core.inventory.demo import demo_inventory

    assumptions = None if assume is None else _assumptions(assume)
    sources = [sys.stdin if path == STDIN else path for given in paths for path in _expanded(given)]
    if not sources:
        return demo_inventory() if assumptions is None else _demo_with(assumptions)
    return read_inventory(sources, usd_eur=usd_eur, assume=assumptions)


def tell_warnings(inventory: "Inventory") -> None:
    """Say on standard error what reading had to leave out or guess, in short."""
    for warning in inventory.warnings[:_SHOWN]:
        note(warning)
    if len(inventory.warnings) > _SHOWN:
        more = len(inventory.warnings) - _SHOWN
        note(f"{more} more warnings of this kind: flare inventory FILE --warnings")


def read_json(path: str, root: str = "") -> "Json":
    """Read a JSON document strictly; `root` is what its paths begin with in errors."""
    from flare_core.errors import ErrorCode, FlareError, OptionsError
    from flare_core.intent.json import parse_json

    try:
        text = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
        return parse_json(text, max_bytes=_MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no path"
        raise OptionsError(path, f"found no file that can be read ({reason})") from None
    except FlareError as error:
        inner = ".".join(part for part in (root, error.path) if part)
        raise FlareError(ErrorCode.INVALID_FORMAT, inner, f"{path}: {error.message}") from None


def _assumptions(path: str) -> Mapping[str, object]:
    from flare_core.errors import OptionsError, found_expected

    document = read_json(path, "assume")
    if not isinstance(document, dict):
        raise OptionsError("assume", found_expected(document, "an object of providers"))
    return document


def read_plan(path: str) -> dict[str, object]:
    """Read a plan as it was printed."""
    from flare_core.errors import OptionsError, found_expected

    document = read_json(path)
    if not isinstance(document, dict):
        raise OptionsError(path, found_expected(document, "the document of a plan, an object"))
    return dict(document)


def _demo_with(assumptions: Mapping[str, object]) -> "Inventory":
    from flare_core import read_inventory
    from flare_core.inventory.demo import demo_inventory
    from flare_core.inventory.write import to_document

    return read_inventory(to_document(demo_inventory()), assume=assumptions)


def _expanded(path: str) -> Iterator[str]:
    """Yield the files that a path stands for: itself, the catalogs below a directory, those of a glob."""
    from flare_core import InventoryError

    here = Path(path)
    if here.is_dir():
        found = [str(file) for file in sorted(here.rglob(_CATALOG))]
        missing = f"found a directory without {_CATALOG} below it, expected a file or such a directory"
    elif not here.exists() and glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))
        missing = "found no file of that pattern, expected at least one"
    else:
        found, missing = [path], ""
    if not found:
        raise InventoryError(path, missing)
    yield from found
