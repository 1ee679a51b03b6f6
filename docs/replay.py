"""Replay the requests of the page on the HTTP API, and compare the answers with those that it shows.

::

    python docs/replay.py                                    # on a gateway that is started for it
    python docs/replay.py --url https://flare.example        # on another one, with $FLARE_TOKEN

Compared are status, keys and the form of values: an amount of money is an amount of money, a time is a time,
and null is null or something. Keys that the page leaves out are not asked for.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "http-api.md"
EXAMPLES = ROOT / "flare_core" / "examples"
FLARE = [sys.executable, "-c", "from flare_core.adapters.cli import main; main()"]

EXAMPLE = re.compile(r"```bash\n(curl .*?)```\s*Answer: (\d{3})\s*```json\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"```bash\n(curl .*?)```", re.DOTALL)
REMEMBERED = {"intent_id": "INTENT_ID", "token_id": "TOKEN_ID"}
FORMS = {
    "a rate": re.compile(r"\d+\.\d{2,6} EUR/hour"),
    "an amount": re.compile(r"\d+\.\d{2,6} EUR"),
    "a moment": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "a percentage": re.compile(r"[+-]?\d+(\.\d+)?%"),
    "an intent's id": re.compile(r"intent-[0-9a-f]{32}"),
    "a token's id": re.compile(r"tok_[0-9a-f]{32}"),
    "a token": re.compile(r"flr_[0-9A-Za-z]{39}"),
    "a request's id": re.compile(r"(?:urn:flare:request:)?req-[0-9a-f]{32}"),
    "a word": re.compile(r"[a-z]+(?:[-_][a-z]+)*"),
    "a code": re.compile(r"[A-Z]+(?:_[A-Z]+)+"),
}
EXACT = ("a code",)
"""Forms of which the value itself is shown."""


@dataclass(frozen=True)
class Example:
    """A request, and what is shown of its answer."""

    command: str
    status: int
    answer: Any


@dataclass(frozen=True)
class Exchange:
    """A request that was made, and its answer."""

    method: str
    path: str
    status: int
    answer: Any


def examples(page: str) -> list[Example]:
    """Return the examples of a page.

    Raises
    ------
    ValueError
        If a command is shown without its answer.
    """
    found = [
        Example(command, int(status), json.loads(answer)) for command, status, answer in EXAMPLE.findall(page)
    ]
    if len(found) != len(COMMAND.findall(page)):
        raise ValueError("a command without an answer")
    return found


def request_of(command: str, variables: Mapping[str, str]) -> urllib.request.Request:
    """Return the request that a ``curl`` command makes: ``-X``, ``-H``, ``-d`` and an address."""
    filled = re.sub(r"\$(\w+)", lambda name: variables[name[1]], command.replace("\\\n", " "))
    words = iter(shlex.split(filled)[1:])
    method, address, headers, body = "GET", "", {}, None
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = next(words)
            body = (EXAMPLES / data[1:]).read_bytes() if data.startswith("@") else data.encode()
        else:
            address = word
    return urllib.request.Request(address, body, headers, method=method)  # noqa: S310  # our own address


def answer_to(request: urllib.request.Request) -> tuple[int, Any]:
    """Make a request; an error is an answer."""
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  # our own address
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def differences(shown: Any, told: Any, path: str = "") -> Iterator[str]:
    """Yield how an answer is unlike the one that is shown."""
    if shown is None:
        return
    if isinstance(shown, dict) and isinstance(told, dict):
        for key, value in shown.items():
            if key in told:
                yield from differences(value, told[key], f"{path}.{key}".lstrip("."))
            else:
                yield f"{path}.{key} is missing".lstrip(".")
    elif isinstance(shown, list) and isinstance(told, list):
        if shown and not told:
            yield f"{path} is empty"
        for number, value in enumerate(told if shown else []):
            yield from differences(shown[0], value, f"{path}.{number}")
    elif told is not None and kind_of(shown) != kind_of(told):
        yield f"{path} is {told!r}, not {kind_of(shown)} as {shown!r}"


def kind_of(value: Any) -> str:
    """Name the form of a value."""
    if isinstance(value, str):
        form = next((name for name, form in FORMS.items() if form.fullmatch(value)), "a text")
        return repr(value) if form in EXACT else "a text" if form == "a word" else form
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "a number"


def replay(url: str, token: str) -> Iterator[tuple[Exchange, list[str]]]:
    """Make each request of the page in its order; yield what was answered, and how it differs."""
    variables = {"FLARE": url, "TOKEN": token}
    for example in examples(PAGE.read_text(encoding="utf-8")):
        request = request_of(example.command, variables)
        status, answer = answer_to(request)
        wrong = [] if status == example.status else [f"status {status}, not {example.status}: {answer}"]
        variables |= {
            name: answer[key] for key, name in REMEMBERED.items() if key in answer and status == 201
        }
        exchange = Exchange(request.get_method(), request.full_url.removeprefix(url), status, answer)
        yield exchange, wrong or list(differences(example.answer, answer))


@contextmanager
def gateway() -> Iterator[tuple[str, str]]:
    """Start a gateway of its own; yield where it is, and an administrator's token."""
    with tempfile.TemporaryDirectory() as folder:
        own = {key: value for key, value in os.environ.items() if not key.startswith("FLARE_")}
        # Patience: a solver that has just been started takes a moment for its first intent.
        environment = own | {"FLARE_STORE_URL": f"sqlite:///{folder}/flare.db", "FLARE_SUBMIT_WAIT_S": "20"}
        made = subprocess.run([*FLARE, "token", "create"], env=environment, capture_output=True, check=True)  # noqa: S603
        with subprocess.Popen(  # noqa: S603  # ourselves
            [*FLARE, "serve", "--port", "0", "--log-level", "error"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                found = re.search(r"http://[^,\s]+", process.stdout.readline())
                assert found, "it does not listen"
                wait_for(found[0])
                yield found[0], made.stdout.decode().strip()
            finally:
                process.terminate()


def wait_for(url: str, tries: int = 600) -> None:
    """Wait until a gateway is ready, a minute at most."""
    for _ in range(tries):
        if answer_to(urllib.request.Request(f"{url}/readyz"))[0] == 200:  # noqa: S310  # our own address
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} is not ready")


def main() -> int:
    """Replay, and say what differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--url", help="of a gateway that runs; its token is in $FLARE_TOKEN")
    given = parser.parse_args()
    if given.url:
        return told(replay(given.url.rstrip("/"), os.environ["FLARE_TOKEN"]))
    with gateway() as (url, token):
        return told(replay(url, token))


def told(replayed: Iterator[tuple[Exchange, list[str]]]) -> int:
    """Write a line for each request; return how many differ."""
    failed = 0
    for exchange, wrong in replayed:
        failed += bool(wrong)
        sys.stdout.write(f"{exchange.method} {exchange.path}: {exchange.status}\n")
        sys.stdout.writelines(f"    {each}\n" for each in wrong)
    return failed


if __name__ == "__main__":
    sys.exit(main())
