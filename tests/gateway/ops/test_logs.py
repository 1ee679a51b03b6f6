"""Logs: one event, one short line, whatever somebody has written into it, and no secret in any."""

import io
import json
import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flare_core.adapters.gateway.logs import LONGEST_LINE, configure, context, formatter, redact
from flare_core.adapters.gateway.settings import Settings

LOG = logging.getLogger("flare_core.tests")
HOSTILE = (
    "\r\n{}",
    '"}\n{"level": "info"}',
    "\x1b[31mred\x1b]0;title\x07",
    "\u2028\u2029\u0085",
    "\u202e\u2066\u200f\ufeff",
    "\x00\x7f\x9b",
    "é" * 9,
    "x" * 2**20,
    "😀" * 5000,
    "%s%n{}",
)


@pytest.fixture
def kept() -> Iterator[None]:
    """Put logging back as it was."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, logging.raiseExceptions)
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook, logging.raiseExceptions = hooks
    logging.captureWarnings(False)
    for name in ("flare_core", "uvicorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def out(kept: None) -> io.StringIO:
    """What is logged from now on, at the level with the most of it."""
    stream = io.StringIO()
    configure(Settings(log_level="debug"), stream)
    return stream


def events(out: io.StringIO) -> list[dict[str, Any]]:
    lines = out.getvalue().splitlines()
    assert all(line.isascii() and line.isprintable() and len(line) < LONGEST_LINE for line in lines)
    return [json.loads(line) for line in lines]


def line_of(extra: dict[str, Any], words: str = "words", **form: Any) -> str:
    record = logging.LogRecord("flare_core.x", logging.INFO, __file__, 1, words, (), None)
    record.__dict__ |= extra
    return formatter(Settings(**form)).format(record)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:8]))
def test_an_event_is_one_line_of_json_wherever_the_text_stands(out: io.StringIO, text: str) -> None:
    with context(request_id=text, user=text):
        LOG.info(text.replace("%", "%%"), extra={"value": text, "inside": {text: [text, {text: text}]}})
        LOG.info("%s", text)
    assert len(events(out)) == 2


@settings(max_examples=1000)
@given(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=40),
    st.sampled_from([*HOSTILE, "\ud800"]),
)
def test_a_thousand_hostile_values_make_a_thousand_lines(text: str, hostile: str) -> None:
    for form in ("json", "text"):
        line = line_of({"user": f"{text}{hostile[:2000]}{text}", f"k{text}": text}, log_format=form)
        assert line.isprintable()
        assert len(line.splitlines()) == 1
        if form == "json":
            assert line.isascii()
            assert len(line) < LONGEST_LINE
            assert json.loads(line)["event"] == "words"


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        10**5000,
        -(2**63),
        None,
        True,
        b"\x00\xff",
        {1: {2: {3: {4: {5: 6}}}}},
        [[[[[[1]]]]]],
        set(range(100)),
        ["x" * 999] * 999,
        {f"key{i}": "x" * 999 for i in range(999)},
        ValueError("a\nb"),
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_any_kind_is_shown_in_short(out: io.StringIO, value: object) -> None:
    LOG.info("words", extra={"value": value})
    assert events(out)[0]["event"] == "words"


def test_what_cannot_be_shown_does_not_lose_the_event(out: io.StringIO) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    LOG.info("words", extra={"value": Broken()})
    assert events(out)[0]["value"] == "<Broken: RuntimeError>"


def test_even_a_thousand_keys_leave_a_short_line() -> None:
    line = line_of({f"key{i}": "\u2028" * 300 for i in range(1000)})
    assert len(line) < LONGEST_LINE
    assert json.loads(line)["cut"] is True


SECRET = "flr_" + 13 * "Ab3"
WHERE_SECRETS_STAND = (
    f"Authorization: Bearer {SECRET}",
    f"bearer {SECRET}",
    f"Basic {SECRET}",
    f"postgresql+psycopg://ada:{SECRET}@db/flare",
    f"https://:{SECRET}@host",
    f"password={SECRET}&x",
    f"AWS_SECRET={SECRET}",
    f"x {SECRET} y",
    f"{'x' * 990}{SECRET}",
    f"eyJhbGciOiJSUzI1NiIs.{SECRET[4:]}.{SECRET[4:]}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET[4:]}\n-----END RSA PRIVATE KEY-----",
)


@pytest.mark.parametrize("text", WHERE_SECRETS_STAND)
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_secret_is_known_by_how_it_looks(text: str, form: str) -> None:
    digits = SECRET.removeprefix("flr_")
    assert digits not in redact(text)
    assert digits not in line_of({"value": text, "inside": [{text: text}]}, log_format=form)
    assert digits not in line_of({}, words=text, log_format=form)


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "authorization", "cookie", "db_password", "token", "api_token", "secret"),
        *("secrets", "credentials", "kubeconfig", "private_key", "api_key", "apikey"),
        *("env", "document", "body"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    line = line_of({name: "hunter2", "inside": {name: ["hunter2"]}})
    assert "hunter2" not in line
    assert json.loads(line)[name] == "***"


def test_the_id_of_a_token_is_no_secret() -> None:
    assert "tok_1" in line_of({"token_id": "tok_1"})


def test_an_exception_keeps_its_end_and_no_secret(out: io.StringIO) -> None:
    def deep(left: int) -> None:
        if not left:
            raise ValueError(f"at the end: Bearer {SECRET}\x1b[0m")
        deep(left - 1)

    try:
        deep(200)
    except ValueError:
        LOG.exception("failed")
    event = events(out)[0]
    assert event["exception"].rstrip().endswith("ValueError: at the end: Bearer ***")
    assert SECRET not in out.getvalue()


def test_what_nobody_caught_is_an_event_too(out: io.StringIO) -> None:
    def fail() -> None:
        raise LookupError("lost")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    event = events(out)[0]
    assert (event["level"], event["event"]) == ("critical", "uncaught")
    assert event["exception"].endswith("LookupError: lost")


def test_others_say_only_what_is_a_warning(out: io.StringIO) -> None:
    for name in ("sqlalchemy.engine", "httpx", "asyncio", "some.library"):
        logging.getLogger(name).debug("SQL with parameters")
        logging.getLogger(name).info("a URL")
        logging.getLogger(name).warning("said")
    assert [event["event"] for event in events(out)] == ["said"] * 4


def test_the_context_holds_in_the_block_alone(out: io.StringIO) -> None:
    with context(request_id="req-1", user="ada"):
        LOG.info("first", extra={"intent": "intent-1"})
    LOG.info("second")
    first, second = events(out)
    assert (first["request_id"], first["user"], first["intent"]) == ("req-1", "ada", "intent-1")
    assert "request_id" not in second
    assert (second["logger"], second["level"], second["pid"]) == ("flare_core.tests", "info", os.getpid())


def test_people_read_one_line_and_an_exception_below_it(kept: None) -> None:
    stream = io.StringIO()
    configure(Settings(log_format="text"), stream)
    try:
        raise ValueError("a\nforged line\x1b[0m")
    except ValueError:
        LOG.exception("failed", extra={"user": "ada\nroot", "count": 3})
    lines = stream.getvalue().splitlines()
    assert "error    failed" in lines[0]
    assert "count=3" in lines[0]
    assert r"user=ada\nroot" in lines[0]
    assert all(line.startswith("    ") and line.isprintable() for line in lines[1:])
    assert "    forged line\\x1b[0m" in lines


def _say(path: Path, who: int) -> None:
    with path.open("a") as stream:
        configure(Settings(), stream)
        for i in range(300):
            LOG.info("words", extra={"who": who, "number": i, "much": "x" * (i * 7 % 1000)})


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "log"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_say, args=(path, who)) for who in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    said = {(event["who"], event["number"]) for event in map(json.loads, path.read_text().splitlines())}
    assert len(said) == 600
