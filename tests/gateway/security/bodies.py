"""Bodies that mean harm: documents in a file, whole intents with one thing wrong, and generated ones."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from tests.gateway.security.served import Json, changed, intent
from tests.intent.documents import EXAMPLES, example

DOCUMENTS = Path(__file__).parent / "json_documents.tsv"


class Document(NamedTuple):
    """A body; `valid` is whether it is JSON as the gateway reads it."""

    name: str
    valid: bool
    body: bytes


def documents() -> Iterator[Document]:
    """Yield the documents of the file, of the classes of the JSON parsing test suite.

    A line is ``y`` or ``n``, the name, and the body with escapes; or a beginning, a count, a middle and an
    end, where beginning and end are repeated so many times. What is forbidden here and allowed by RFC 8259
    (numbers beyond 2**53, duplicate keys, lone surrogates) is ``n``.
    """
    for line in DOCUMENTS.read_text(encoding="ascii").splitlines():
        kind, name, *parts = line.split("\t")
        if len(parts) == 1:
            body = _bytes(parts[0])
        else:
            count = int(parts[1])
            body = _bytes(parts[0]) * count + _bytes(parts[2]) + _bytes(parts[3]) * count
        yield Document(name, kind == "y", body)


def _bytes(escaped: str) -> bytes:
    return escaped.encode().decode("unicode_escape").encode("latin-1")


# --- whole intents with one thing wrong -----------------------------------------------------------------

COUNTS = (
    "workload.resources.gpu.count",
    "workload.resources.gpu.cores",
    "workload.scaling.min_replicas",
    "workload.ports.0.port",
    "constraints.negotiation.max_negotiation_rounds",
)
NO_COUNTS: tuple[object, ...] = (True, 1.0, 1.5, "1", -1, 2**31, 2**53, [1], {"n": 1}, None)
HUGE = "x" * 500_000


def intents() -> Iterator[Document]:
    """Yield intents that are JSON, or nearly, and that must be refused."""
    whole = intent("own")
    for path in COUNTS:
        for value in NO_COUNTS:
            yield _dumped(f"{path} is {value!r}", changed(whole, path, value))
    for name, document in (
        ("an unknown field", changed(whole, "workload.surprise", 1)),
        ("a key of 500,000 characters", changed(whole, f"workload.{HUGE}", 1)),
        ("a value of 500,000 characters", changed(whole, "workload.image", HUGE)),
        ("a name of 500,000 characters", changed(whole, "workload.name", HUGE)),
        ("10,001 variables", changed(whole, "workload.env", [f"K{i}=v" for i in range(10_001)])),
        ("10,000 equal variables", changed(whole, "workload.env", ["K=v"] * 10_000)),
        ("20,000 ports", changed(whole, "workload.ports", [{"port": 80}] * 20_000)),
        ("30,000 keys", changed(whole, "workload", {f"k{i}": i for i in range(30_000)})),
        ("a list for an object", changed(whole, "workload", [])),
        ("an object for a list", changed(whole, "workload.env", {})),
        ("a number for an object", changed(whole, "constraints", 1)),
        ("null for an object", changed(whole, "sla", None)),
        ("null for the workload", changed(whole, "workload", None)),
        ("30 levels", changed(whole, "workload.env", json.loads("[" * 28 + "]" * 28))),
        (
            "a million replicas and too few",
            changed(whole, "workload.scaling", {"min_replicas": 10, "max_replicas": 1}),
        ),
        ("a price of forty digits", changed(whole, "constraints.max_hourly_cost", f"{'9' * 40} EUR")),
        ("a price with an exponent", changed(whole, "constraints.max_hourly_cost", "1e999 EUR")),
        ("another currency", changed(whole, "constraints.max_hourly_cost", "10 USD")),
        ("an image with a control character", changed(whole, "workload.image", "a\u0007b")),
        ("a path that leads up", changed(whole, "workload.storage.volumes.0.path", "/../etc")),
        ("a NUL", changed(whole, "workload.commands", ["a\u0000b"])),
        ("two intents", {"intent": whole["intent"], "more": whole["intent"]}),
        ("an intent in an intent", {"intent": whole}),
    ):
        yield _dumped(name, document)
    text = json.dumps(whole)
    for name, body in (
        (
            "a key twice at the top",
            text.replace('"objective"', '"objective": "Balanced_Optimization", "objective"'),
        ),
        ("a key twice inside", text.replace('"count": 1', '"count": 1, "count": 9')),
        ("a key twice by escape", text.replace('"count": 1', '"count": 1, "c\\u006funt": 9')),
        ("1e999", text.replace('"count": 1', '"count": 1e999')),
        ("NaN", text.replace('"count": 1', '"count": NaN')),
        ("-Infinity", text.replace('"count": 1', '"count": -Infinity')),
        ("an integer beyond 2**53", text.replace('"count": 1', '"count": 9007199254740993')),
        ("an integer of 400,000 digits", text.replace('"count": 1', f'"count": {"1" * 400_000}')),
        ("a lone surrogate", text.replace("own", "\\ud800")),
        ("trailing text", text + "x"),
        ("a second document", text + text),
        ("a comment", text + "// the end"),
        ("cut in the middle", text[: len(text) // 2]),
        ("single quotes", text.replace('"', "'")),
        ("form encoding", "intent=" + text),
    ):
        yield Document(name, valid=False, body=body.encode())
    yield Document("a byte order mark", valid=False, body=b"\xef\xbb\xbf" + text.encode())
    yield Document("UTF-16", valid=False, body=text.encode("utf-16"))
    yield Document("bytes that are no UTF-8", valid=False, body=text.encode().replace(b"own", b"\xff\xfe"))


def _dumped(name: str, document: Json) -> Document:
    return Document(name, valid=True, body=json.dumps(document).encode())


# --- generated ------------------------------------------------------------------------------------------

JUNK = (
    b"\x00",
    b"\xff",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"true",
    b"-",
    b"1e999",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"9007199254740993",
    b"\xe2\x80\xae",
    b"\n",
)
VALUES: tuple[object, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 2**31, 2**53, -(2**53), 1e300, 5e-324),
    *(
        "",
        " ",
        "any",
        "0",
        "-1",
        "1e9",
        "80Gi",
        "NaN",
        "10 EUR",
        "10 USD",
        "2026-01-15T10:35:00Z",
        "\u202e",
        "é" * 99,
    ),
    *([], {}, [[]], [{}], {"a": 1}, ["a"] * 50),
)


def generated(count: int, seed: int) -> Iterator[bytes]:
    """Yield the reference's examples with bytes or values changed."""
    rng = random.Random(seed)
    whole = [example(name) for name in EXAMPLES]
    texts = [json.dumps(document).encode() for document in whole]
    for number in range(count):
        if number % 2:
            yield _with_other_bytes(rng, rng.choice(texts))
        else:
            yield json.dumps(_with_another_value(rng, rng.choice(whole))).encode()


def _with_other_bytes(rng: random.Random, text: bytes) -> bytes:
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text))
        end = start + rng.choice((0, 1, 1, 3, 40))
        text = text[:start] + rng.choice((b"", rng.choice(JUNK), rng.randbytes(2))) + text[end:]
    return text


def _with_another_value(rng: random.Random, document: Json) -> Json:
    copy: Json = json.loads(json.dumps(document))
    for _ in range(rng.randint(1, 3)):
        place: Any = copy["intent"] if isinstance(copy.get("intent"), dict) else copy
        while place:
            key: Any = rng.choice(sorted(place)) if isinstance(place, dict) else rng.randrange(len(place))
            if rng.random() < 0.35 or not isinstance(place[key], dict | list):
                place[key] = deepcopy(rng.choice(VALUES))  # what follows may change it
                break
            place = place[key]
    return copy
