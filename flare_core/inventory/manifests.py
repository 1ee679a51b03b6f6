"""Kubernetes objects from text: JSON, or YAML with one object after the other."""

from typing import TYPE_CHECKING, Final

from flare_core.errors import IntentError, InventoryError
from flare_core.intent.json import parse_json

if TYPE_CHECKING:
    import yaml

MAX_BYTES: Final = 32 * 2**20
"""Largest text of YAML, which is read slowly."""


def manifests(text: str, name: str) -> list[object]:
    """Read the objects of a text.

    Parameters
    ----------
    name
        Where it came from, for messages.

    Raises
    ------
    InventoryError
        If it is neither, holds an alias (which kubectl never prints, and with which a short text can mean an
        endless one) or a key twice, or PyYAML is not there to read it.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [parse_json(text, max_bytes=8 * MAX_BYTES)]
        except IntentError as error:
            raise InventoryError(error.path or name, error.message) from None
    if len(text) > MAX_BYTES:
        raise InventoryError(name, f"found more than {MAX_BYTES} characters of YAML, expected at most that")
    try:
        import yaml
    except ImportError:
        message = "reading YAML needs PyYAML: install flare-core with the extra 'fluidos'"
        raise InventoryError(name, message) from None
    try:
        _refuse_aliases(text, name)
        loader = yaml.SafeLoader(text)
        found: list[object] = []
        while (node := loader.get_node() if loader.check_node() else None) is not None:
            found.append(_plain(node, loader))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name
        raise InventoryError(
            where, f"found text that is no YAML: {getattr(error, 'problem', error)}"
        ) from None
    return [document for document in found if document is not None]


def _refuse_aliases(text: str, name: str) -> None:
    import yaml

    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            where = f"{name}:{event.start_mark.line + 1}" if event.start_mark else name
            raise InventoryError(where, "found an alias, expected each value to be written out")


def _plain(node: "yaml.Node", loader: "yaml.SafeLoader") -> object:
    """Return what a node means as JSON holds it; dates stay text."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        pairs = [(str(_plain(key, loader)), _plain(value, loader)) for key, value in node.value]
        if len(pairs) > len({key for key, _ in pairs}):
            raise yaml.MarkedYAMLError(problem="a key twice in one mapping", problem_mark=node.start_mark)
        return dict(pairs)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, loader) for item in node.value]
    kind = node.tag.rpartition(":")[2]
    value: object = loader.construct_object(node) if kind in ("null", "bool", "int", "float") else node.value
    return value
