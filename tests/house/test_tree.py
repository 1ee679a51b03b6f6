"""What may stand in the tree, and how."""

import ast
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"benchmarks", "docs", "flare_core", "notebooks", "tests"}
FILES = {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}
LONGEST_FUNCTION = 60

# In pieces, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a registry's host name": r"py" r"pi\.org|python" r"hosted\.org|registry\.npm" r"js|deb" r"ian\.org",
    "the path of a checkout": "|".join(map(re.escape, (f"{ROOT}/", f"{ROOT.parent}/shared/"))),
    "unfinished work": r"\b(?:TO" r"DO|FIX" r"ME|HA" r"CK)\b",
    "a numbered note of the project's making": r"(?i)\bis" r"sue #?\d",
}


@cache
def tracked() -> tuple[Path, ...]:
    listing = ["git", "-C", str(ROOT), "ls-files"]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return tuple(path for line in done.stdout.splitlines() if (path := ROOT / line).is_file())


@cache
def texts() -> dict[str, str]:
    """Every tracked text file by its name; what is no UTF-8 is no text."""
    found = {}
    for path in tracked():
        try:
            found[str(path.relative_to(ROOT))] = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
    return found


def test_the_top_level_has_its_nine_names() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} <= FOLDERS | FILES
    assert names >= FILES | {"docs", "flare_core", "notebooks", "tests"}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    wrong = re.compile(FORBIDDEN[what])
    assert not [f"{name}: {found[0]}" for name, text in texts().items() if (found := wrong.search(text))]


def test_text_files_end_with_one_newline_and_hold_no_carriage_return() -> None:
    texts_with_lines = {name: text for name, text in texts().items() if text}
    assert not [
        name for name, text in texts_with_lines.items() if not text.endswith("\n") or text.endswith("\n\n")
    ]
    assert not [name for name, text in texts_with_lines.items() if "\r" in text]


def test_notebooks_are_stripped() -> None:
    notebooks = {name: json.loads(text) for name, text in texts().items() if name.endswith(".ipynb")}
    assert notebooks
    for name, notebook in notebooks.items():
        for cell in notebook["cells"]:
            assert not cell.get("outputs"), name
            assert cell.get("execution_count") is None, name
            assert not cell["metadata"], name


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name, text in texts().items()
        if name.startswith("flare_core/") and name.endswith(".py")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long


def test_links_between_pages_lead_somewhere() -> None:
    lost = [
        f"{name}: {target}"
        for name, text in texts().items()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert not lost
