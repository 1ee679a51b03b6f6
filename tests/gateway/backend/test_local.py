"""The local backend: offers from files that change, and lives that only the clock makes."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flare_core import read_intent
from flare_core.adapters.gateway.backend.local import LocalBackend
from flare_core.adapters.gateway.backend.port import Backend, BackendError, Order, Phase
from flare_core.adapters.gateway.backend.reading import read_offers
from flare_core.errors import InventoryError
from flare_core.inventory.write import to_document
from flare_core.quantities import format_moment
from tests.gateway.work.living import Clock, offers_in, wish
from tests.gateway.worlds import NOW, SECOND, offer

COLD: dict[str, Any] = {"performance": {"cold_start_time": "45s"}}


def order(start: int = 0, length_s: int | None = None, offers: tuple[str, ...] = ("a",)) -> Order:
    begins = NOW + start * SECOND
    ends = None if length_s is None else begins + length_s * SECOND
    placement = {
        "start_time": format_moment(begins),
        "end_time": None if ends is None else format_moment(ends),
        "assignments": [{"offer": name} for name in offers],
    }
    return Order(
        key="intent-1-1",
        intent_id="intent-1",
        user="ada",
        intent=read_intent(wish().encode()),
        document=wish(),
        placement=placement,
        placed_at=NOW,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(tmp_path: Path, clock: Clock) -> LocalBackend:
    return LocalBackend((offers_in(tmp_path, offer("a", **COLD), offer("b")),), clock=clock)


def test_it_is_a_backend(local: LocalBackend) -> None:
    backend: Backend = local
    assert backend.name == "local"
    backend.close()


@pytest.mark.parametrize(
    ("at_s", "phase"),
    [
        (0, Phase.STARTING),
        (44, Phase.STARTING),
        (45, Phase.RUNNING),
        (45 + 3599, Phase.RUNNING),
        (45 + 3600, Phase.COMPLETED),
        (10**6, Phase.COMPLETED),
    ],
)
def test_a_job_starts_when_it_is_warm_and_ends_after_its_length(
    at_s: int, phase: Phase, local: LocalBackend, clock: Clock
) -> None:
    job = order(length_s=3600)
    assert local.reserve(job).phase is Phase.RESERVED
    job = replace(job, handle=local.commit(job).handle)
    clock.now = NOW + at_s * SECOND
    said = local.status(job)
    assert said.phase is phase
    if phase is not Phase.STARTING:
        assert said.started == NOW + 45 * SECOND
    assert said.ended == (NOW + 3645 * SECOND if phase is Phase.COMPLETED else None)
    news = {Phase.STARTING: 45, Phase.RUNNING: 3645}.get(phase)
    assert said.again_s == (None if news is None else news - at_s)
    assert (said.url, said.gpu_utilization_percent, said.performance) == (None, None, None)


def test_a_service_runs_until_it_is_released(local: LocalBackend, clock: Clock) -> None:
    service = order()
    clock.tick(days=400)
    assert local.status(service).phase is Phase.RUNNING
    assert local.release(service).phase is Phase.RELEASED


def test_what_is_placed_for_later_starts_later(local: LocalBackend, clock: Clock) -> None:
    later = order(start=7200, length_s=60, offers=("b", "gone"))
    clock.now = NOW + 7199 * SECOND
    assert local.status(later).phase is Phase.STARTING
    clock.now = NOW + 7200 * SECOND
    assert local.status(later).phase is Phase.RUNNING


def test_every_process_says_the_same_and_without_what_was_said_before(
    local: LocalBackend, clock: Clock, tmp_path: Path
) -> None:
    job = order(length_s=60)
    known = replace(job, handle=local.commit(job).handle)
    other = LocalBackend((tmp_path / "offers.json",), clock=clock)
    clock.tick(seconds=50)
    assert local.status(known) == local.status(job) == other.status(known)


def test_an_order_that_has_begun_keeps_its_times_when_offers_change(
    local: LocalBackend, clock: Clock, tmp_path: Path
) -> None:
    job = order(length_s=60)
    job = replace(job, handle=local.commit(job).handle)
    offers_in(tmp_path, offer("a"))
    clock.tick(seconds=44)
    assert local.status(job).phase is Phase.STARTING


def test_offers_are_read_again_when_their_file_changes(local: LocalBackend, tmp_path: Path) -> None:
    first = local.discover()
    assert local.discover() is first
    offers_in(tmp_path, offer("c"))
    second = local.discover()
    assert (second.ids, local.discover() is second) == (("c",), True)


def test_a_bad_file_leaves_the_offers_as_they_were_and_is_told(local: LocalBackend, tmp_path: Path) -> None:
    first = local.discover()
    (tmp_path / "offers.json").write_text('{"version": 1, "offers": [')
    assert local.discover() is first
    assert local.fault is not None
    assert str(tmp_path) not in local.fault
    (tmp_path / "offers.json").unlink()
    assert local.discover() is first
    offers_in(tmp_path, offer("c"))
    assert local.discover().ids == ("c",)
    assert not local.fault


def test_without_any_offers_there_is_no_answer_until_there_are(tmp_path: Path, clock: Clock) -> None:
    local = LocalBackend((tmp_path / "offers.json",), clock=clock)
    for _ in range(2):
        with pytest.raises(BackendError) as error:
            local.discover()
        assert str(tmp_path) not in str(error.value)
    offers_in(tmp_path, offer("a"))
    assert local.discover().ids == ("a",)


def test_a_folder_is_all_its_files_as_they_come_and_go(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "offers"
    folder.mkdir()
    local = LocalBackend((folder,), clock=clock)
    for name in ("a", "b"):
        document = {"version": 1, "offers": [offer(name)]}
        (folder / f"{name}.json").write_text(json.dumps(document))
    (folder / ".hidden").write_text("nonsense")
    assert local.discover().ids == ("a", "b")
    os.remove(folder / "a.json")
    assert local.discover().ids == ("b",)


def test_without_files_it_is_the_demonstration(clock: Clock) -> None:
    assert len(LocalBackend(clock=clock).discover()) > 10


def test_a_cold_start_of_days_is_waited_for(tmp_path: Path, clock: Clock) -> None:
    cold: dict[str, Any] = {"performance": {"cold_start_time": "2d"}}
    local = LocalBackend((offers_in(tmp_path, offer("a", **cold)),), clock=clock)
    said = local.commit(order())
    assert said.again_s == timedelta(days=2).total_seconds()


def test_large_files_are_read_by_another_process_to_the_same_offers(tmp_path: Path) -> None:
    path = offers_in(tmp_path, offer("a", **COLD), offer("b", gpus=4))
    apart, here = (read_offers([path], assume={"*": {"zone": "z"}}, large=large) for large in (0, 10**9))
    assert to_document(apart) == to_document(here)
    assert (apart.label["zone"][0], apart.source, apart.warnings) == ("z", here.source, here.warnings)
    path.write_text("{")
    said = []
    for large in (0, 10**9):
        with pytest.raises(InventoryError) as error:
            read_offers([path], large=large)
        said.append(str(error.value))
    assert said[0] == said[1]
    with pytest.raises(OSError, match="gone"):
        read_offers([tmp_path / "gone"])
