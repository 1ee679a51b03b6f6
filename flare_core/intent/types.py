"""The intent as a whole: its four sections, and what holds between them."""

from copy import deepcopy
from typing import Literal, Self

from pydantic import PrivateAttr, model_validator

from flare_core.intent.constraints import Constraints
from flare_core.intent.fields import Misfit, Part
from flare_core.intent.json import Json
from flare_core.intent.sla import Sla
from flare_core.intent.workload import Workload


class Intent(Part):
    """One request, validated, its values in base units; made by :func:`~flare_core.intent.read_intent`.

    The document as it was written is kept, so that it can be carried on and cited unchanged.
    ``Energy_Efficiency`` extends the objectives of the API reference.
    """

    objective: Literal[
        "Cost_Minimization",
        "Performance_Maximization",
        "Latency_Minimization",
        "Balanced_Optimization",
        "Energy_Efficiency",
    ]
    workload: Workload
    constraints: Constraints = Constraints()
    sla: Sla = Sla()

    _document: dict[str, Json] = PrivateAttr(default_factory=dict)

    def model_post_init(self, document: dict[str, Json] | None, /) -> None:
        """Keep the document, which comes as the context of the validation."""
        self._document = document or {}

    @property
    def name(self) -> str:
        """The workload's name."""
        return self.workload.name

    def to_dict(self) -> dict[str, Json]:
        """Return the document as it was written, as ``{"intent": {...}}``."""
        return {"intent": deepcopy(self._document)}

    def written(self, path: str) -> Json:
        """Return what the document says at a JSON path, such as ``"10 EUR"``; None where it says nothing."""
        value: Json = self._document
        for part in path.split("."):
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return deepcopy(value)

    @model_validator(mode="after")
    def _total_cost_has_an_end(self) -> Self:
        limits = self.constraints
        if self.workload.type == "service" and limits.max_total_cost is not None and limits.deadline is None:
            raise Misfit(
                "a deadline beside it, without which a service has no total cost",
                found="a total cost limit on a service",
                at=("constraints", "max_total_cost"),
            )
        return self

    @model_validator(mode="after")
    def _checkpoint_has_a_volume(self) -> Self:
        if self.sla.backup_strategy == "checkpoint" and not self.workload.storage.persistent:
            raise Misfit("it only with a persistent volume to write to", at=("sla", "backup_strategy"))
        return self
