"""Failpoints do what they are armed for and nothing else."""

import os
import signal
import subprocess
import sys

import pytest

from flare_core.adapters.gateway import failpoints
from flare_core.adapters.gateway.failpoints import POINTS, FailpointError, hit, parse
from tests.conftest import ROOT

POINT = "place.booked"
HIT = f"from flare_core.adapters.gateway.failpoints import hit; hit({POINT!r}); hit({POINT!r}); print('on')"


def run(armed: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {failpoints.VARIABLE: armed}
    return subprocess.run(
        [sys.executable, "-c", HIT], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_there_are_enough_and_each_has_one_name() -> None:
    assert len(POINTS) == len(set(POINTS)) >= 25


def test_unarmed_they_do_nothing() -> None:
    for point in POINTS:
        hit(point)


@pytest.mark.parametrize("armed", ["kill", "kill:2"])
def test_one_ends_the_process(armed: str) -> None:
    assert run(f"submit.keyed=raise; {POINT}={armed}").returncode == -signal.SIGKILL


def test_one_does_nothing_before_its_time() -> None:
    assert run(f"{POINT}=kill:3").stdout == "on\n"


def test_one_raises_from_its_time_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failpoints, "_armed", parse(f"{POINT}=raise:2"))
    hit(POINT)
    for _ in range(2):
        with pytest.raises(FailpointError, match=POINT):
            hit(POINT)
    hit("submit.keyed")


@pytest.mark.parametrize("text", ["nowhere=kill", f"{POINT}=explode", f"{POINT}", f"{POINT}=kill:x"])
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"found|invalid"):
        parse(text)
