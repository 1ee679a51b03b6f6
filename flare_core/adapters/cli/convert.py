"""Writing an inventory to a file, in the form that its name asks for."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from flare_core.errors import OptionsError, found_expected
from flare_core.inventory.types import Inventory
from flare_core.inventory.write import to_document, to_frame


def convert_to(inventory: Inventory, out: str) -> int:
    """Write an inventory and return how many offers were written.

    Offers whose price is not believed, and values that were assumed, are left out: see `to_document`.

    Raises
    ------
    OptionsError
        If the name asks for no known form, or the file cannot be written.
    """
    path = Path(out)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise OptionsError("convert", found_expected(out, f"a name that ends with {', '.join(_WRITERS)}"))
    try:
        return write(inventory, path)
    except OSError as error:
        raise OptionsError("convert", f"{out} cannot be written: {error.strerror or error}") from None


def _json(inventory: Inventory, path: Path) -> int:
    document = to_document(inventory)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return len(_offers(document))


def _jsonl(inventory: Inventory, path: Path) -> int:
    offers = _offers(to_document(inventory))
    path.write_text("".join(json.dumps(offer) + "\n" for offer in offers), encoding="utf-8")
    return len(offers)


def _csv(inventory: Inventory, path: Path) -> int:
    frame = to_frame(inventory)
    frame.to_csv(path, index=False)
    return len(frame)


def _parquet(inventory: Inventory, path: Path) -> int:
    frame = to_frame(inventory)
    try:
        frame.to_parquet(path, index=False, engine="pyarrow")
    except ImportError:
        message = "writing Parquet needs pyarrow: install flare-core with the extra 'parquet'"
        raise OptionsError("convert", message) from None
    return len(frame)


def _offers(document: Mapping[str, object]) -> list[object]:
    offers = document["offers"]
    assert isinstance(offers, list)
    return offers


_WRITERS: Final[Mapping[str, Callable[[Inventory, Path], int]]] = {
    ".json": _json,
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
