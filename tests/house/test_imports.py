"""The rooms are stacked in floors, and imports lead down."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "flare_core"

FLOORS = (
    ("errors",),
    ("quantities",),
    ("options", "canvas", "shown"),
    ("catalog",),
    ("sharing", "topology"),
    ("intent",),
    ("inventory",),  # reads JSON with the intent's strict reader
    ("requirements",),
    ("candidates",),
    ("placement",),
    ("model",),
    ("solve",),
    ("scale",),
    ("explanation",),
    ("negotiation",),
    ("rolling",),
    ("migration",),
    ("engine",),
    ("why", "frontier", "arrivals"),
    ("plots",),
    ("client",),
    ("adapters",),
)
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
FRONT_DOOR = "__init__"
ROOMS = {*FLOOR, "verify"}
BELOW_VERIFY = {"errors", "quantities", "catalog", "intent", "inventory"}
OUTER = {"adapters", "client"}  # where the clock, the environment and the network are
EXTRAS = (
    "alembic",
    "httpx",
    "httpx2",
    "lightkube",
    "matplotlib",
    "opentelemetry",
    "prometheus_client",
    "psycopg",
    "pyarrow",
    "pydantic_settings",
    "ray",
    "rich",
    "sqlalchemy",
    "sse_starlette",
    "starlette",
    "typer",
    "uvicorn",
    "yaml",
)
LAZY = ("networkx", *EXTRAS)  # not pandas, which OR-Tools itself imports

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[str]:
    """Every name that a module imports, dotted and absolute, inside functions too."""
    package = ("flare_core", *module.parent.parts)
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            yield from (f"{base}{node.module or ''}.{alias.name}".replace("..", ".") for alias in node.names)


def rooms_imported(module: Path) -> set[str]:
    rooms = {name.split(".")[1] for name in imported(module) if name.startswith("flare_core.")}
    return {room if room in ROOMS else FRONT_DOOR for room in rooms}


def inside(*rooms: str) -> list[Path]:
    return [module for module in MODULES if room_of(module) in rooms]


def test_every_room_stands_on_a_floor() -> None:
    assert {room_of(module) for module in MODULES} <= {*ROOMS, FRONT_DOOR, "__main__"}


@pytest.mark.parametrize("module", inside(*FLOOR), ids=str)
def test_imports_lead_down(module: Path) -> None:
    room = room_of(module)
    lower = {other for other, height in FLOOR.items() if height < FLOOR[room]} | {room}
    if FLOOR[room] > FLOOR["explanation"]:
        lower |= {"verify"}
    if room == "adapters":
        lower |= {FRONT_DOOR}
    assert rooms_imported(module) <= lower


@pytest.mark.parametrize("module", inside("verify"), ids=str)
def test_the_checker_shares_no_code_with_the_search(module: Path) -> None:
    assert rooms_imported(module) <= BELOW_VERIFY | {"verify"}


def test_the_solver_is_known_in_three_rooms_only() -> None:
    users = {room_of(m) for m in MODULES if any(name.split(".")[0] == "ortools" for name in imported(m))}
    assert users <= {"model", "solve", "scale"}


UNREPEATABLE = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "os.environ", "os.getenv"}
OUTSIDE = {"http", "random", "requests", "secrets", "socket", "ssl", "subprocess", "urllib", "uuid"}


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) not in OUTER], ids=str)
def test_the_core_reads_no_clock_no_environment_and_no_network(module: Path) -> None:
    source = ast.parse((PACKAGE / module).read_text())
    used = {ast.unparse(node) for node in ast.walk(source) if isinstance(node, ast.Attribute)}
    assert not used & UNREPEATABLE
    assert not {name for name in imported(module) if name.split(".")[0] in OUTSIDE}


def test_the_front_door_needs_no_extra_and_loads_nothing_heavy() -> None:
    """The core must import where no extra is installed, and quickly where all are."""
    script = f"""
import sys
for name in {EXTRAS!r}:
    sys.modules[name] = None
import flare_core
loaded = [name for name in {LAZY!r} if sys.modules.get(name) is not None]
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
