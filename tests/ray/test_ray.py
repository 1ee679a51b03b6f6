"""Ray: the same seats for 1, 2 and 4 workers, one killed, and a cancellation that reaches them."""

from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from time import monotonic

import pytest

ray = pytest.importorskip("ray")

from flare_core.adapters.ray import Ray  # noqa: E402  # where Ray is there
from flare_core.errors import InternalError  # noqa: E402
from flare_core.options import Cancellation  # noqa: E402
from flare_core.scale import batch as module  # noqa: E402
from flare_core.scale.executors import Serial  # noqa: E402
from tests.scale.test_parts import same, seated  # noqa: E402
from tests.scale.workers import always_lost, lost_once, patient, square  # noqa: E402

pytestmark = pytest.mark.soak  # a cluster on a busy machine may take minutes, or not answer


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One small cluster of this machine, and the file that says that a worker was killed."""
    died = tmp_path_factory.mktemp("ray") / "died"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("FLARE_TEST_DIED", str(died))
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
        yield died
        ray.shutdown()


@pytest.mark.soak
def test_a_connection_is_made_where_there_is_none() -> None:
    """First of all: the cluster of the other tests lasts until the last of them."""
    assert not ray.is_initialized()
    assert Ray(workers=1).run(square, 5, [2]) == [9]
    assert not ray.is_initialized()


def test_any_number_of_workers_gives_the_seats_that_one_process_gives(cluster: Path) -> None:
    alone = seated(1, Serial())
    for workers in (1, 2, 4):
        assert same(seated(1, Ray(workers=workers)), alone)
    assert same(seated(1, Ray()), alone)


def test_a_killed_worker_changes_nothing(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = seated(2, Serial())
    monkeypatch.setattr(module, "work", lost_once)
    assert same(seated(2, Ray()), alone)
    assert cluster.exists()


@pytest.mark.soak
def test_who_loses_every_worker_is_told(cluster: Path) -> None:
    with pytest.raises(InternalError, match="workers were lost"):
        Ray().run(always_lost, 0, [0])


def test_what_was_found_is_in_the_order_of_the_parts(cluster: Path) -> None:
    assert Ray(workers=2).run(square, 5, [3, 1, 2]) == [14, 6, 9]


def test_a_cancellation_reaches_the_workers(cluster: Path, tmp_path: Path) -> None:
    cancellation = Cancellation()
    begun = monotonic()
    timer = Timer(3, cancellation.cancel)
    timer.start()
    found = Ray().run(patient, str(tmp_path), [0, 1, 2], cancellation)
    timer.join()
    assert found == [None, None, None]
    assert monotonic() - begun < 30
    assert list(tmp_path.iterdir())  # they had begun
