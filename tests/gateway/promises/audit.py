"""An auditor of the store that shares no code with the gateway: plain SQL, and the inventory's JSON.

Bookings are replayed in the order of commits, which the numbers of the events tell: after every commit no
GPU, slot, MIG instance, core or MiB may be in use twice.
"""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

Row = Mapping[str, Any]

HOLDING = {"reserved", "running"}
LEGAL = {
    None: {"pending"},
    "pending": {"queued", "reserved", "failed", "cancelled", "refused"},
    "queued": {"reserved", "failed", "cancelled"},
    "reserved": {"running", "queued", "failed", "cancelled"},
    "running": {"completed", "queued", "failed", "cancelled"},
    "completed": set[str](),
    "failed": {"refused"},
    "cancelled": set[str](),
    "refused": set[str](),
}
"""What may follow what; a step to the same state changes something else: a price, a note."""
SLICES = {"1g": 1, "2g": 2, "3g": 4, "4g": 4, "7g": 8}
"""Memory slices of an H100's instances. Source: NVIDIA MIG User Guide, "H100 MIG Profiles"."""
MIB = {"Mi": 1, "Gi": 1024, "Ti": 1024**2}


@dataclass(frozen=True, slots=True)
class Books:
    """What the store says at one moment."""

    intents: Sequence[Row]
    history: Sequence[Row]
    bookings: Sequence[Row]
    events: Sequence[Row]
    keys: Sequence[Row]

    @property
    def states(self) -> dict[str, str]:
        return {row["id"]: row["state"] for row in self.intents}


TABLES = ("intents", "history", "bookings", "events", "keys")


def read_books(url: str) -> Books:
    """Return the tables as one transaction sees them."""
    if url.startswith("sqlite"):
        return _from_sqlite(url.removeprefix("sqlite:///"))
    parts = urlsplit(url)
    address = parts._replace(scheme="postgresql").geturl()
    with psycopg.connect(address, row_factory=dict_row) as server:
        server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return Books(*(server.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES))  # noqa: S608  # constants


def _from_sqlite(path: str) -> Books:
    with closing(sqlite3.connect(path, timeout=30)) as store:
        store.row_factory = sqlite3.Row
        store.execute("BEGIN")
        return Books(*([dict(row) for row in store.execute(f"SELECT * FROM {t}")] for t in TABLES))  # noqa: S608  # constants


# --- what there is ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stock:
    """One offer: how many nodes of what."""

    nodes: int | None
    gpus: int
    slots: int
    whole: bool
    cpu_milli: int
    memory_mib: int

    @classmethod
    def of(cls, offer: Row) -> "Stock":
        gpu = offer["gpu"] or {}
        return cls(
            nodes=offer["nodes"],
            gpus=gpu.get("count", 0),
            slots=gpu.get("sharing_slots") or 0,
            whole=offer["price"].get("billing", "node") == "node",
            cpu_milli=int(offer["cpu"]) * 1000,
            memory_mib=_mib(offer["memory"]),
        )


def read_stock(document: Row) -> dict[str, Stock]:
    return {offer["id"]: Stock.of(offer) for offer in document["offers"]}


def _mib(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi|Ti)", text).groups()  # type: ignore[union-attr]  # else the world is wrong
    return int(number) * MIB[unit]


# --- what is wrong ----------------------------------------------------------------------------------


def audit(books: Books, stock: Mapping[str, Stock]) -> list[str]:
    """Return everything that is wrong with the books."""
    return [*history_faults(books), *holding_faults(books), *replay_faults(books, stock)]


def history_faults(books: Books) -> Iterator[str]:
    """Yield what is wrong with the histories: gaps, illegal steps, other ends than the intents'."""
    steps: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(books.history, key=lambda row: row["version"]):
        steps[row["intent"]].append(row)
    for intent in books.intents:
        own = steps.pop(intent["id"], [])
        if [row["version"] for row in own] != list(range(1, intent["version"] + 1)):
            yield f"{intent['id']}: versions {[row['version'] for row in own]} of {intent['version']}"
        states = [None, *(row["after"] for row in own)]
        for row, before in zip(own, states, strict=False):
            if row["before"] != before or row["after"] not in LEGAL[before] | ({before} - {None}):
                yield f"{intent['id']}: from {before} by {row['before']} to {row['after']}"
        if states[-1] != intent["state"]:
            yield f"{intent['id']}: {states[-1]} in the history, {intent['state']} in the books"
    yield from (f"{intent}: a history without an intent" for intent in steps)


def holding_faults(books: Books) -> Iterator[str]:
    """Yield intents that hold without a right to, or have the right and hold nothing."""
    held = {row["intent"] for row in books.bookings if row["released"] is None}
    ought = {intent for intent, state in books.states.items() if state in HOLDING}
    yield from (f"{intent}: holds and is {books.states.get(intent)}" for intent in sorted(held - ought))
    yield from (f"{intent}: {books.states[intent]} and holds nothing" for intent in sorted(ought - held))


def replay_faults(books: Books, stock: Mapping[str, Stock]) -> Iterator[str]:
    """Yield what was booked twice after any commit, and what ran twice, whatever it was booked for."""
    rounds = {intent: iter(list(own)) for intent, own in _rounds(books.bookings).items()}
    held: dict[str, list[Row]] = {}
    runs = set[str]()
    nodes: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in sorted(books.events, key=lambda row: row["id"]):
        state, intent = json.loads(event["data"]).get("state"), event["intent"]
        if state is None:
            continue
        if state not in HOLDING:
            runs.discard(intent)
            for row in held.pop(intent, ()):
                nodes[row["offer"], row["node"]].discard(intent)
            continue
        if intent not in held:
            held[intent] = new = next(rounds.get(intent, iter(())), [])
            if not new:
                yield f"{intent}: reserved without a booking"
            for place in {(row["offer"], row["node"]) for row in new}:
                nodes[place].add(intent)
                rows = [r for i in nodes[place] for r in held[i] if (r["offer"], r["node"]) == place]
                rows = _late(rows, intent, event["at"])
                # Two of whom one is late and the other waits for it are nothing that this one has done.
                yield from _more(stock, place, rows, [row for row in rows if row["intent"] != intent])
        if state == "running" and intent not in runs:
            runs.add(intent)
            for place in {(row["offer"], row["node"]) for row in held[intent]}:
                rows = [r for i in nodes[place] & runs for r in held[i] if (r["offer"], r["node"]) == place]
                yield from node_faults(stock, place, [{**row, "end": None} for row in rows])
    yield from (f"{i}: booked and never reserved" for i, own in rounds.items() if next(own, None))


def _late(rows: Sequence[Row], new: str, now: int) -> list[Row]:
    """Return the rows of a node, those of others without end whose time is over and that still hold."""
    over = [row["intent"] != new and row["end"] is not None and row["end"] <= now for row in rows]
    return [{**row, "end": None} if late else row for row, late in zip(rows, over, strict=True)]


def _more(
    stock: Mapping[str, Stock], place: tuple[str, int], rows: Sequence[Row], before: Sequence[Row]
) -> Iterator[str]:
    """Yield what is wrong with these rows that was not with those before."""
    known = {*node_faults(stock, place, before)} if before else set()
    yield from (fault for fault in node_faults(stock, place, rows) if fault not in known)


def _rounds(bookings: Iterable[Row]) -> dict[str, list[list[Row]]]:
    """Return the bookings of each intent, a list for each time that it was reserved."""
    found: dict[str, dict[int | None, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(bookings, key=lambda row: row["id"]):
        found[row["intent"]][row["released"]].append(row)
    return {intent: list(own.values()) for intent, own in found.items()}


def node_faults(stock: Mapping[str, Stock], place: tuple[str, int], rows: Sequence[Row]) -> Iterator[str]:
    """Yield what is used twice on a node at some moment."""
    offer, node = place
    have = stock.get(offer)
    if have is None or (have.nodes is not None and not 0 <= node < have.nodes):
        yield f"{offer}, node {node}: there is none"
        return
    if have.nodes is None and len({row["intent"] for row in rows}) > 1:  # to each its own
        for intent in sorted({row["intent"] for row in rows}):
            yield from node_faults(stock, place, [row for row in rows if row["intent"] == intent])
        return
    for moment in {row["start"] for row in rows}:
        now = [r for r in rows if r["start"] <= moment and (r["end"] is None or moment < r["end"])]
        yield from (f"{offer}, node {node}: {fault}" for fault in _at_once(have, now))


def _at_once(have: Stock, rows: Sequence[Row]) -> Iterator[str]:
    """Yield what these rows, all at the same time, have more of than there is."""
    users = {row["intent"] for row in rows}
    if have.whole and len(users) > 1:
        yield f"billed whole, and of {sorted(users)}"
    for what, limit in (("cpu_milli", have.cpu_milli), ("memory_mib", have.memory_mib)):
        if (total := sum(row[what] for row in rows)) > limit:
            yield f"{total} {what} of {limit}"
    for gpu in {gpu for row in rows for gpu in _gpus(row)}:
        own = [row for row in rows if gpu in _gpus(row)]
        if not 0 <= gpu < have.gpus:
            yield f"there is no GPU {gpu}"
        if any(_is_whole(row) for row in own) and len(own) > 1:
            yield f"GPU {gpu} whole, and of {[row['intent'] for row in own]}"
        if (slots := sum(row["slots"] for row in own)) > have.slots:
            yield f"{slots} slots of GPU {gpu}, which has {have.slots}"
        parts = [slices for row in own for slices in _slices(row, gpu)]
        if any(max(a, c) < min(b, d) for (a, b), (c, d) in combinations(parts, 2)):
            yield f"instances {sorted(parts)} of GPU {gpu}"


def _gpus(row: Row) -> list[int]:
    return [int(gpu) for gpu in row["gpus"].split()]


def _is_whole(row: Row) -> bool:
    return not row["slots"] and row["profile"] is None


def _slices(row: Row, gpu: int) -> Iterator[tuple[int, int]]:
    """Yield the memory slices of a GPU that an instance takes."""
    if row["profile"] is not None:
        size = 2 if row["profile"].startswith("1g.20gb") else SLICES[row["profile"].split(".")[0]]
        for own, start in zip(_gpus(row), map(int, row["starts"].split()), strict=True):
            if own == gpu:
                yield start, start + size


def free_gpus(books: Books, stock: Mapping[str, Stock]) -> dict[str, int]:
    """Return the wholly free GPUs of each offer that can run out, by what is booked and not released."""
    used: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for row in books.bookings:
        if row["released"] is None:
            taken = range(stock[row["offer"]].gpus) if stock[row["offer"]].whole else _gpus(row)
            used[row["offer"]] |= {(row["node"], gpu) for gpu in taken}
    return {
        name: have.nodes * have.gpus - len(used[name])
        for name, have in stock.items()
        if have.nodes is not None
    }


# --- what was said ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """What a gateway told a client about one request that makes an intent.

    Attributes
    ----------
    name
        Name of the workload, one of a kind in the whole test.
    status
        HTTP status; None where no answer came.
    intent
        Id that was told.
    """

    name: str
    status: int | None
    intent: str | None = field(default=None)


def promise_faults(books: Books, words: Iterable[Word]) -> Iterator[str]:
    """Yield intents that were acknowledged and are lost, refused and are there, or there more than once."""
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in books.intents:
        if row["state"] != "refused":
            by_name[row["name"]].append(row)
    for word in words:
        there = by_name[word.name]
        if len(there) > 1:
            yield f"{word.name}: {len(there)} times"
        if word.status in (201, 202) and word.intent not in {row["id"] for row in there}:
            yield f"{word.name}: {word.intent} was acknowledged and is lost"
        if word.status is not None and 400 <= word.status < 500 and there:
            yield f"{word.name}: refused with {word.status}, and is {[row['state'] for row in there]}"
