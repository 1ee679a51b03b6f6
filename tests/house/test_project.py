"""The two commands, and an installation that repeats without a file of download addresses."""

import re
import tomllib
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = (ROOT / ".ci" / "requirements.txt").read_text()


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0].lower().replace("_", "-")


def commands(page: str) -> list[str]:
    return [line for block in re.findall(r"```sh\n(.*?)```", page, re.S) for line in block.splitlines()]


def test_readme_has_two_commands_and_ci_runs_both_as_written() -> None:
    shown = commands((ROOT / "README.md").read_text())
    assert len(shown) == 2
    assert shown[1] == ".uv/bin/uv run pytest"
    steps = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in steps if line in shown] == shown


def test_a_wheel_installs_with_the_facts_it_needs() -> None:
    assert (ROOT / "flare_core" / "py.typed").is_file()
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["flare_core"]


def test_the_resolution_is_fixed_by_a_date() -> None:
    moment = datetime.fromisoformat(PROJECT["tool"]["uv"]["exclude-newer"])
    assert moment.tzinfo is not None


def test_the_requirements_hold_hashes_and_no_address() -> None:
    assert "://" not in REQUIREMENTS
    stanzas = re.split(r"^(?=[A-Za-z0-9])", REQUIREMENTS, flags=re.M)[1:]
    assert stanzas
    assert not [
        s
        for s in stanzas
        if not re.match(r"[a-z0-9.-]+==[^\n]+(\n    --hash=sha256:[0-9a-f]{64}[ \\]*)+\n", s)
    ]


def test_the_requirements_name_all_that_the_two_commands_need() -> None:
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(r for extra in PROJECT["project"]["optional-dependencies"].values() for r in extra),
        *PROJECT["dependency-groups"]["dev"],
    ]
    pinned = {name_of(line) for line in REQUIREMENTS.splitlines() if line[:1].isalnum()}
    assert {name_of(r) for r in wanted} - {PROJECT["project"]["name"]} <= pinned
