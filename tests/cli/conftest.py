"""The command line run in this process: what it prints, and the status it leaves with."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flare_core.adapters.cli import main


@dataclass(frozen=True)
class Done:
    """What a run of the command line left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


Flare = Callable[..., Done]


@pytest.fixture
def flare(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Flare:
    """Run ``flare`` with the words of a line, or with words that are given one by one."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*words: str | Path, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Done(left.value.code, captured.out, captured.err)

    return run
