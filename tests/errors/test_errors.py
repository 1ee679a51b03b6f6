"""The error tree: codes, wording, and crossing processes."""

from copy import copy as copied

import pytest

from flare_core.errors import (
    CancelledError,
    ErrorCode,
    FlareError,
    IntentError,
    InternalError,
    InventoryError,
    NotSupportedError,
    OptionsError,
    found_expected,
)
from flare_core.intent.refusal import InvalidIntent

EACH = (
    FlareError(ErrorCode.REGION_UNAVAILABLE, "constraints.location", "no"),
    IntentError(ErrorCode.MISSING_REQUIRED_FIELD, "objective", "missing"),
    InventoryError("offers.json", "empty"),
    OptionsError("seed", "negative"),
    NotSupportedError("workload.resources.gpu.multi_instance", "MIG instances"),
    CancelledError(),
    InternalError("two searches disagree"),
)


@pytest.mark.parametrize("error", EACH, ids=lambda e: type(e).__name__)
def test_an_error_crosses_a_process_boundary_whole(error: FlareError) -> None:
    copy = copied(error)  # by the same protocol as pickle
    assert type(copy) is type(error)
    assert (copy.code, copy.path, copy.message, str(copy)) == (
        error.code,
        error.path,
        error.message,
        str(error),
    )


def test_every_class_of_the_tree_is_tried() -> None:
    def below(kind: type[FlareError]) -> set[type[FlareError]]:
        return {kind}.union(*(below(k) for k in kind.__subclasses__()))

    assert below(FlareError) - {type(e) for e in EACH} == {InvalidIntent}


def test_the_path_comes_first_and_may_be_missing() -> None:
    assert str(OptionsError("seed", "found -1")) == "seed: found -1"
    assert str(FlareError(ErrorCode.INVALID_FORMAT, "", "found nothing")) == "found nothing"


def test_what_is_not_supported_says_so_and_is_a_matter_of_format() -> None:
    error = NotSupportedError("constraints.availability", "times")
    assert error.code is ErrorCode.INVALID_FORMAT
    assert "not supported yet" in str(error)


def test_long_findings_are_cut() -> None:
    text = found_expected("x" * 500, "less")
    assert len(text) < 120
    assert text.endswith("..., expected less")
