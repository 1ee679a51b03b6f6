"""The command as a process of its own: statuses, pipes, terminals, Ctrl-C, completion."""

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.cli.worlds import EXAMPLES, NOW, service, written

FLARE = [sys.executable, "-c", "from flare_core.adapters.cli import main; main()"]
FIRST = str(EXAMPLES / "01-llm-inference.json")


def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return subprocess.run(
        [*FLARE, *words],
        input=stdin,
        capture_output=True,
        text=True,
        env=inherited | environment,
        check=False,
    )


def test_the_statuses_reach_the_shell(tmp_path: Path) -> None:
    poor = str(written(tmp_path, "poor.json", service(max_hourly_cost="0.01 EUR")))
    statuses = [run("place", *words).returncode for words in ([FIRST], [poor], ["absent.json"])]
    assert statuses == [0, 3, 2]


def test_json_is_all_there_is_on_standard_output() -> None:
    done = run("place", "-", "--json", "--now", NOW, stdin=Path(FIRST).read_text())
    assert json.loads(done.stdout)["placements"][0]["status"] == "placed"
    assert done.stdout.count("\n{") == 0


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert run("--version").stdout == f"flare {version('flare-core')}\n"


@pytest.mark.parametrize("command", ["place", "inventory", "verify", "explore"])
def test_help_has_examples_that_name_the_command(command: str) -> None:
    done = run(command, "--help", COLUMNS="120", TERM="dumb")
    assert done.returncode == 0
    assert f"flare {command} " in done.stdout.split("Examples")[1]


def test_help_loads_neither_solver_nor_numpy() -> None:
    code = "import sys; from flare_core.adapters.cli import main\ntry: main(['--help'])\nfinally: "
    heavy = "[name for name in ('numpy', 'ortools', 'pandas', 'pydantic') if name in sys.modules]"
    script = f"{code}sys.stderr.write(repr({heavy}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == "[]"


NAMED = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
"""The shell is the one that is named, not the one among the processes above, where there may be none."""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str) -> None:
    assert f"complete_{shell}" in run("--show-completion", shell, **NAMED).stdout
    asked = {"COMP_WORDS": "flare pl", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "flare pl"}
    fish = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    offered = run(_FLARE_COMPLETE=f"complete_{shell}", **asked, **fish).stdout
    assert "place" in offered
    assert "verify" not in offered


def test_completion_installs_itself(tmp_path: Path) -> None:
    done = run("--install-completion", "bash", HOME=str(tmp_path), **NAMED)
    assert done.returncode == 0
    assert "flare" in (tmp_path / ".bashrc").read_text()


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*FLARE, "inventory", "--json"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1  # the federation is named, and nothing else said


def test_a_narrow_encoding_ends_no_output() -> None:
    done = run("place", FIRST, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "4 ? nvidia-h100" in done.stdout


def crowd(folder: Path) -> str:
    """Write so many intents that the search for the best of all plans takes long."""
    documents = [json.loads(path.read_text()) for path in sorted(EXAMPLES.glob("0*.json")) for _ in range(6)]
    for number, document in enumerate(documents):
        document["intent"]["workload"]["name"] += f"-{number}"
    return str(written(folder, "crowd.json", documents))


def on_terminal(*words: str, interrupt_after: bytes = b"") -> tuple[int, str, bytes]:
    """Run with standard error on a terminal; return status, standard output, and what the terminal saw."""
    ours, theirs = pty.openpty()
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            [*FLARE, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,  # no pipe, which would fill up while nobody reads it
            stderr=theirs,
            text=True,
            env=os.environ | {"COLUMNS": "200", "TERM": "xterm"},
        ) as process,
    ):
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 65536)
            except OSError:  # how a terminal tells that everybody has left
                break
            if interrupt_after and interrupt_after in seen:
                interrupt_after = b""
                time.sleep(0.5)
                process.send_signal(signal.SIGINT)
        process.wait()
        output.seek(0)
        out = output.read()
    os.close(ours)
    return process.returncode, out, seen


def test_bound_and_gap_are_shown_on_a_terminal_while_solving(tmp_path: Path) -> None:
    words = ("place", crowd(tmp_path), "--now", NOW, "--time-limit", "1.5")
    status, out, seen = on_terminal(*words)
    assert status == 0
    assert b"bound" in seen
    assert b"gap" in seen
    assert "solving" not in out
    assert b"solving" not in on_terminal(*words, "--no-live")[2]


def test_ctrl_c_prints_the_best_plan_so_far(tmp_path: Path) -> None:
    status, out, seen = on_terminal(
        "place", crowd(tmp_path), "--now", NOW, "--time-limit", "60", "--effort", "60", "--json",
        interrupt_after=b"bound",
    )  # fmt: skip
    assert b"the best plan so far" in seen
    assert status == 0
    plan = json.loads(out)
    assert plan["wall_time_s"] < 30
    assert any("cancelled" in warning for warning in plan["warnings"])
