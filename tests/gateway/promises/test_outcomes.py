"""V8, V11: the five outcomes of a search stay five through the API, and a solver that dies is no answer."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from benchmarks.gateway import loads
from tests.gateway.promises import stock
from tests.gateway.promises.fleets import Fleet, fleet, tell
from tests.gateway.promises.launch import await_true
from tests.gateway.promises.load import Json, intent, tokens_for

UNSAID = {"INSUFFICIENT_RESOURCES", "GPU_COUNT_INSUFFICIENT", "GPU_MODEL_UNAVAILABLE", "COST_LIMIT_EXCEEDED"}
"""What would be a "no" where nothing is known."""


class Client:
    """One user of one gateway."""

    def __init__(self, gateways: Fleet) -> None:
        token = tokens_for(gateways.url, ["ada"])["ada"]
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{gateways.urls[0]}/api/v1", headers=headers, timeout=30)

    def submit(self, document: Json) -> httpx.Response:
        return self._http.post("/intents", json=document)

    def plan(self, document: Json) -> Any:
        """Ask without submitting, again while the solver for questions is still starting."""
        for left in reversed(range(20)):
            said = self._http.post("/intents", params={"dry_run": "true"}, json=document)
            if said.status_code != 503 or not left:
                return said.json()
            time.sleep(float(said.headers["retry-after"]))
        raise AssertionError

    def status(self, intent: str) -> Any:
        return self._http.get(f"/intents/{intent}").json()

    def cancel(self, intent: str) -> None:
        assert self._http.delete(f"/intents/{intent}").status_code == 202

    def close(self) -> None:
        self._http.close()


@contextmanager
def client_of(gateways: Fleet) -> Iterator[Client]:
    client = Client(gateways)
    try:
        yield client
    finally:
        client.close()


def test_v8_optimal_and_infeasible(sqlite_url: str, tmp_path: Path) -> None:
    with fleet(sqlite_url, tmp_path, stock.scarce(), count=1) as gateways, client_of(gateways) as client:
        assert client.plan(intent("one"))["status"] == "optimal"
        assert client.submit(intent("one")).status_code == 201
        plan = client.plan(intent("two", {"count": 5}))
        assert (plan["status"], plan["placements"][0]["status"]) == ("infeasible", "rejected")
        said = client.submit(intent("two", {"count": 5}))
        assert (said.status_code, said.json()["error_code"]) == (409, "GPU_COUNT_INSUFFICIENT")
        assert gateways.faults() == []


def test_v8_feasible_is_placed_and_says_how_far_it_may_be_from_the_optimum(
    sqlite_url: str, tmp_path: Path
) -> None:
    offers = loads.hard_offers()
    with (
        fleet(sqlite_url, tmp_path, offers, count=1, solve_time_limit_s=2.5, submit_wait_s=20) as gateways,
        client_of(gateways) as client,
    ):
        plan = client.plan(loads.hard("one", tasks=6))
        assert plan["status"] == "feasible"
        assert 0 < plan["gap"] <= 1
        assert any("limit ended the search" in warning for warning in plan["warnings"])
        assert client.submit(loads.hard("one", tasks=6)).status_code == 201
        assert gateways.faults() == []


def test_v8_unknown_is_tried_again_and_never_a_no(sqlite_url: str, tmp_path: Path) -> None:
    short: dict[str, Any] = {"solve_time_limit_s": 0.5, "unknown_retries": 2, "submit_wait_s": 0.2}
    with (
        fleet(sqlite_url, tmp_path, loads.hard_offers(), count=1, **short) as gateways,
        client_of(gateways) as client,
    ):
        plan = client.plan(loads.hard("one"))
        assert (plan["status"], plan["placements"][0]["error"]) == ("unknown", None), plan
        made = client.submit(loads.hard("one"))
        assert (made.status_code, made.json()["status"]) == (202, "pending")
        # Thrice with ever more time, then from the queue again, as time goes by.
        await_true(lambda: gateways.books().states[made.json()["intent_id"]] == "queued", 30)
        said = client.status(made.json()["intent_id"])
        assert (said["status"], said.get("error")) == ("pending", None)
        assert gateways.faults() == []


BROKEN = """
from ortools.sat.python import cp_model
from flare_core.model.draft import Terms
Terms.expr = lambda terms: cp_model.LinearExpr.weighted_sum(list(terms.vars), [2**62] * len(terms.vars))
"""
"""Objectives beyond the solver's bounds; everything else is as it is in service."""


def test_v8_an_invalid_model_is_an_internal_error(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text(BROKEN)
    with fleet(sqlite_url, tmp_path, loads.hard_offers(), count=1, ready=False, submit_wait_s=20) as gateways:
        [gateway] = gateways.gateways
        gateway.kill()
        gateway.environment = {"PYTHONPATH": str(tmp_path / "broken")}
        gateway.start().until_ready()
        with client_of(gateways) as client:
            said = client.submit(loads.hard("one"))
            assert (said.status_code, said.json()["error_code"]) == (500, "INTERNAL")
            plan = client.plan(loads.hard("one"))
            assert plan["error_code"] == "INTERNAL", plan
        assert gateways.faults() == []


# --- V11 --------------------------------------------------------------------------------------------


def strike(pid: int, how: str) -> None:
    """End a solver as it may end by itself."""
    with suppress(ProcessLookupError):
        if how == "memory":
            resource.prlimit(
                pid, resource.RLIMIT_DATA, (2**20, 2**20)
            )  # the next that it asks for is too much
        else:
            os.kill(pid, signal.Signals[how])


DEATHS = ("SIGSEGV", "SIGABRT", "SIGKILL", "memory")


def v11(url: str, folder: Path, deaths: int) -> None:
    """Kill the solver in the middle of a search, each time for another intent."""
    settings: dict[str, Any] = {"solve_time_limit_s": 1.5, "unknown_retries": 0, "submit_wait_s": 0.05}
    ends: dict[str, int] = {}
    with (
        fleet(url, folder, loads.hard_offers(), count=1, **settings) as gateways,
        client_of(gateways) as client,
    ):
        [gateway] = gateways.gateways
        main = gateway.pid
        for number in range(deaths):
            made = client.submit(loads.hard(f"hard-{number}"))
            assert made.status_code == 202, made.text
            name = made.json()["intent_id"]
            await_true(lambda: is_searching(gateway.solvers()), 10, every_s=0.005)
            how = DEATHS[number % len(DEATHS)]
            for pid in gateway.solvers():
                strike(pid, how)
            await_true(lambda name=name: gateways.books().states[name] != "pending", 30)  # type: ignore[misc]  # bound at once
            state = gateways.books().states[name]
            ends[state] = ends.get(state, 0) + 1
            said = client.status(name)
            assert (said.get("error") or {}).get("error_code") not in UNSAID
            client.cancel(name) if state != "failed" else None
            assert gateway.runs
            assert gateway.pid == main
        gateway.until_ready()
        assert client.submit(loads.hard("last")).status_code == 202
        assert gateways.faults() == []
    tell("V11", deaths=deaths, became=ends)
    assert "failed" not in ends


def is_searching(pids: list[int]) -> bool:
    """Whether one of them computes."""
    return any(_state(pid) == "R" for pid in pids)


def _state(pid: int) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def test_v11_a_solver_that_dies_is_replaced(sqlite_url: str, tmp_path: Path) -> None:
    v11(sqlite_url, tmp_path, 2)
