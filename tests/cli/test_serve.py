"""``flare serve`` as a process: what it says, whom it lets in first, its workers, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.store import open_store
from flare_core.adapters.gateway.tokens import first_admin, new_secret, revoke
from tests.cli.conftest import Flare
from tests.gateway.ops.served import FLARE, PATIENT_S, Served, environment, served


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway for what does not change how it works."""
    with served(tmp_path_factory.mktemp("serve")) as server:
        yield server


def beside(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run another command beside the gateway, with the same settings."""
    return subprocess.run(
        [*FLARE, *words],
        env=environment(folder, **more),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENT_S,
    )


def verified(server: Served, token: str) -> int:
    return server.get("/api/v1/auth/verify", token).status_code


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENT_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def workers(server: Served) -> list[int]:
    """The processes that have begun to serve and still live."""
    begun = [event["pid"] for event in server.log() if event["event"].startswith("Started server process")]
    return [pid for pid in begun if alive(pid)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_first_token_is_made_on_the_console(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert server.told == {"url": server.url, "workers": 1, "admin_token": False}
        assert server.url.startswith("http://127.0.0.1:")
        made = beside(tmp_path, "token", "create")
        assert verified(server, made.stdout.strip()) == 200
        answer = server.get("/healthz")
        assert "server" not in answer.headers
        assert "date" in answer.headers
        assert server.stop() == 0
    with served(tmp_path) as server:
        assert server.told["admin_token"] is True
    assert made.stdout.strip() not in server.errors.read_text()


def test_people_are_told_what_to_do_first(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*FLARE, "serve", "--port", "0"],
        env=environment(tmp_path, FLARE_INVENTORY=""),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process:
        lines = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        assert process.wait(PATIENT_S) == 0
    assert lines[0].startswith("listening on http://127.0.0.1:")
    assert "demonstration federation" in lines[1]
    assert lines[2] == "No admin token yet. To make one, with the same settings: flare token create\n"


def test_a_file_may_hold_the_first_token(tmp_path: Path) -> None:
    secret, file = new_secret(), tmp_path / "admin"
    file.write_text(f"{secret}\n")
    for _ in range(2):  # the second time it is there already
        with served(tmp_path, FLARE_BOOTSTRAP_TOKEN_FILE=str(file)) as server:
            assert server.told["admin_token"] is True
            assert verified(server, secret) == 200
            assert secret not in server.errors.read_text()


def test_a_revoked_bootstrap_token_stays_revoked(tmp_path: Path) -> None:
    secret, file, now = new_secret(), tmp_path / "admin", datetime.now(UTC)
    file.write_text(secret)
    store = open_store(Settings(store_url=f"sqlite:///{tmp_path / 'flare.db'}"))
    with store.write() as connection:
        made = first_admin(connection, now, settings=Settings(), secret=secret)
        assert made is not None
        revoke(connection, made.token, made.token.id, now)
    store.close()
    with served(tmp_path, FLARE_BOOTSTRAP_TOKEN_FILE=str(file)) as server:
        assert server.told["admin_token"] is False
        assert verified(server, secret) == 401
        first = server.log()[0]
    assert (first["level"], first["event"]) == ("warning", "the bootstrap token is good no more")
    assert first["code"] == "TOKEN_REVOKED"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--port 70000", "--port: found 70000, expected less than or equal to 65535"),
        ("--backend mine", "--backend: found 'mine', expected 'local' or 'fluidos'"),
        ("--workers 0", "--workers: found 0, expected greater than or equal to 1"),
        ("--store mysql://x", "--store-url: expected a store on sqlite or"),
        ("--config none.toml", "none.toml: found no file that can be read"),
    ],
)
def test_settings_that_are_wrong_are_said_in_one_line(flare: Flare, words: str, said: str) -> None:
    done = flare("serve", "--json", *words.split())
    assert (done.status, done.document["status"]) == (2, "error")
    assert done.err.startswith(f"flare: {said}")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"FLARE_STORE_URL": "sqlite:////nowhere/x.db"}, "flare: the store does not answer"),
        ({"FLARE_BOOTSTRAP_TOKEN_FILE": "/nowhere"}, "flare: bootstrap_token_file: found no file that can"),
        ({"FLARE_HOST": "192.0.2.1"}, "flare: host: found no way to listen on 192.0.2.1 port 0"),
    ],
)
def test_what_is_not_to_be_had_is_said_in_one_line(tmp_path: Path, more: dict[str, str], said: str) -> None:
    done = beside(tmp_path, "serve", "--json", "--port", "0", **more)
    assert done.returncode == (4 if "answer" in said else 2)
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
    assert json.loads(done.stdout)["status"] == "error"


def test_a_file_without_a_token_of_ours_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "admin"
    file.write_text("flr_hunter2")
    done = beside(tmp_path, "serve", "--port", "0", FLARE_BOOTSTRAP_TOKEN_FILE=str(file))
    assert done.returncode == 2
    assert done.stderr.startswith("flare: bootstrap_token_file: found no token")
    assert "hunter2" not in done.stderr


def test_two_do_not_listen_on_one_port(running: Served) -> None:
    port = running.url.rpartition(":")[2]
    done = beside(running.folder, "serve", "--port", port)
    assert done.returncode == 2
    assert f"found no way to listen on 127.0.0.1 port {port} (Address already in use" in done.stderr


def test_several_workers_are_one_gateway(tmp_path: Path) -> None:
    """They answer for each other, one that dies is replaced, and all end together with exit status 0."""
    with served(tmp_path, "--workers", "2") as server:
        server.ready()
        assert eventually(lambda: len(workers(server)) == 2)
        for _ in range(30):
            assert server.get("/healthz").status_code == 200
        told = server.get("/metrics", server.token()).text
        assert 'flare_request_seconds_count{method="GET",route="health",status="200"} 30.0' in told
        first = workers(server)
        os.kill(first[0], signal.SIGKILL)
        assert eventually(lambda: len(set(workers(server)) - set(first)) == 1)
        server.ready()
        ended = workers(server)
        assert server.stop() == 0
    assert not any(map(alive, ended))


def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as server:
        assert eventually(lambda: len(workers(server)) == 2)
        server.process.kill()
        server.process.wait()
        assert eventually(lambda: not workers(server))
        port = int(server.url.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_ctrl_c_is_no_failure(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as server:
        server.ready()
        assert eventually(lambda: len(workers(server)) == 2)
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(PATIENT_S) == 0
    assert server.log()  # events alone: nobody has printed a traceback


def test_a_head_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    with served(tmp_path, FLARE_REQUEST_TIMEOUT_S="0.3") as server:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        for begun in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            with socket.create_connection(address, timeout=PATIENT_S) as slow:
                slow.sendall(begun)
                assert slow.recv(100) == b""
        with socket.create_connection(address, timeout=PATIENT_S) as second:
            second.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = second.recv(10_000)
            while not answer.endswith(b"}"):
                answer += second.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 200")
            second.sendall(b"GET /he")
            assert second.recv(100) == b""


def test_heads_are_bounded(running: Served) -> None:
    answer = running.get("/healthz", **{"X-Long": "x" * 20_000})
    assert answer.status_code in (400, 431)
    assert running.get("/healthz").status_code == 200
