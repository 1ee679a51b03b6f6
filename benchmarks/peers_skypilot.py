"""SkyPilot's optimiser over its own catalogs, offline. Run with SkyPilot's interpreter.

``HOME`` has to be a folder of its own that holds ``.sky/catalogs/v8/<cloud>/vms.csv``; the arguments are
tasks, ``MODEL:COUNT``. A line of JSON for each: the least CPU seconds of three runs, and the price in USD per
hour.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from time import process_time

import sky  # type: ignore[import-not-found]  # a peer: in an environment of its own
from sky import check, clouds, optimizer

CLOUDS = {
    "aws": clouds.AWS,
    "azure": clouds.Azure,
    "gcp": clouds.GCP,
    "lambda": clouds.Lambda,
    "oci": clouds.OCI,
    "paperspace": clouds.Paperspace,
    "runpod": clouds.RunPod,
    "scp": clouds.SCP,
}
_HERE = [
    CLOUDS[name]() for name in sorted(os.listdir(Path.home() / ".sky" / "catalogs" / "v8")) if name in CLOUDS
]
check.get_cached_enabled_clouds_or_refresh = lambda *_args, **_named: list(_HERE)


def once(accelerators: str) -> tuple[float, float | None]:
    """Optimise one task; return CPU seconds and the price of an hour, None where it finds nothing."""
    with sky.Dag() as dag:
        task = sky.Task(name="task", run="true")
        task.set_resources({sky.Resources(accelerators=accelerators)})
    start, price = process_time(), None
    # What it raises where nothing fits is not one type; the answer is then that there is none.
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(Exception):
        optimizer.Optimizer.optimize(dag, quiet=True)
        price = task.best_resources.get_cost(3600)
    return process_time() - start, price


for asked in sys.argv[1:]:
    runs = [once(asked) for _ in range(3)]
    line = {"task": asked, "seconds": min(seconds for seconds, _ in runs), "usd_per_h": runs[0][1]}
    print(json.dumps(line), flush=True)
