"""The pages say what the code does, and the notebook runs."""

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from flare_core.intent import Intent, field_paths
from flare_core.requirements.fates import FIELD_FATES

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


class Row(NamedTuple):
    default: str
    meaning: str


def documented() -> Iterator[tuple[str, Row]]:
    """Each row of the tables of the intent page, by JSON path."""
    page = (ROOT / "docs" / "reference" / "intent.md").read_text()
    for section, body in re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", page, re.M | re.S):
        for name, default, meaning in re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+) \|$", body, re.M):
            yield ("" if section == "intent" else f"{section}.") + name, Row(default.strip("`"), meaning)


PAGE = dict(documented())


def field_at(path: str) -> FieldInfo:
    part: Any = Intent
    *sections, name = path.replace(".*", "").split(".")
    for section in sections:
        part = next(iter(parts_in(part.model_fields[section].annotation)))
    field: FieldInfo = part.model_fields[name]
    return field


def parts_in(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "model_fields"):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from parts_in(inner)


def test_every_field_of_an_intent_has_a_row_and_no_row_is_of_the_past() -> None:
    assert sorted(PAGE) == sorted(field_paths())


@pytest.mark.parametrize("path", PAGE)
def test_the_default_on_the_page_is_the_default(path: str) -> None:
    field, shown = field_at(path), PAGE[path].default
    if shown == "required":
        assert field.is_required()
    elif shown == "–":
        assert field.get_default(call_default_factory=True, validated_data={}) is None
    else:
        kind: Any = Annotated[field.annotation, "as the schema reads it", *field.metadata]
        assert TypeAdapter(kind).validate_python(json.loads(shown)) == field.get_default(
            call_default_factory=True, validated_data={}
        )


@pytest.mark.parametrize("path", PAGE)
def test_the_page_tells_what_becomes_of_a_field(path: str) -> None:
    fate, meaning = FIELD_FATES[path], PAGE[path].meaning
    assert meaning.endswith("Not supported yet") == fate.startswith("refused")
    assert meaning.endswith("Carried") == (fate == "carried")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, tmp_path: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    script = tmp_path / f"{notebook.stem}.py"
    script.write_text("\n".join("".join(c["source"]) + "\n" for c in cells if c["cell_type"] == "code"))
    assert runpy.run_path(str(script))["plan"].placements


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS
