"""What workers do in tests: functions of a module, as executors want them."""

import os
import signal
import time
from pathlib import Path

from flare_core.scale.executors import Stop
from flare_core.scale.fleet import Seats
from flare_core.scale.parts import Model, work


def square(model: int, part: int, stop: Stop) -> int:
    return model + part * part


def lost_once(model: Model, part: int, stop: Stop) -> Seats:
    """Work on a part; the first who begins the second part is killed."""
    died = Path(os.environ["FLARE_TEST_DIED"])
    if part == 1 and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(model, part, stop)


def always_lost(model: int, part: int, stop: Stop) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return part


def patient(model: str, part: int, stop: Stop) -> int:
    """Work until it is told to stop, however that is told, and for a minute at most."""
    Path(model, str(part)).touch()
    end = time.monotonic() + 60
    while time.monotonic() < end and not stop():
        time.sleep(0.02)
    return part
