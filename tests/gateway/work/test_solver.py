"""The solver's process: it may die in any way and at any time, and nothing comes of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flare_core.adapters.gateway import failpoints
from flare_core.adapters.gateway.errors import UnavailableError
from flare_core.adapters.gateway.ledger import held
from flare_core.adapters.gateway.life import HOLDING, State
from flare_core.adapters.gateway.service import Gateway
from flare_core.adapters.gateway.work.request import Request
from flare_core.adapters.gateway.work.solver import Solver, SolverDiedError
from tests.conftest import ROOT
from tests.gateway.work.living import Clock, awaited, living, submitted, until, wish
from tests.gateway.worlds import NOW, federation, offer

WORLD = federation(offer("a", gpus=8, nodes=1))
MEMORY_MIB = 1024
SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)


def request(text: str = "", limit_s: float = 10.0, **more: Any) -> Request:
    return Request(kind="solve", documents=(text or wish(),), held=(), now=NOW, limit_s=limit_s, **more)


@pytest.fixture
def solver() -> Iterator[Solver]:
    solver = Solver(MEMORY_MIB)
    yield solver
    solver.stop()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started now hang in every search."""
    monkeypatch.setenv(failpoints.VARIABLE, "solver.searching=hang")


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def pid_of(solver: Solver) -> int:
    solver.start()
    assert solver.pid is not None
    return solver.pid


def test_it_answers_again_and_again_from_one_process(shared: Solver) -> None:
    pid = pid_of(shared)
    assert shared.warm
    for _ in range(3):
        [outcome] = shared.ask(request(), WORLD)["outcomes"]
        assert outcome["placement"]["status"] == "placed"
        assert outcome["hourly_ueur"] == 1_000_000
    assert shared.pid == pid


def test_it_is_bounded_in_memory(shared: Solver) -> None:
    limits = Path(f"/proc/{pid_of(shared)}/limits").read_text().splitlines()
    [bound] = [line.split() for line in limits if line.startswith("Max data size")]
    assert int(bound[3]) <= MEMORY_MIB * 2**20


def test_one_that_has_no_room_to_start_is_no_fault_of_an_intent() -> None:
    tiny = Solver(16)
    with pytest.raises(UnavailableError):
        tiny.ask(request(), WORLD)
    tiny.stop()


@pytest.mark.usefixtures("hanging")
def test_it_is_ended_at_twice_its_limit(solver: Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pid_of(solver)
    began, beats = time.monotonic(), list[float]()
    with pytest.raises(SolverDiedError):
        solver.ask(request(limit_s=1.5), WORLD, beat=lambda: beats.append(time.monotonic()), beat_s=0.5)
    assert 3.0 <= time.monotonic() - began < 4.5
    assert len(beats) >= 4
    assert not is_there(first)
    monkeypatch.delenv(failpoints.VARIABLE)
    assert solver.ask(request(), WORLD)["outcomes"]


@pytest.mark.usefixtures("hanging")
def test_who_asks_while_it_is_busy_waits_only_so_long(solver: Solver) -> None:
    solver.start()
    busy = threading.Thread(target=asked_in_vain, args=(solver,))
    busy.start()
    until(lambda: solver._turn.locked())
    with pytest.raises(UnavailableError):
        solver.ask(request(), WORLD, wait_s=0.1)
    solver.kill()
    busy.join()


def test_one_that_died_unasked_is_replaced(shared: Solver) -> None:
    first = pid_of(shared)
    os.kill(first, signal.SIGSEGV)
    until(lambda: shared.pid is None)
    assert shared.ask(request(), WORLD)["outcomes"]
    assert shared.pid != first


def test_it_says_what_is_wrong_with_an_intent(shared: Solver) -> None:
    text = wish(workload={"resources": {"gpu": {"count": 1}}, "scaling": {"min_replicas": 10_001}})
    error = shared.ask(request(text), WORLD)["error"]
    assert error["code"] == "INVALID_FORMAT"
    assert error["path"].startswith("workload")


def asked_in_vain(solver: Solver) -> None:
    with pytest.raises(SolverDiedError):
        solver.ask(request(), WORLD)


PARENT = """
import sys, threading
from tests.gateway.work.test_solver import Solver, WORLD, request, sys
solver = Solver(1024)
solver.start()
threading.Thread(target=solver.ask, args=(request(), WORLD), daemon=True).start()
threading.Event().wait(0.5)
print(solver.pid, flush=True)
threading.Event().wait()
"""


@pytest.mark.usefixtures("hanging")
def test_it_ends_with_its_parent_also_while_it_searches() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_there(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_there(child))


def killed_while_searching(gateway: Gateway, how: signal.Signals, name: str) -> State:
    """Submit an intent, kill the solver when it has been asked, and return what becomes of the intent."""
    pid = until(lambda: gateway._solver.pid if gateway._solver.warm else None)
    os.kill(pid, signal.SIGSTOP)  # so that it is killed in the middle of it
    record = submitted(gateway, wish(name))
    until(lambda: gateway._solver._turn.locked())
    os.kill(pid, how)
    os.kill(pid, signal.SIGCONT)
    return awaited(gateway, record.id).state


def contained(url: str, folder: Path, kills: int) -> None:
    with living(url, folder, Clock(), offer("a", gpus=8, nodes=8)) as gateway:
        for i in range(kills):
            how = SIGNALS[i % len(SIGNALS)]
            assert killed_while_searching(gateway, how, f"n{i}") in HOLDING
            assert gateway._running is not None
            assert all(loop.is_alive() for loop in gateway._running)
        with gateway.store.read() as connection:
            seats = [h.seat for h in held(connection)]
        assert len({(seat.node, *seat.gpus) for seat in seats}) == len(seats) == kills


def test_v11_a_solver_that_dies_in_the_middle_is_replaced_and_nothing_is_booked_twice(
    sqlite_url: str, tmp_path: Path
) -> None:
    contained(sqlite_url, tmp_path, 3)


@pytest.mark.t1
def test_v11_twenty_solvers_that_die_in_the_middle_are_replaced(url: str, tmp_path: Path) -> None:
    contained(url, tmp_path, 20)


@pytest.mark.parametrize("how", ["kill", pytest.param("raise", marks=pytest.mark.t1)])
def test_an_intent_that_ends_the_solver_twice_fails_and_the_next_is_placed(
    how: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, f"solver.searching={how}")
    with living(sqlite_url, tmp_path, Clock()) as gateway:
        failed = awaited(gateway, submitted(gateway, wish()).id)
        assert failed.state is State.FAILED
        assert failed.error is not None
        assert failed.error["error_code"] == "INTERNAL"
        with gateway.store.read() as connection:
            assert held(connection) == ()
        monkeypatch.delenv(failpoints.VARIABLE)
        gateway._solver.kill()
        until(lambda: gateway._solver.pid is None)
        assert awaited(gateway, submitted(gateway, wish("next")).id).state in HOLDING


def test_a_question_that_ends_the_solver_is_answered_later(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, solver: Solver
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, "solver.searching=kill")
    with living(sqlite_url, tmp_path, Clock(), solver=solver) as gateway:
        with pytest.raises(UnavailableError):
            gateway.dry_run(wish(), 30)
        monkeypatch.delenv(failpoints.VARIABLE)
        gateway._questions.kill()
        until(lambda: gateway._questions.pid is None)
        assert gateway.dry_run(wish(), 30)["status"] == "optimal"


def test_a_stop_does_not_wait_for_a_search_and_leaves_its_intent_to_others(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Solver
) -> None:
    shared.start()
    monkeypatch.setenv(failpoints.VARIABLE, "solver.searching=hang")
    clock = Clock()
    with living(sqlite_url, tmp_path, clock) as gateway:
        record = submitted(gateway, wish())
        until(lambda: gateway._solver.warm and gateway._solver._turn.locked())
        began = time.monotonic()
        gateway.stop(3)
        assert time.monotonic() - began < 4
    monkeypatch.delenv(failpoints.VARIABLE)
    # At once: nothing is claimed any more.
    with living(sqlite_url, tmp_path, clock, solver=shared) as gateway:
        assert awaited(gateway, record.id).state in HOLDING


ADVERSARIAL: tuple[Callable[[], str], ...] = (
    lambda: wish(kind="batch", workload={"job": {"parallel_tasks": 10_000, "timeout": "1h"}}),
    lambda: wish(kind="job", workload={"job": {"parallel_tasks": 10_000, "timeout": "1h"}}),
    lambda: wish(workload={"scaling": {"min_replicas": 10_000, "max_replicas": 10_000}}),
    lambda: wish(gpus=8, constraints={"negotiation": {"max_negotiation_rounds": 100}}),
)


@pytest.mark.t1
@pytest.mark.parametrize("text", ADVERSARIAL)
def test_r9_the_largest_intents_stay_within_the_memory(text: Callable[[], str], solver: Solver) -> None:
    world = federation(*(offer(f"o{i}", gpus=8, nodes=50) for i in range(100)))
    pid = pid_of(solver)
    assert solver.ask(request(text()), world).keys() & {"outcomes", "error"}
    assert solver.pid == pid
    status = Path(f"/proc/{pid}/status").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) < MEMORY_MIB * 1024
