"""What pages and help texts show is run as it stands."""

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import typer

from flare_core.adapters.cli import main
from flare_core.adapters.cli.app import app
from flare_core.adapters.cli.argv import spread
from tests.house import shells
from tests.house.shells import ROOT, Shown

BLOCKS = [block for block in shells.blocks() if "http-api" not in block.place]  # replayed by docs/replay.py
HELPS = dict(shells.helps())

NOT_RUN = {
    "accept": "needs an offer that waits",
    "bench": "measures for minutes",
    "fluidos doctor": "needs a cluster",
    "fluidos inventory": "needs a cluster",
    "fluidos render": "needs the flavors of a federation",
    "fluidos sweep": "needs a cluster",
}
"""Commands whose examples are only parsed; each has tests of its own."""
NEEDS = re.compile(r"postgresql://|/run/secrets/|https://flare\.example")
"""What an example may name that is not on this machine."""


Room = tuple[Path, dict[str, str]]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    folder = tmp_path_factory.mktemp("shown")
    environment = shells.furnish(folder)
    done = shells.run("flare place intent.json --json > plan.json || test $? = 3", folder, environment)
    assert not done.returncode, done.stderr
    return folder, environment


@pytest.fixture(scope="module")
def served(room: Room) -> Iterator[dict[str, str]]:
    with shells.gateway() as known:
        yield room[1] | known


def held(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode in (0, 3), done.stderr  # 3: an example may be refused by the offers at hand
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("shown", [b for b in BLOCKS if b.language == "sh"], ids=lambda b: b.place)
def test_a_block_of_shell_runs(
    shown: Shown, room: Room, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if shown.reason:
        pytest.skip(shown.reason)
    environment = request.getfixturevalue("served") if shells.REMOTE.search(shown.text) else room[1]
    own = shutil.copytree(room[0], tmp_path / "own")  # what one page writes is no other's
    held(shells.run(shown.text, own, environment))


@pytest.mark.parametrize("shown", [b for b in BLOCKS if b.language == "python"], ids=lambda b: b.place)
def test_a_block_of_python_runs(shown: Shown, room: Room) -> None:
    if shown.reason:
        pytest.skip(shown.reason)
    command = [sys.executable, "-c", shown.text]
    done = subprocess.run(command, cwd=room[0], env=room[1], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


def test_what_is_not_run_says_why() -> None:
    assert {b.place.partition(":")[0]: b.reason for b in BLOCKS if b.reason} == {
        "README.md": "it is what runs this",
        "docs/benchmarks.md": "takes minutes, and measures",
        "docs/deploy/README.md": "needs a cluster",
        "docs/how-to/explore.md": "measures with a browser",
        "docs/how-to/machines.md": "needs a cluster",
    }


OUTPUT = re.compile(r"<!-- output of the first command: begin -->\n```text\n(.*?)```", re.S)
CHANGES = ((r"\d\.\d{3} s", "TIME"), (r"\d{4}-\d\d-\d\dT[\d:]+Z", "MOMENT"))


def test_readme_shows_what_its_first_command_prints(room: Room) -> None:
    page = (ROOT / "README.md").read_text()
    shown = OUTPUT.search(page)
    command = re.search(r"```sh\n(python3 .*?)```", page, re.S)
    assert shown
    assert command
    done = shells.run(command[1], *room)
    assert normal(done.stdout) == normal(shown[1])


def normal(text: str) -> str:
    for changing, name in CHANGES:
        text = re.sub(changing, name, text)
    return text.strip()


# --- the help of every command -----------------------------------------------------------------------


@pytest.mark.parametrize("name", HELPS)
def test_every_command_shows_examples_of_itself(name: str) -> None:
    assert any(f"{name} " in f"{line} " for line in HELPS[name])


def examples() -> Iterator[tuple[str, str]]:
    for name, lines in HELPS.items():
        yield from ((name.removeprefix("flare").strip(), line) for line in lines)


def is_run(name: str, line: str) -> bool:
    return name not in NOT_RUN and not NEEDS.search(line)


@pytest.mark.parametrize(("name", "line"), [e for e in examples() if is_run(*e)])
def test_an_example_runs(name: str, line: str, room: Room, request: pytest.FixtureRequest) -> None:
    folder, environment = room
    if shells.REMOTE.search(line):
        environment = request.getfixturevalue("served")
        line = shells.INTENT_ID.sub(lambda _: some_intent(folder, environment), line)
    line = shells.TOKEN_ID.sub(lambda _: some_token(folder, environment), line)
    line = line.replace(" --port 8500", "")
    held(here(line, folder, environment) if PLAIN.fullmatch(line) else shells.run(line, folder, environment))


PLAIN = re.compile(r"flare (?!explore|serve)[^|<>$*']*")


def here(line: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that asks nothing of the shell in this process, where all is loaded."""
    said, told = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(told):
        patch.chdir(folder)
        for name in ("COLUMNS", "FLARE_STORE_URL", "FLARE_TOKEN", "FLARE_URL", "HOME", "NO_COLOR", "TERM"):
            if name in environment:
                patch.setenv(name, environment[name])
        with pytest.raises(SystemExit) as left:
            main(shlex.split(line)[1:])
    assert isinstance(left.value.code, int)
    return subprocess.CompletedProcess(line, left.value.code, *(_read(text) for text in (said, told)))


def _read(text: io.TextIOWrapper) -> str:
    text.seek(0)
    return text.read()


def some_intent(folder: Path, environment: dict[str, str]) -> str:
    done = shells.run("flare submit c.json --json || flare list --json", folder, environment)
    [found, *_] = shells.INTENT_ID.findall(done.stdout)
    return str(found)


def some_token(folder: Path, environment: dict[str, str]) -> str:
    done = shells.run("flare token create --json", folder, environment)
    return str(json.loads(done.stdout)["token_id"])


@pytest.mark.parametrize(("name", "line"), [e for e in examples() if not is_run(*e) and "export" not in e[1]])
def test_an_example_that_is_not_run_is_understood(name: str, line: str) -> None:
    command = typer.main.get_command(app)
    words = spread(shlex.split(line.partition("flare ")[2].partition(" > ")[0]))
    context = command.make_context("flare", [*words])
    while remaining := [*context._protected_args, *context.args]:
        found = context.command.resolve_command(context, remaining)  # type: ignore[attr-defined]  # a group
        context = found[1].make_context(found[0], found[2], parent=context)
        if not hasattr(found[1], "commands"):
            break
    assert context.command_path == f"flare {name}"
