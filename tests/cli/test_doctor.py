"""``flare doctor`` says what works here, and fails where something does not."""

import socket
from pathlib import Path

import pytest

from flare_core.adapters.cli import doctor
from flare_core.solve import selftest
from tests.cli.conftest import Flare


def statuses(document: dict[str, list[dict[str, str]]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in document["findings"]:
        found.setdefault(each["check"], set()).add(each["status"])
    return found


def test_everything_works_here(flare: Flare, tmp_path: Path) -> None:
    done = flare("doctor", "--store", f"sqlite:///{tmp_path}/flare.db", "--json")
    assert done.status == 0
    assert done.document["ok"]
    found = statuses(done.document)
    assert set(found) == {"python", "library", "extra", "solver", "data", "time zones", "port", "store"}
    assert all(
        found[check] == {"ok"} for check in ("python", "library", "solver", "data", "time zones", "store")
    )


def test_a_line_a_finding(flare: Flare) -> None:
    lines = flare("doctor").out.splitlines()
    assert all(line.split()[0] in ("ok", "warn") for line in lines)
    assert not [line for line in lines if " store " in line]  # none was named


def test_a_store_that_does_not_answer_is_told(flare: Flare, tmp_path: Path) -> None:
    done = flare("doctor", "--store", f"sqlite:///{tmp_path}/absent/flare.db", "--json")
    assert done.status == 3
    assert statuses(done.document)["store"] == {"fail"}


def test_a_port_in_use_is_a_warning(flare: Flare) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = flare("doctor", "--port", str(server.getsockname()[1]), "--json")
    assert statuses(done.document)["port"] == {"warn"}
    assert done.status == 0


def test_a_solver_that_cannot_be_believed_is_told(flare: Flare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "KNOWN_BEST", 20)
    done = flare("doctor", "--json")
    assert done.status == 3
    assert statuses(done.document)["solver"] == {"fail"}


@pytest.mark.parametrize("name", ["numpy>=99", "numpy<1", "no-such-library>=1"])
def test_a_library_that_does_not_do(name: str, monkeypatch: pytest.MonkeyPatch, flare: Flare) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: [name])
    done = flare("doctor", "--json")
    assert done.status == 3
    assert statuses(done.document)["library"] == {"fail"}


def test_an_extra_that_is_absent_says_how_to_have_it(flare: Flare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    done = flare("doctor")
    assert done.status == 0
    assert "pip install flare-core[gateway]" in done.out
