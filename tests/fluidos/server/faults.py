"""How the API server says no: Status objects with the codes and reasons of a genuine one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    500: "InternalError",
    504: "Timeout",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with an object, at a path of it."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def to_dict(self) -> Json:
        return {"field": self.field, "message": self.message, "reason": self.reason}


class Fault(Exception):
    def __init__(self, code: int, message: str, reason: str = "", details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason or REASONS[code],
            "code": code,
            **({"details": details} if details else {}),
        }


def invalid(what: str, name: str, causes: Sequence[Cause]) -> Fault:
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    message = f'{what} "{name}" is invalid: ' + (told[0] if len(told) == 1 else f"[{', '.join(told)}]")
    details = {"name": name, "kind": what.split(".")[0], "causes": [cause.to_dict() for cause in causes]}
    return Fault(422, message, details=details)


def not_found(resource: str, name: str) -> Fault:
    return Fault(404, f'{resource} "{name}" not found', details={"name": name, "kind": resource})
