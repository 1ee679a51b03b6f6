"""S1: who may do what is a table, reviewed line by line, and the gateway keeps to it."""

import csv
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from flare_core.adapters.gateway.tokens import Permission, new_secret
from tests.gateway.security.served import Answer, Client, Served, intent

HERE = Path(__file__).parent
LETTERS = dict(zip("rwdgta", Permission, strict=True))
"""r intents:read, w intents:write, d intents:delete, g resources:read, t tokens:manage, a admin:*"""
ABSENT_INTENT = "intent-" + "0" * 32
ABSENT_TOKEN = "tok_" + "0" * 32
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

figures = pytest.mark.parametrize(
    "step", [pytest.param(5, id="reduced"), pytest.param(1, id="t1", marks=pytest.mark.t1)]
)


def table(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(newline="") as file:
        return list(csv.DictReader(file))


PERMISSIONS = table("permissions.csv")
CREDENTIALS = table("credentials.csv")


class World(NamedTuple):
    """Two users, what each of them has, and a token of the first for each set of permissions."""

    client: Client
    tokens: dict[str, str]
    objects: dict[tuple[str, str], str]

    def ask(self, endpoint: str, whose: str, token: str) -> Answer:
        """Send the request that the table means: about an object of one's own, another's, or none."""
        method, path = endpoint.split()
        kind = "intent" if path.startswith("/api/v1/intents") else "token"
        path = path.replace("{id}", self.objects.get((kind, whose), ""))
        body = None
        if endpoint == "POST /api/v1/intents":
            # A new name; the name of another user's intent; nothing at all.
            body = intent("bobs" if whose == "other" else "new")
            path += "?dry_run=true" if whose == "absent" else ""
        elif endpoint == "POST /api/v1/explore":
            body = {"intent": "{}"}  # whose tokens make no difference
        elif endpoint == "POST /api/v1/auth/tokens":
            body = {"name": "made", "permissions": ["tokens:manage"]}
            body |= {} if whose == "own" else {"user_id": self.objects["user", whose]}
        elif endpoint in ("GET /api/v1/intents", "GET /api/v1/auth/tokens") and whose != "own":
            path += f"?user_id={self.objects['user', whose]}"
        answer = self.client.ask(method, path, json=body, token=token)
        if answer.status in (201, 202) and method == "POST" and "intents" in path:
            place = f"/api/v1/intents/{answer.json['intent_id']}"  # its name is free for the next one
            assert self.client.ask("DELETE", place, token=self.tokens["rwdgta"]).status == 202
        return answer


@pytest.fixture(scope="module")
def world(server: Served) -> Iterator[World]:
    names = ["".join(c if on else "-" for c, on in zip(LETTERS, bits, strict=True)) for bits in SUBSETS]
    wanted = [("ada", frozenset(LETTERS[c] for c in name if c != "-")) for name in names]
    tokens = dict(zip(names, server.mint_many(wanted), strict=True))
    client = server.client()
    objects = {
        ("user", "other"): "bob",
        ("user", "absent"): "nobody",
        ("intent", "absent"): ABSENT_INTENT,
        ("token", "absent"): ABSENT_TOKEN,
    }
    for whose, user in (("own", "ada"), ("other", "bob")):
        secret = server.mint(user)
        made = client.ask("POST", "/api/v1/intents", json=intent(f"{user}s"), token=secret)
        objects["intent", whose] = made.json["intent_id"]
        token = client.ask("POST", "/api/v1/auth/tokens", json={"name": "victim"}, token=secret)
        objects["token", whose] = token.json["token_id"]
    yield World(client, tokens, objects)
    client.close()


SUBSETS = list(itertools.product((False, True), repeat=len(LETTERS)))


def test_the_table_has_every_case_once() -> None:
    endpoints = {row["endpoint"] for row in PERMISSIONS}
    assert len(endpoints) == 10
    assert len({(row["endpoint"], row["permissions"]) for row in PERMISSIONS}) == len(PERMISSIONS) == 10 * 64
    assert len({(row["endpoint"], row["credential"]) for row in CREDENTIALS}) == len(CREDENTIALS) == 80
    assert {row["endpoint"] for row in CREDENTIALS} == endpoints


@figures
def test_a_token_may_what_the_table_says(world: World, step: int) -> None:
    """A submission is 201 where the solver was quicker than the answer, else 202."""
    wrong, cases = [], 0
    # Every set of permissions is tried in a reduced run too, since there are 64 of them: an odd step.
    for row in PERMISSIONS[::step]:
        for whose in ("own", "other", "absent"):
            answer = world.ask(row["endpoint"], whose, world.tokens[row["permissions"]])
            got = 202 if (answer.status, row[whose]) == (201, "202") else answer.status
            cases += 1
            if str(got) != row[whose]:
                wrong.append(
                    (row["endpoint"], row["permissions"], whose, row[whose], answer.status, answer.body)
                )
    assert not wrong, f"{len(wrong)} of {cases}: {wrong[:5]}"
    assert step > 1 or cases == 1920


@figures
def test_who_is_not_known_is_told_what_the_table_says(server: Served, world: World, step: int) -> None:
    expired = server.mint("ada", life_s=1, now=LONG_AGO)
    revoked = server.mint("ada")
    own = world.client.ask("GET", "/api/v1/auth/verify", token=revoked).json["token_id"]
    assert world.client.ask("DELETE", f"/api/v1/auth/tokens/{own}", token=revoked).status == 200
    good = server.mint("ada")
    unknown = new_secret()
    credentials: dict[str, list[tuple[str, str]]] = {
        "missing": [],
        "not bearer": [("Authorization", f"Basic {good}")],
        "malformed": [("Authorization", f"Bearer {good[:-1]}")],
        "unknown": [("Authorization", f"Bearer {unknown}")],
        "expired": [("Authorization", f"Bearer {expired}")],
        "revoked": [("Authorization", f"Bearer {revoked}")],
        "two headers": [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")],
        "16 KB": [("Authorization", f"Bearer flr_{'x' * 16 * 1024}")],
    }
    wrong = []
    for row in CREDENTIALS[::step]:
        method, path = row["endpoint"].split()
        path = path.replace("{id}", ABSENT_INTENT)
        answer = server.client().ask(method, path, headers=credentials[row["credential"]], token="")
        if (str(answer.status), answer.code) != (row["status"], row["code"]):
            wrong.append((row, answer.status, answer.body[:200]))
    assert not wrong
