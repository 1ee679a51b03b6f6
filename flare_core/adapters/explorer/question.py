"""What the page asks, read strictly."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flare_core.errors import FlareError, OptionsError
from flare_core.intent.refusal import InvalidIntent

MOST_POINTS = 40
"""Points of a front that are shown, each with its placement."""

Term = Literal["cost", "performance", "latency", "carbon"]
Text = Annotated[str, Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
"""As the reader of JSON has it, in a gateway before this is read."""


class Weights(BaseModel):
    """Weights of ``Balanced_Optimization``; only their ratios matter."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cost: Annotated[float, Field(ge=0, le=1e6)] = 0
    performance: Annotated[float, Field(ge=0, le=1e6)] = 0
    latency: Annotated[float, Field(ge=0, le=1e6)] = 0
    carbon: Annotated[float, Field(ge=0, le=1e6)] = 0


class Question(BaseModel):
    """One question about one intent.

    Attributes
    ----------
    intent
        The JSON text as it stands in the editor; it may be wrong.
    ask
        ``quick``: the placement, and of a refusal only what each constraint removed. ``plan``: the placement,
        or why there is none. ``why``: what the placement rests on. ``front``: the compromises.
    now
        When is planned from; None is the present.
    weights
        None is the default.
    terms
        What a front weighs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    intent: Annotated[Text, Field(description="The intent as JSON text.")]
    ask: Literal["quick", "plan", "why", "front"] = "plan"
    now: Annotated[
        Annotated[Text, Field(max_length=64)] | None, Field(description="ISO 8601; null is the present.")
    ] = None
    weights: Weights | None = None
    terms: Annotated[list[Term], Field(min_length=2, max_length=3)] = ["cost", "carbon"]


def read_question(body: bytes | str) -> Question:
    """Read a question.

    Raises
    ------
    OptionsError
        Where it is none; the path names the field.
    """
    try:
        return Question.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    raise OptionsError(".".join(map(str, first["loc"])), first["msg"])


def faults(error: FlareError) -> list[dict[str, str]]:
    """Return what is wrong with an intent, each with the JSON path of its field."""
    found = error.errors if isinstance(error, InvalidIntent) else (error,)
    return [{"code": one.code.value, "path": one.path, "message": one.message} for one in found]
