"""Check that a wheel holds exactly the package's tracked files: ``python .ci/wheel_contents.py WHEEL``."""

import subprocess
import sys
import zipfile


def main(wheel: str) -> None:
    """Exit with what differs, if anything does."""
    listing = subprocess.run(["git", "ls-files", "flare_core"], capture_output=True, text=True, check=True)  # noqa: S607
    tracked = set(listing.stdout.splitlines())
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    if packed != tracked:
        sys.exit(
            f"missing from the wheel: {sorted(tracked - packed)}; not tracked: {sorted(packed - tracked)}"
        )
    sys.stdout.write(f"{len(packed)} files, as tracked\n")


main(sys.argv[1])
