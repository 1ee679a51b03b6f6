"""Bugs planted by hand in a copy of FLARE are caught: by the checker, by exhaustion, or by a relation."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.planted.bugs import BUGS, CANDIDATES, INSIDE, MODEL, REQUIREMENTS, Bug
from tests.worlds import Json

ROOT = Path(__file__).resolve().parents[2]
named = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)


def run(folder: Path, bug: Bug | None) -> Json:
    """Plant a bug in a copy of the package and return what the battery says of it."""
    shutil.copytree(ROOT / "flare_core", folder / "flare_core", ignore=shutil.ignore_patterns("__pycache__"))
    if bug is not None:
        module = folder / "flare_core" / bug.module
        text = module.read_text()
        assert text.count(bug.old) == 1, f"{bug.old!r} occurs {text.count(bug.old)} times in {bug.module}"
        module.write_text(text.replace(bug.old, bug.new))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.planted.battery"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: Json = json.loads(done.stdout)
    assert said["code"].startswith(str(folder))
    return said


def test_there_are_ten_bugs_or_more_in_each_part() -> None:
    assert min(len(part) for part in (REQUIREMENTS, CANDIDATES, MODEL, INSIDE)) >= 10
    assert len({bug.what for bug in BUGS}) == len(BUGS)


@named
def test_each_bug_stands_where_it_can_be_planted(bug: Bug) -> None:
    assert (ROOT / "flare_core" / bug.module).read_text().count(bug.old) == 1


@pytest.mark.parametrize(
    "bug", [REQUIREMENTS[3], CANDIDATES[2], MODEL[0], INSIDE[3]], ids=lambda bug: bug.what
)
def test_a_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    assert run(tmp_path, bug)["net"]


@pytest.mark.t1
def test_nothing_is_caught_where_nothing_is_planted(tmp_path: Path) -> None:
    assert run(tmp_path, None)["net"] == ""


@pytest.mark.t1
@named
def test_each_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    said = run(tmp_path, bug)
    print(f"{bug.what}: {said['net']} ({said['where']})")  # noqa: T201  # the table of nets
    assert said["net"]
