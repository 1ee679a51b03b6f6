"""Which GPUs of a node are linked: the published link graphs of node types.

A *template* holds facts with their source; :func:`template_of` gives an offer the template that its
parts and labels name, and none where they leave it open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class LinkTemplate:
    """The links between the GPUs of one node type.

    Attributes
    ----------
    links
        ``(a, b, kind, gbytes)`` with a < b, each pair at most once: `kind` one of
        :data:`flare_core.catalog.gpus.LINK_CLASSES`, `gbytes` GB/s, both directions added. For a
        switch (``nvswitch``) the bandwidth of a GPU's port, which its pairs share.
    source
        Where it was published.
    """

    name: str
    gpus: int
    links: tuple[tuple[int, int, str, float], ...]
    source: str


TEMPLATES: Final[Mapping[str, LinkTemplate]] = MappingProxyType({})
"""Every template by its name."""


def template_of(
    model: str | None,
    memory_mib: int | None,
    gpus: int,
    interconnect: str | None,
    topology: str | None,
) -> LinkTemplate | None:
    """Return the template of a node; None where parts or labels leave it open or contradict it."""
    return None
