"""R10, R11: a gateway answers while it searches, and says no in time to what is too much."""

import asyncio
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest

from benchmarks.gateway import loads
from tests.gateway.promises.fleets import Fleet, fleet, tell
from tests.gateway.promises.launch import await_true
from tests.gateway.promises.load import tokens_for

BOUND = 100
ANSWERS = {201, 202, 429, 503}


def r10(url: str, folder: Path, gets: int, limit_s: float, share_ms: float, lag_ms: float) -> None:
    """Both searches run in gateways that answer, too; their event loops are watched."""
    with fleet(
        url, folder, loads.hard_offers(), count=2, ready=False, fresh=True, solve_time_limit_s=limit_s
    ) as gateways:
        token = tokens_for(url, ["ada"])["ada"]
        for gateway in gateways.gateways:
            gateway.until_ready()
            (gateway.folder / "lag").unlink(missing_ok=True)
        looks = asyncio.run(loads.looked(gateways.urls, token, gets))
        lags = [float((gateway.folder / "lag").read_text()) for gateway in gateways.gateways]
    tell("R10", p50_ms=looks.percentile_ms(0.5), p99_ms=looks.percentile_ms(0.99), lag_ms=max(lags))
    assert {reply.status for reply in looks.replies} == {200}
    assert looks.busy
    assert looks.percentile_ms(0.99) <= share_ms
    assert max(lags) <= lag_ms


def test_r10_a_gateway_answers_while_it_searches(sqlite_url: str, tmp_path: Path) -> None:
    """In the time that a machine needs which is busy with all the other tests."""
    r10(sqlite_url, tmp_path, gets=80, limit_s=2.0, share_ms=1000, lag_ms=1000)


@pytest.mark.t1
def test_r10_a_gateway_answers_while_it_searches_at_full_count(url: str, tmp_path: Path) -> None:
    r10(url, tmp_path, gets=1000, limit_s=loads.SOLVE_S, share_ms=50, lag_ms=100)


def r11(url: str, folder: Path, number: int, limit_s: float, idle_within_s: float, count: int) -> None:
    with fleet(url, folder, loads.elastic(), count=count, fresh=True, queue_bound=BOUND) as gateways:
        token = tokens_for(url, ["ada"])["ada"]
        asyncio.run(loads.submitted(gateways.urls, token, 0.5, clients=count))  # has everything loaded
        gateways.until_quiet()
        replies = asyncio.run(loads.at_once(gateways.urls, token, number))
        ended = monotonic()
        await_true(lambda: is_idle(gateways), idle_within_s)
        idle_s = monotonic() - ended
        assert gateways.faults() == []
    longest, statuses = max(reply.took_s for reply in replies), Counter(reply.status for reply in replies)
    tell("R11", longest_s=longest, idle_s=idle_s, statuses=dict(statuses))
    assert set(statuses) <= ANSWERS
    assert all("retry-after" in r.headers for r in replies if r.status in (429, 503))
    assert longest <= limit_s


def is_idle(gateways: Fleet) -> bool:
    """Whether nothing waits, and every gateway says that it is ready."""
    waiting = any(row["state"] == "pending" for row in gateways.books().intents)
    return not waiting and all(gateway.is_ready() for gateway in gateways.gateways)


def test_r11_too_much_at_once_is_refused_in_time(sqlite_url: str, tmp_path: Path) -> None:
    """In the time that a machine needs which is busy with all the other tests."""
    r11(sqlite_url, tmp_path, number=200, limit_s=10, idle_within_s=60, count=2)


@pytest.mark.t1
def test_r11_too_much_at_once_is_refused_in_time_at_full_count(url: str, tmp_path: Path) -> None:
    r11(url, tmp_path, number=1000, limit_s=2, idle_within_s=5, count=4)
