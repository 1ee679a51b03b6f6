"""S8: whatever conforms to the OpenAPI document is answered as it says, and whatever does not is refused.

Two of schemathesis' checks do not mean what this API means: a cancelled intent can still be read
(``use_after_free``), and what no schema tells may be refused (``positive_data_acceptance``; see ``hooks``).
Event streams have no end and are tested elsewhere, as are the pages for people.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from flare_core.adapters.gateway.http.table import OPERATIONS
from tests.conftest import ROOT
from tests.gateway.security.served import Served

OTHERS = ("watchIntent", "watchIntents", "docs", "docsFile", "metrics", "openapi", "ui", "uiFile")
TESTED = len(OPERATIONS) - len(OTHERS)
LEAST_ACCEPTED = 0.3
"""Of the intents that conform, those that are accepted, or refused for what the federation has.

The others are at the edges that schemathesis prefers: sizes of 2**53, texts of nothing but odd characters.
"""
UNDERSTOOD = {200, 201, 202, 402, 409, 422, 429}


@pytest.mark.parametrize(
    "examples", [pytest.param(2, id="reduced"), pytest.param(200, id="t1", marks=pytest.mark.t1)]
)
def test_the_api_is_what_its_description_says(server: Served, tmp_path: Path, examples: int) -> None:
    token, address = server.mint("ada"), f"http://127.0.0.1:{server.port}/openapi.json"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", address),
        *("--header", f"Authorization: Bearer {token}"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(examples)),
        *("--exclude-checks", "positive_data_acceptance,use_after_free"),
        *(part for each in OTHERS for part in ("--exclude-operation-id", each)),
        *("--generation-deterministic", "--no-shrink", "--continue-on-failure", "--warnings", "off"),
    ]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.gateway.contract.hooks",
        "FLARE_TEST_TALLY": str(tmp_path / "tally"),
        "PYTHONPATH": str(ROOT),
    }
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert server.client(token).ask("GET", "/api/v1/auth/verify").status == 200
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    assert f"Tested: {TESTED}" in run.stdout, run.stdout[-2_000:]
    assert not re.search(r"\d+ (?:failures|errors)", run.stdout)
    _look_at((tmp_path / "tally").read_text(), examples)


def _look_at(tally: str, examples: int) -> None:
    lines = [json.loads(line) for line in tally.splitlines()]
    asked = Counter(operation for operation, *_ in lines)
    assert len(asked) == TESTED
    assert sum(asked.values()) > 10 * examples
    conforming = [status for operation, positive, status, *_ in lines if positive and operation == SUBMIT]
    understood = sum(status in UNDERSTOOD for status in conforming)
    assert understood >= LEAST_ACCEPTED * len(conforming), Counter(conforming)
    assert {status for _, _, status, *_ in lines if status >= 500} == set()


SUBMIT = "POST /api/v1/intents"
