"""What each room shows a stranger is what it says it shows, and is documented."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import flare_core

ROOMS = [
    "flare_core",
    *sorted(m.name for m in pkgutil.iter_modules(flare_core.__path__, "flare_core.") if m.ispkg),
]

LOADING = {"TYPE_CHECKING", "import_module"}  # what a room needs that loads its names on first use


def visible(module: ModuleType) -> set[str]:
    """Names without an underscore that are no modules: importing a submodule makes it visible too.

    A room that loads its names on first use says which they are in ``__dir__``.
    """
    public = {name for name in dir(module) if not name.startswith("_")}
    return {name for name in public if not inspect.ismodule(getattr(module, name))}


@pytest.mark.parametrize("name", ROOMS)
def test_all_is_what_is_visible(name: str) -> None:
    module = importlib.import_module(name)
    exported: list[str] = getattr(module, "__all__", [])
    assert len(exported) == len(set(exported))
    assert visible(module) <= {*exported, *LOADING}
    # Asked for one by one, since a name may be loaded when it is first used.
    assert not [each for each in exported if inspect.ismodule(getattr(module, each))]


@pytest.mark.parametrize("name", flare_core.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    value = getattr(flare_core, name)
    if not inspect.isclass(value) and not inspect.isfunction(value):
        return
    assert inspect.getdoc(value)
    own = {n: m for n, m in vars(value).items() if not n.startswith("_")} if inspect.isclass(value) else {}
    assert not [n for n, m in own.items() if inspect.isfunction(m) and not inspect.getdoc(m)]
