"""Published link graphs: what they say, that they keep within what a part has, and whom they are given to."""

import subprocess
import sys
from collections import Counter
from itertools import combinations

import pytest

from flare_core.catalog import gpus
from flare_core.catalog._tables import rows
from flare_core.catalog.links import TEMPLATES, LinkTemplate, template_of

PARTS = {
    (row["name"], sku): row["interconnects"].split()[0]
    for row in rows("links.csv")
    for sku in row["parts"].split()
}

# nvidia-smi topo -m of a DGX-1 with V100: links a pair, 0 for SYS.
DGX1 = """
    X 1 1 2 2 0 0 0
    1 X 2 1 0 2 0 0
    1 2 X 2 0 0 1 0
    2 1 2 X 0 0 0 1
    2 0 0 0 X 1 1 2
    0 2 0 0 1 X 2 1
    0 0 1 0 1 2 X 2
    0 0 0 1 2 1 2 X
"""


def bandwidth(template: LinkTemplate, *kinds: str) -> Counter[int]:
    """Return GB/s of each GPU, both directions added."""
    total: Counter[int] = Counter()
    for a, b, kind, gbytes in template.links:
        if kind in kinds:
            total.update({a: gbytes, b: gbytes})
    return total


def named(
    model: str, memory_gib: int | None, count: int, link: str | None, topology: str | None = None
) -> str:
    memory = None if memory_gib is None else memory_gib * 1024
    template = template_of(model, memory, count, link, topology)
    assert template is None or template.gpus == count
    return "" if template is None else template.name


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_a_template_is_a_graph(template: LinkTemplate) -> None:
    pairs = [link[:2] for link in template.links]
    assert pairs == sorted(set(combinations(range(template.gpus), 2))), "some class of link joins every pair"
    assert {kind for _, _, kind, _ in template.links} <= set(gpus.LINK_CLASSES)
    assert all(gbytes > 0 or kind == "pcie" for _, _, kind, gbytes in template.links)
    assert template.source


@pytest.mark.parametrize(("name", "sku"), PARTS)
def test_links_of_a_gpu_add_up_to_what_its_part_has(name: str, sku: str) -> None:
    [part] = [part for part in gpus.parts() if part.sku == sku]
    template = TEMPLATES[name]
    assert part.link_gbps is not None
    most = part.link_gbps / 8
    switched = {gbytes for _, _, kind, gbytes in template.links if kind == "nvswitch"}
    if switched:
        assert switched == {most}
        return
    used = bandwidth(template, "nvlink", "infinity-fabric")
    whole = template.gpus == 8 or name.startswith(("hgx", "nvlink-pair"))
    assert set(used) == set(range(template.gpus))
    # "1075" is 7 x 153.6 rounded down.
    assert all(used[gpu] <= most + 1 and (used[gpu] >= most or not whole) for gpu in used)


@pytest.mark.parametrize(("name", "sku"), PARTS)
def test_a_template_joins_what_the_gpu_table_says_of_its_part(name: str, sku: str) -> None:
    [part] = [part for part in gpus.parts() if part.sku == sku]
    template = TEMPLATES[name]
    said = gpus.interconnect_class(part, template.gpus)
    assert said in (None, PARTS[name, sku])
    best = min((link[2] for link in template.links), key=gpus.LINK_CLASSES.index)
    assert best == PARTS[name, sku]


def test_the_hybrid_cube_mesh_is_that_of_the_tool() -> None:
    table = [line.split() for line in DGX1.split("\n") if line.strip()]
    for a, b, kind, gbytes in TEMPLATES["dgx-1-v100"].links:
        links = int(table[a][b])
        assert table[b][a] == table[a][b]
        assert (kind, gbytes) == (("nvlink", 50.0 * links) if links else ("pcie", 0.0))
    half = tuple(link for link in TEMPLATES["dgx-1-v100"].links if link[1] < 4)
    assert TEMPLATES["dgx-1-v100-half"].links == half


def test_modules_have_the_links_of_their_dies() -> None:
    between: Counter[tuple[int, int]] = Counter()
    for a, b, kind, gbytes in TEMPLATES["mi250x-8-dies"].links:
        if kind != "pcie" and a // 2 != b // 2:
            between[a // 2, b // 2] += int(gbytes)
    assert between == {(a, b): gbytes for a, b, _, gbytes in TEMPLATES["mi250x-4"].links}


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (("nvidia-v100", 16, 8, "nvlink"), "dgx-1-v100"),
        (("nvidia-v100", 16, 4, "nvlink"), "dgx-1-v100-half"),
        (("nvidia-v100", 32, 16, "nvswitch"), "dgx-2"),
        (("nvidia-v100", 32, 8, "nvswitch"), "dgx-2:8"),
        (("nvidia-p100", 16, 8, "nvlink"), "dgx-1-p100"),
        (("nvidia-a100", 80, 8, "nvswitch"), "hgx-8-a100"),
        (("nvidia-a100", None, 8, "nvswitch"), "hgx-8-a100"),
        (("nvidia-a100", 40, 16, "nvswitch"), "hgx-16-a100"),
        (("nvidia-a100", 40, 4, "nvlink", "all-to-all"), "hgx-4-a100"),
        (("nvidia-h100", 80, 8, "nvswitch", "nvswitch"), "hgx-8-h100"),
        (("nvidia-h100", 94, 2, "nvlink"), "nvlink-pairs-h100:2"),
        (("nvidia-h200", 141, 8, "nvswitch"), "hgx-8-h200"),
        (("nvidia-b200", None, 8, "nvswitch"), "hgx-8-b200"),
        (("nvidia-b200", None, 8, "nvlink"), "hgx-8-b200"),
        (("nvidia-b300", None, 2, "nvswitch"), "hgx-8-b300:2"),
        (("nvidia-gb200", None, 4, "nvswitch"), "gb200-4"),
        (("nvidia-rtx-a6000", 48, 4, "nvlink"), "nvlink-pairs:4"),
        (("nvidia-rtx-3090", 24, 2, "nvlink"), "nvlink-pairs:2"),
        (("nvidia-rtx-3090", 24, 2, "nvlink", "ring"), "nvlink-pairs:2"),  # one link is every shape
        (("amd-mi300x", 192, 8, "infinity-fabric"), "mi300x-8"),
        (("amd-mi325x", 256, 4, "infinity-fabric"), "mi300x-8:4"),
        (("amd-mi250x", 128, 4, "infinity-fabric"), "mi250x-4"),
    ],
)
def test_nodes_that_are_known(node: tuple[str, int | None, int, str], name: str) -> None:
    assert named(*node) == name


@pytest.mark.parametrize(
    "node",
    [
        ("nvidia-a100", 80, 8, "nvlink"),  # bridged PCIe cards or a board
        ("nvidia-a100", 80, 4, "nvlink"),
        ("nvidia-a100", 80, 8, "pcie"),
        ("nvidia-a100", 80, 8, None),
        ("nvidia-a100", 80, 8, "nvswitch", "ring"),  # contradicts the board
        ("nvidia-a100", 80, 8, "infiniband"),
        ("nvidia-v100", 16, 8, "nvlink", "nvswitch"),
        ("nvidia-v100", 16, 6, "nvlink"),
        ("nvidia-b200", None, 4, "nvlink"),  # half of a board, or something else
        ("nvidia-h200", 141, 4, "nvlink"),  # a board, or one of two kinds of bridges
        ("nvidia-rtx-a6000", 48, 3, "nvlink"),
        ("nvidia-rtx-a6000", 48, 4, "nvlink", "ring"),
        ("nvidia-rtx-a6000", 48, 2, "nvlink", "nvswitch"),
        ("nvidia-l4", 24, 8, "pcie"),
        ("nvidia-h100", 80, 1, "nvswitch"),
        ("nvidia-h100", 80, 12, "nvswitch"),
        ("amd-mi250x", 64, 8, "infinity-fabric"),
        ("acme-x1", 80, 8, "nvswitch"),
        (None, None, 8, "nvswitch"),
    ],
)
def test_nodes_that_stay_open(node: tuple[str, int | None, int, str | None]) -> None:
    assert named(*node) == ""


def test_parts_that_are_linked_alike_promise_the_least() -> None:
    """Two A100 on NVLink are a corner of a board (200 GB/s) or a bridged pair (600 GB/s)."""
    template = template_of("nvidia-a100", 80 * 1024, 2, "nvlink", None)
    assert template is not None
    assert template.links == ((0, 1, "nvlink", 200.0),)


def test_importing_reads_no_table() -> None:
    code = "from flare_core.catalog import _tables, links; print(_tables.rows.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
