"""Names and labels: the same for the same order, so that what was created is found again after a crash.

Everything here is a pure function of its arguments and gives what an API server takes: RFC 1123 labels
(lower-case letters, digits and ``-``) as names, and label values of at most 63 characters.
"""

import hashlib
import re
from typing import Final, Protocol

LONGEST: Final = 63
"""Characters of an RFC 1123 label, and of a label's value."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "flare"
ORDER: Final = "flare.io/order"
INTENT: Final = "flare.io/intent-id"
USER: Final = "flare.io/user"
GROUP: Final = "flare.io/group"
"""Which of several objects of one kind, where an order is spread over several virtual nodes."""

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_DIGEST: Final = 10


class Ordered(Protocol):
    """Whose objects they are."""

    @property
    def key(self) -> str: ...
    @property
    def intent_id(self) -> str: ...
    @property
    def user(self) -> str: ...


def name(*parts: str, limit: int = LONGEST) -> str:
    """Return an RFC 1123 label for some texts.

    The parts are joined by ``-``. What makes a label as it is stays as it is; of anything else a digest is
    part of the name, so that two texts do not share one because of what a label cannot hold.

    >>> name("allocation", "intent-1f", "0"), name("Größe")
    ('allocation-intent-1f-0', 'gr-e-aedc3f8098')
    """
    text = "-".join(parts)
    if len(text) <= limit and _LABEL.fullmatch(text):
        return text
    digest = _digest(text)
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower())[: limit - len(digest) - 1].strip("-")
    return f"{plain}-{digest}" if plain else f"x-{digest}"


def is_subdomain(text: str, limit: int = 253) -> bool:
    """Whether a text is a name of labels joined by dots, as FLUIDOS's own objects have."""
    return len(text) <= limit and all(_LABEL.fullmatch(label) for label in text.split("."))


def namespace(key: str) -> str:
    """Return the namespace of an order's workload.

    26 characters: Liqo appends the cluster's id, for which 36 are left (a UUID's length).
    """
    return f"flare-{hashlib.sha256(key.encode()).hexdigest()[:20]}"


def label_value(text: str) -> str:
    """Return a label's value for a text; a digest stands in for what a label cannot hold.

    >>> label_value("ana"), label_value("ana@example.org")
    ('ana', 'ana-example.org-86b9260a11')
    """
    if _VALUE.fullmatch(text):
        return text
    digest = _digest(text)
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", text)[: LONGEST - len(digest) - 1].strip("-_.")
    return f"{plain}-{digest}" if plain else digest


def labels(order: Ordered) -> dict[str, str]:
    """Return the labels of everything that belongs to an order."""
    return {
        MANAGED_BY: MANAGER,
        ORDER: label_value(order.key),
        INTENT: label_value(order.intent_id),
        USER: label_value(order.user),
    }


def selector(key: str | None = None) -> str:
    """Return the label selector of an order's objects; without a key of all that FLARE has created."""
    managed = f"{MANAGED_BY}={MANAGER}"
    return managed if key is None else f"{managed},{ORDER}={label_value(key)}"


def node_key(offer: str, node: int) -> str:
    """Return what names one node of one offer: ``offer/node``."""
    return f"{offer}/{node}"


def contract(flavor: str) -> str:
    """Return the name that FLUIDOS gives to the Contract for a flavor, and Liqo to its virtual node."""
    return f"contract-{flavor}-{hashlib.sha256(flavor.encode()).hexdigest()[:4]}".replace(".", "-")


def candidate(flavor: str) -> str:
    """Return the name that FLUIDOS gives to the PeeringCandidate of a flavor."""
    return f"peeringcandidate-{flavor}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
