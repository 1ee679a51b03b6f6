"""The gateway's own floors: what is below knows nothing of what is above, and all of it is given the time."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.test_imports import PACKAGE, UNREPEATABLE, imported

GATEWAY = Path("adapters") / "gateway"
FLOORS = (
    ("__init__", "errors", "failpoints", "parcels", "settings"),
    ("logs", "spans", "store"),
    ("events", "keys", "limits", "orders", "rooms", "tokens"),
    ("ledger", "orders", "remaining"),
    ("life",),
    ("backend", "metrics"),
    ("work",),
    ("service",),
    ("observer",),
    ("http",),
    ("app",),
)
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path.relative_to(PACKAGE) for path in (PACKAGE / GATEWAY).rglob("*.py"))
BELOW = "explorer"  # a page and the library's answers to it, which know nothing of the gateway
READERS = {"datetime.now", "time.time", "time.monotonic", "datetime.today"}
READ_THEM = {
    GATEWAY / "failpoints.py",  # armed when a process starts
    GATEWAY / "service.py",  # has the clock that stands where none is given
    GATEWAY / "work" / "solver.py",  # hands the environment on
}


def room_of(module: Path) -> str:
    return module.relative_to(GATEWAY).parts[0].removesuffix(".py")


def test_every_module_stands_on_a_floor() -> None:
    assert {room_of(module) for module in MODULES} <= set(FLOOR)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_lead_down_and_to_no_other_adapter(module: Path) -> None:
    adapters = [name.split(".") for name in imported(module) if name.startswith("flare_core.adapters")]
    assert all(parts[2] in ("gateway", BELOW) for parts in adapters)
    lower = {room for room, height in FLOOR.items() if height < FLOOR[room_of(module)]} | {room_of(module)}
    assert {parts[3] for parts in adapters if parts[2] != BELOW} <= lower


def test_what_is_below_the_gateway_knows_no_other_adapter() -> None:
    for module in (PACKAGE / "adapters" / BELOW).rglob("*.py"):
        adapters = [name for name in imported(module) if name.startswith("flare_core.adapters.")]
        assert all(name.split(".")[2] == BELOW for name in adapters), module


@pytest.mark.parametrize("module", [m for m in MODULES if m not in READ_THEM], ids=str)
def test_the_time_and_the_settings_are_arguments(module: Path) -> None:
    source = ast.parse((PACKAGE / module).read_text())
    used = {ast.unparse(node) for node in ast.walk(source) if isinstance(node, ast.Attribute)}
    assert not used & (UNREPEATABLE | READERS)


LOADED = """
import sys
from flare_core.adapters.gateway.work import solving
solver = {"sqlalchemy", "starlette", "pydantic_settings", "alembic"} & sys.modules.keys()
for name in [name for name in sys.modules if name.split(".")[0] in ("ortools", "pandas")]:
    del sys.modules[name]
from flare_core.adapters.gateway import app, logs
print(*solver, *({"alembic", "rich", "ortools", "pandas"} & sys.modules.keys()))
"""


def test_a_process_loads_what_it_works_with() -> None:
    """Until a gateway has started again, nobody is served: neither it nor its solver loads the other's."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
