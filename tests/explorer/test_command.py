"""``flare explore`` as a process: it says where it is, answers, and ends with Ctrl-C."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

FLARE = [sys.executable, "-c", "from flare_core.adapters.cli import main; main()"]


def test_it_says_where_it_is_and_ends_with_ctrl_c() -> None:
    command = [*FLARE, "explore", "--no-open", "--now", "2026-01-15T10:35:00Z"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    said = next(line for line in running.stdout if line.startswith("exploring on "))
    address = urlsplit(said.split()[-1])
    line = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=20)
    line.request("GET", f"{address.path}/about")
    assert line.getresponse().status == 200
    running.send_signal(signal.SIGINT)
    _, complaints = running.communicate(timeout=20)
    line.close()
    assert (running.returncode, complaints) == (0, "")


def test_a_port_that_is_taken_is_wrong_input() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [*FLARE, "explore", "--no-open", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("flare: port: found no way to listen")


def test_offers_that_cannot_be_read_are_wrong_input() -> None:
    done = subprocess.run(
        [*FLARE, "explore", "-i", "absent.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert json.dumps("absent.json")[1:-1] in done.stderr
