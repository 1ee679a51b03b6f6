"""Objects that go between a process and the children that it has started itself; nothing from elsewhere."""

import io
import pickle
from multiprocessing.reduction import ForkingPickler
from types import MappingProxyType
from typing import Any


class _Pickler(ForkingPickler):
    """Takes read-only mappings as well."""

    def reducer_override(self, obj: object) -> Any:
        return (dict, (dict(obj),)) if isinstance(obj, MappingProxyType) else NotImplemented


def packed(message: object) -> bytes:
    """Return an object as bytes."""
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(message)
    return buffer.getvalue()


def unpacked(message: bytes) -> object:
    """Return the object of its bytes; they are of a process that this one has started."""
    return pickle.loads(message)  # noqa: S301  of our own child, about the operator's own files
