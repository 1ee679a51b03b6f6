"""The catalog is cheap to import, ships only what may be shipped, and knows the real catalogs' GPUs."""

import ast
import csv
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from flare_core.catalog import gpus, mig, regions

ReadShared = Callable[[str], list[dict[str, str]]]

DATA = Path(str(files("flare_core.catalog") / "data"))


@pytest.mark.parametrize("path", sorted(DATA.parent.glob("*.py")), ids=lambda path: path.name)
def test_importing_needs_the_standard_library_only(path: Path) -> None:
    top = ast.parse(path.read_text(encoding="utf-8")).body
    names = [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in top if isinstance(node, ast.ImportFrom)]
    below = ("flare_core.catalog", "flare_core.errors")
    assert [
        n for n in names if n.partition(".")[0] not in sys.stdlib_module_names and not n.startswith(below)
    ] == []
    assert "difflib" not in names


def test_importing_reads_no_table() -> None:
    code = (
        "from flare_core.catalog import _tables, gpus, mig, providers, regions;"
        "print(_tables.rows.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda path: path.name)
def test_every_shipped_row_names_its_source(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    assert all(row["source"] for row in rows)
    assert all(None not in row for row in rows), "a row has more cells than the header"
    assert path.name in (DATA / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "word", ["ODbL", "BY-SA", "sparecores", "electricity maps", "ember", "skypilot", "/work", "owid"]
)
def test_no_share_alike_or_foreign_source_is_shipped(word: str) -> None:
    for path in DATA.iterdir():
        words = path.read_text(encoding="utf-8").casefold().replace("membership", "")
        assert word.casefold() not in words, path.name


@pytest.mark.data
def test_every_accelerator_of_the_real_catalogs_is_known(read_shared: ReadShared) -> None:
    names = {row["AcceleratorName"] for row in read_shared("gpu-offers/*/*/vms.csv")} - {""}
    assert len(names) > 100
    neither = [name for name in names if (gpus.normalize(name) is None) != gpus.is_other_accelerator(name)]
    assert neither == []


@pytest.mark.data
def test_aliases_agree_with_a_second_list(read_shared: ReadShared) -> None:
    # There the suffix "Ti" of two listings is restored by hand; here a name means what it says.
    differing = {"RTX4070", "RTX4060"}
    for row in read_shared("gpu-specs/accelerator_aliases.csv"):
        if row["catalog_name"] not in differing:
            assert (gpus.normalize(row["catalog_name"]) or "") == row["spec_model"], row


@pytest.mark.data
def test_every_region_of_the_real_catalogs_is_known(read_shared: ReadShared) -> None:
    for row in read_shared("regions/regions.csv"):
        region = regions.region(row["provider"], row["region"])
        assert region is not None
        assert region.country == row["country_iso2"]


@pytest.mark.data
def test_figures_agree_with_a_second_table(read_shared: ReadShared) -> None:
    by_sku = {part.sku: part for part in gpus.parts()}
    for row in read_shared("gpu-specs/gpu_specs.csv"):
        part = by_sku[row["sku"]]
        assert part.model == row["spec_model"]
        assert part.memory_mib == int(row["memory_gib"]) * 1024
        assert part.fp16_dense_tflops == (
            float(row["fp16_dense_tflops"]) if row["fp16_dense_tflops"] else None
        )
        assert part.link_gbps == (float(row["link_gbs_bidir"]) * 8 if row["link_gbs_bidir"] else None)
        assert part.tier == (row["spec_tier"] or row["suggested_tier"])
    for row in read_shared("gpu-specs/mig_profiles.csv"):
        assert any(p.profile == row["profile"] for p in mig.profiles_of(row["sku"]))


@pytest.mark.data
def test_models_of_the_openb_trace_are_known(read_shared: ReadShared) -> None:
    models = {row["model"] for row in read_shared("openb/openb_node_list_gpu_node.csv")}
    assert {model: gpus.normalize(model) for model in models if gpus.normalize(model) is None} == {}
