"""The commands that pages and help texts show, and a folder in which they can be run."""

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from flare_core.adapters.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "flare_core" / "examples"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n+)?^```(?P<language>sh|python)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
# Setting up needs the network; that is done by .ci/run, which is held to these very lines.
SET_UP = re.compile(r"^(?:python3 -m venv \.uv && \.uv/bin/pip install -q uv && )?\.uv/bin/uv run ", re.M)
_BASH = shutil.which("bash") or "/bin/bash"
SERVES = ("flare explore", "flare serve")
REMOTE = re.compile(r"^flare (?:submit|status|list|cancel|resources)\b", re.M)
INTENT_ID, TOKEN_ID = re.compile(r"intent-[0-9a-f]{32}"), re.compile(r"tok_[0-9a-f]{32}")


@dataclass(frozen=True)
class Shown:
    """Lines of a page or of a help text; `reason` says why they are not run, "" where they are."""

    place: str
    language: str
    text: str
    reason: str


def blocks() -> Iterator[Shown]:
    """Yield every fenced block of shell or Python that the build of the pages does not run itself."""
    for page in PAGES:
        text = page.read_text()
        for found in BLOCK.finditer(text):
            line = text[: found.start("text")].count("\n")
            place = f"{page.relative_to(ROOT)}:{line}"
            yield Shown(place, found["language"], found["text"], found["reason"] or "")


def helps() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each command's name and the examples of its help."""
    yield from _helps(typer.main.get_command(app), "flare")


def _helps(command: Any, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    inner = getattr(command, "commands", {})
    if not inner or name == "flare":
        told = (command.help or "").partition("Examples[/bold]")[2].partition("[bold]")[0]
        yield name, tuple(line.strip() for line in told.splitlines() if line.strip())
    for word, each in sorted(inner.items()):
        yield from _helps(each, f"{name} {word}")


def furnish(folder: Path) -> dict[str, str]:
    """Write the files that examples name, and return the environment in which they run."""
    intent = json.loads((EXAMPLES / "05-jupyter.json").read_text())
    offers = {"version": 1, "offers": [_offer("rack", 4), _offer("rented", 8)]}
    for name in ("a", "b", "c"):
        intent["intent"]["workload"]["name"] = name
        (folder / f"{name}.json").write_text(json.dumps(intent))
    (folder / "intent.json").write_text((EXAMPLES / "05-jupyter.json").read_text())
    (folder / "intents.jsonl").write_text("".join((folder / f"{n}.json").read_text() + "\n" for n in "ab"))
    (folder / "offers.json").write_text(json.dumps(offers))
    (folder / "more.csv").write_text(
        "id,provider,region,gpu.model,gpu.count,price.hourly\nt4-1,edge,linz,nvidia-t4,1,0.35 EUR/hour\n"
    )
    for name in ("assume", "known"):
        (folder / f"{name}.json").write_text('{"lambda": {"persistent_storage": true}}')
    (folder / "flare.toml").write_text("workers = 1\n")
    for catalog in (".sky/catalogs/v8/lambda", "catalogs/lambda", "."):
        (folder / catalog).mkdir(parents=True, exist_ok=True)
        (folder / catalog / "vms.csv").write_text(CATALOG)
    return _environment(folder)


def _offer(name: str, count: int) -> dict[str, Any]:
    return {
        "id": name, "provider": "lab", "region": "main", "country": "DE", "nodes": 2,
        "price": {"hourly": f"{count}.00 EUR/hour", "billing": "gpu"}, "cpu": "64", "memory": "512Gi",
        "storage": "4Ti", "persistent_storage": True, "gpu": {"model": "nvidia-rtx-4090", "count": count},
    }  # fmt: skip


CATALOG = """InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice
gpu_1x_a10,A10,1.0,30.0,200.0,0.75,us-east-1,,
gpu_8x_h100_sxm5,H100,8.0,208.0,1800.0,23.92,europe-central-1,,
"""


def _environment(folder: Path) -> dict[str, str]:
    tools = folder / "tools"
    tools.mkdir()
    command = tools / "flare"
    command.write_text(f"#!{sys.executable}\nfrom flare_core.adapters.cli import main\n\nmain()\n")
    command.chmod(0o755)
    own = {name: value for name, value in os.environ.items() if not name.startswith("FLARE_")}
    return own | {
        "BROWSER": "true",
        "COLUMNS": "110",
        "FLARE_PORT": "0",
        "FLARE_STORE_URL": f"sqlite:///{folder}/flare.db",
        "HOME": str(folder),
        "NO_COLOR": "1",
        "PATH": f"{tools}{os.pathsep}{own['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TERM": "dumb",
    }


def run(text: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run lines of shell as they are shown; what serves is ended as soon as it says where."""
    if text.startswith(SERVES):
        return _served(text, folder, environment)
    command = [_BASH, "-ec", "set -o pipefail\n" + SET_UP.sub("", text)]
    here = ROOT if SET_UP.match(text) else folder
    return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)


def _served(text: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Start each line, wait until it says where it listens, and end it."""
    done = subprocess.CompletedProcess(text, 0, "", "")
    for line in text.splitlines():
        with subprocess.Popen(
            [_BASH, "-c", f"exec {line}"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            said = ""
            while "http://" not in said and (told := process.stdout.readline()):
                said += told
            process.terminate()
            _, stderr = process.communicate(timeout=60)
        ended = 0 if process.returncode == -signal.SIGTERM else process.returncode
        done = subprocess.CompletedProcess(line, ended or int("http://" not in said), said, stderr)
        if done.returncode:
            break
    return done


@contextmanager
def gateway() -> Iterator[dict[str, str]]:
    """Start a gateway, and say in an environment where it is."""
    with runpy.run_path(str(ROOT / "docs" / "replay.py"))["gateway"]() as (url, token):
        yield {"FLARE_URL": url, "FLARE_TOKEN": token}
