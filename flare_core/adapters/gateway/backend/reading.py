"""Reading offers: large files in a process of their own, so that nobody waits for it who asks meanwhile.

``python -m flare_core.adapters.gateway.backend.reading`` reads what standard input says, and writes the
inventory to standard output.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from flare_core.adapters.gateway.parcels import packed, unpacked
from flare_core.errors import FlareError, InventoryError
from flare_core.inventory.read import read_inventory
from flare_core.inventory.types import Inventory

LARGE: Final = 2**20
"""Files of so many bytes take some tenths of a second to read: worth a process of their own."""
_WRONG: Final = 2


def read_offers(
    files: Sequence[Path],
    *,
    usd_eur: str | None = None,
    assume: Mapping[str, object] | None = None,
    large: int = LARGE,
) -> Inventory:
    """Return the inventory of some files.

    Raises
    ------
    FlareError
        As `read_inventory` does.
    OSError
        If a file is not there.
    """
    if sum(file.stat().st_size for file in files) < large:
        return read_inventory(list(files), usd_eur=usd_eur, assume=assume)
    wanted = {"files": [str(file) for file in files], "usd_eur": usd_eur, "assume": assume}
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", __name__], input=json.dumps(wanted).encode(), capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace") if done.returncode == _WRONG else "the reader has ended"
        raise InventoryError("", said)
    found = unpacked(done.stdout)
    assert isinstance(found, Inventory)
    return found


def main() -> None:
    """Read what standard input says."""
    wanted = json.load(sys.stdin)
    try:
        found = read_inventory(wanted["files"], usd_eur=wanted["usd_eur"], assume=wanted["assume"])
    except FlareError as error:
        sys.stderr.write(str(error))
        sys.exit(_WRONG)
    sys.stdout.buffer.write(packed(found))


if __name__ == "__main__":
    main()
