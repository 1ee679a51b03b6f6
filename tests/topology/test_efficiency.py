"""What working together costs: bounds, monotonicity, and the table of `docs/efficiency.md`."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flare_core.catalog.links import TEMPLATES
from flare_core.topology.efficiency import (
    DEFAULT,
    PPM,
    Model,
    bus_gbytes,
    efficiency_ppm,
    fabric_ppm,
)
from flare_core.topology.graph import LinkGraph
from flare_core.topology.rate import tree_rate
from tests.topology.linked import Link, clique, everything, linked, links_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
H100_TFLOPS = 989.4
SETS_OF_SIX = np.arange(1, 64)


def of_all(graph: LinkGraph, rating: float | None = H100_TFLOPS, stated: float | None = None) -> int:
    return int(efficiency_ppm(graph, np.array([everything(graph.gpus)]), rating, stated)[0])


def across(gbps: float, span: int = 1, rating: float = H100_TFLOPS) -> int:
    return int(fabric_ppm(np.array([rating]), np.array([gbps]), np.array([np.nan]), span)[0])


def nothing_known(span: int) -> int:
    unknown = np.array([np.nan])
    return int(fabric_ppm(unknown, unknown, unknown, span)[0])


# --- bounds -----------------------------------------------------------------------------------------


def test_one_gpu_loses_nothing() -> None:
    graph = linked(3, [(0, 1, "nvlink", 50)])
    alone = np.array([1, 2, 4])
    assert efficiency_ppm(graph, alone, H100_TFLOPS, None).tolist() == [PPM] * 3
    assert efficiency_ppm(graph, alone, H100_TFLOPS, 0.0).tolist() == [PPM] * 3


@pytest.mark.parametrize("stated", [0.0, 0.07, 0.29, 0.57, 0.85, 0.97, 0.999999, 1.0])
def test_all_gpus_have_what_the_offer_states(stated: float) -> None:
    assert of_all(clique(8, "nvlink", 100), stated=stated) == round(stated * PPM)


def test_a_subset_of_a_stated_node_follows_its_rate() -> None:
    graph = linked(4, [(0, 1, "nvlink", 200), (1, 2, "nvlink", 100), (2, 3, "nvlink", 100)])
    ppm = efficiency_ppm(graph, np.array([0b0011]), None, 0.8)
    ratio = tree_rate(graph, 0b1111) / tree_rate(graph, 0b0011)
    assert ppm[0] == int(PPM / (1 + 0.25 * ratio))


def test_an_unknown_rating_is_the_reference_and_an_unknown_network_the_slowest() -> None:
    graph = clique(4, "nvlink", 100)
    assert of_all(graph, rating=None) == of_all(graph, rating=DEFAULT.reference_tflops)
    assert nothing_known(1) == across(DEFAULT.network_gbps, rating=DEFAULT.reference_tflops)
    assert nothing_known(0) == PPM


def test_the_fabric_goes_before_the_network() -> None:
    both = fabric_ppm(np.full(3, 312.0), np.array([400, 400, np.nan]), np.array([25, np.nan, 25]), 1)
    assert both[0] == both[1] > both[2]


@pytest.mark.parametrize(("span", "gbytes"), [(1, 50), (2, 25), (4, 6.25)])
def test_a_gang_exchanges_every_gradient_twice_over_what_each_level_leaves(span: int, gbytes: float) -> None:
    x = 2 * 1000 * DEFAULT.kappa * 312 / (0.85 * gbytes)
    assert across(400, span, 312.0) == int(PPM / (1 + x))


def test_a_figure_is_rounded_down() -> None:
    model = Model(eta=(1, 1, 1, 1), kappa=1e-3)  # x = R / rate
    third = efficiency_ppm(clique(2, "nvlink", 20), np.array([3]), 20.0, None, model)
    assert third.tolist() == [333_333]


@pytest.mark.parametrize("wrong", [{"eta": (0.5, 0.4, 0.8, 0.8)}, {"taper": 1.5}])
def test_constants_that_reward_worse_links_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must not be slower"):
        Model(**wrong)  # type: ignore[arg-type]  # one of them is a tuple


def test_a_node_of_more_than_62_gpus_is_asked_with_numbers_of_any_length() -> None:
    rack = clique(72, "nvswitch", 1800)
    masks = np.array([everything(72), everything(8)], dtype=object)
    ppm = efficiency_ppm(rack, masks, 2500.0, None)
    assert 0.9 * PPM < ppm[0] < ppm[1] < PPM


# --- monotone ---------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from([None, 35.0, H100_TFLOPS]))
@settings(deadline=None)
def test_better_connected_sets_never_predict_lower(data: st.DataObject, rating: float | None) -> None:
    """A link is added, gets faster, or becomes NVLink instead of PCIe."""
    links = data.draw(links_of(6))
    pair = data.draw(st.sampled_from(list(combinations(range(6), 2))))
    old = next((link for link in links if link[:2] == pair), (*pair, "pcie", 0.0))
    kind = "nvlink" if old[2] == "pcie" and data.draw(st.booleans()) else old[2]
    better: Link = (*pair, kind, old[3] + data.draw(st.sampled_from([1, 20, 500])))
    before = linked(6, links)
    after = linked(6, [better, *(link for link in links if link is not old)])
    worse = efficiency_ppm(before, SETS_OF_SIX, rating, None)
    assert (efficiency_ppm(after, SETS_OF_SIX, rating, None) >= worse).all()


@given(links_of(6), st.floats(0, 1))
@settings(deadline=None)
def test_of_a_stated_node_the_faster_set_is_the_better_one(links: list[Link], stated: float) -> None:
    graph = linked(6, links)
    rates = np.array([tree_rate(graph, mask) for mask in SETS_OF_SIX.tolist()])
    ppm = efficiency_ppm(graph, SETS_OF_SIX, None, stated)
    assert (np.diff(ppm[np.argsort(rates)]) >= 0).all()
    assert ppm.min() >= 0
    assert ppm.max() == PPM


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.integers(1, 6), st.floats(1, 5000))
def test_a_faster_or_nearer_fabric_never_predicts_lower(
    one: float, other: float, span: int, rating: float
) -> None:
    slow, fast = sorted((one, other))
    assert 0 <= across(slow, span, rating) <= across(fast, span, rating) <= PPM
    assert across(slow, span + 1, rating) <= across(slow, span, rating) <= nothing_known(0)


# --- figures ----------------------------------------------------------------------------------------


def test_figures_are_of_the_known_order() -> None:
    switched = of_all(clique(8, "nvswitch", 900))
    pcie = of_all(clique(8, "pcie", 128))
    assert switched > 0.95 * PPM
    assert 0.5 * PPM < pcie < 0.85 * PPM
    infiniband, ethernet = across(8 * 400), across(100)
    assert infiniband > 0.95 * PPM
    assert 0.2 * PPM < ethernet < 0.6 * PPM


# --- the table of docs/efficiency.md ----------------------------------------------------------------


def template(name: str) -> LinkGraph:
    return linked(TEMPLATES[name].gpus, TEMPLATES[name].links)


def inside(graph: LinkGraph, mask: int | None = None) -> float:
    return float(bus_gbytes(graph, np.array([mask or everything(graph.gpus)]))[0])


def between(cards: int, gbps: float) -> float:
    return DEFAULT.eta_fabric * cards * gbps / 8


PREDICTED = {
    "8 A100 SXM, NVSwitch": inside(template("hgx-8-a100")),
    "8 H100 SXM, NVSwitch, ring": inside(template("hgx-8-h100")),
    "8 H100 SXM, NVSwitch, SHARP": inside(template("hgx-8-h100")),
    "8 H200 SXM, NVSwitch, SHARP": inside(template("hgx-8-h200")),
    "8 H800 SXM, NVSwitch, SHARP": inside(clique(8, "nvswitch", 400)),
    "8 MI300X, all-to-all": inside(template("mi300x-8")),
    "8 V100, hybrid cube mesh": inside(template("dgx-1-v100")),
    "16 V100, NVSwitch": inside(template("dgx-2")),
    "2 A100 PCIe, bridged": inside(template("nvlink-pairs-a100"), 0b011),
    "3 A100 PCIe, two of them bridged": inside(template("nvlink-pairs-a100"), 0b111),
    "2 H100 PCIe, bridged": inside(template("nvlink-pairs-h100"), 0b011),
    "4 RTX 5090, PCIe 5.0": inside(clique(4, "pcie", 128)),
    "8 RTX 5090, PCIe 5.0": inside(clique(8, "pcie", 128)),
    "2 TITAN RTX through the host": inside(linked(2, [])),
    "3 × 8 A100, 4 × 200 Gbit/s InfiniBand": between(4, 200),
    "2 × 8 A100, 4 × 200 Gbit/s InfiniBand": between(4, 200),
    "2 × 8 A100, 8 × 100 Gbit/s RoCE": between(8, 100),
    "2 × 8 V100, 100 Gbit/s EFA": between(1, 100),
    "2 × 8 H100, 8 × 200 Gbit/s Ethernet, tree": between(8, 200),
}


def rows() -> dict[str, tuple[str, str, str]]:
    lines = (DOCS / "efficiency.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.endswith("|")]
    return {row[0]: (row[1], row[2], row[3]) for row in cells if len(row) == 5 and row[3].endswith("%")}


def test_every_point_of_the_page_is_recomputed() -> None:
    assert list(rows()) == list(PREDICTED)


@pytest.mark.parametrize("point", PREDICTED)
def test_the_page_says_what_the_code_predicts_and_how_far_it_is_off(point: str) -> None:
    published, predicted, off = rows()[point]
    assert predicted == f"{PREDICTED[point]:.1f}"
    assert off == f"{100 * (PREDICTED[point] / float(published) - 1):+.0f} %"


def test_the_page_says_what_the_constants_are() -> None:
    text = (DOCS / "efficiency.md").read_text(encoding="utf-8")
    assert DEFAULT.kappa == pytest.approx(8.1e-6, rel=0.01)
    for field, value in (
        ("eta", ", ".join(f"{eta:.2f}" for eta in DEFAULT.eta)),
        ("host_gbytes", f"{DEFAULT.host_gbytes:g} GB/s"),
        ("eta_fabric", f"{DEFAULT.eta_fabric:g}"),
        ("taper", f"{DEFAULT.taper:g} per level"),
        ("reference_tflops", f"{DEFAULT.reference_tflops:g}"),
        ("network_gbps", f"{DEFAULT.network_gbps:g} Gbit/s"),
    ):
        assert f"| `{field}` | {value} |" in text


@pytest.mark.parametrize(
    ("name", "rating", "said"),
    [("hgx-8-h100", H100_TFLOPS, "0.962"), ("dgx-1-v100", 125.0, "0.986"), ("dgx-2", 125.0, "0.984")],
)
def test_the_page_says_what_efficiency_follows(name: str, rating: float, said: str) -> None:
    assert f"{of_all(template(name), rating) / PPM:.3f}" == said
    assert said in (DOCS / "efficiency.md").read_text(encoding="utf-8")
