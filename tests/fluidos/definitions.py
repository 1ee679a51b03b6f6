"""The CustomResourceDefinitions that the tests need where a server lacks them.

Those of FLUIDOS are its own where the shared data is there; else minimal ones with the same required fields.
Those of Liqo are minimal: what a backend writes and reads, after https://docs.liqo.io, v1.0.
"""

import json
from pathlib import Path
from typing import Any

from flare_core.adapters.fluidos import kinds
from flare_core.adapters.fluidos.kinds import Kind

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
OPEN: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
QUANTITY: Json = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
QUANTITIES: Json = {"type": "object", "additionalProperties": QUANTITY}


def fields(*required: str, **properties: Json) -> Json:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def texts(*names: str) -> dict[str, Json]:
    return dict.fromkeys(names, TEXT)


def listed(item: Json) -> Json:
    return {"type": "array", "items": item}


REF = fields(**texts("name", "namespace", "apiVersion", "kind"))
IDENTITY = fields(
    "domain", "ip", "nodeID", **texts("domain", "ip", "nodeID"), additionalInformation=fields(liqoID=TEXT)
)
PHASE = fields("phase", **texts("phase", "message", "startTime", "lastChangeTime", "endTime"))
STATUS = fields("phase", phase=PHASE)
SETTING = fields("data", "type", type=TEXT, data=OPEN)
TELEMETRY = fields("endpoint", endpoint=TEXT, intents=listed(TEXT))
SELECTOR = fields("flavorType", flavorType=TEXT, filters=OPEN)
FLAVOR = fields(
    "availability",
    "flavorType",
    "owner",
    "price",
    "providerID",
    availability=FLAG,
    flavorType=fields("typeData", "typeIdentifier", typeData=OPEN, typeIdentifier=TEXT),
    location=fields(**texts("additionalNotes", "city", "country", "latitude", "longitude")),
    networkPropertyType=TEXT,
    owner=IDENTITY,
    price=fields("amount", "currency", "period", **texts("amount", "currency", "period")),
    providerID=TEXT,
)
INNER_META = fields(
    **texts("name", "namespace"),
    labels={"type": "object", "additionalProperties": TEXT},
    annotations={"type": "object", "additionalProperties": TEXT},
    finalizers=listed(TEXT),
)
INNER_FLAVOR = fields(apiVersion=TEXT, kind=TEXT, metadata=INNER_META, spec=FLAVOR)
TIMES = fields("creationTime", "lastUpdateTime", **texts("creationTime", "lastUpdateTime", "expirationTime"))
CANDIDATE = fields(
    "available",
    "flavor",
    "interestedSolverIDs",
    available=FLAG,
    flavor=INNER_FLAVOR,
    interestedSolverIDs=listed(TEXT),
)
CONTRACT = fields(
    "buyer",
    "buyerClusterID",
    "flavor",
    "peeringTargetCredentials",
    "seller",
    "transactionID",
    **texts("buyerClusterID", "expirationTime", "networkRequests", "transactionID"),
    buyer=IDENTITY,
    configuration=SETTING,
    extraInformation={"type": "object", "additionalProperties": TEXT},
    flavor=INNER_FLAVOR,
    ingressTelemetryEndpoint=TELEMETRY,
    peeringTargetCredentials=fields("kubeconfig", "liqoID", **texts("kubeconfig", "liqoID")),
    seller=IDENTITY,
)
CONDITION = fields(**texts("type", "status", "reason", "message", "lastTransitionTime"))

MINIMAL: dict[Kind, tuple[Json, Json]] = {
    kinds.FLAVOR: (FLAVOR, TIMES),
    kinds.SOLVER: (
        fields(
            "intentID",
            intentID=TEXT,
            selector=SELECTOR,
            findCandidate=FLAG,
            reserveAndBuy=FLAG,
            establishPeering=FLAG,
        ),
        fields(
            **texts("findCandidate", "reserveAndBuy", "peering"),
            **texts("discoveryPhase", "reservationPhase", "consumePhase"),
            solverPhase=PHASE,
        ),
    ),
    kinds.ALLOCATION: (
        fields(contract=REF, forwarding=FLAG),
        fields(**texts("status", "message", "lastUpdateTime"), resourceRef=REF),
    ),
    kinds.DISCOVERY: (
        fields("solverID", "subscribe", solverID=TEXT, subscribe=FLAG, selector=SELECTOR),
        fields(
            "phase",
            phase=PHASE,
            peeringCandidateList=fields(
                "items",
                items=listed(
                    fields(apiVersion=TEXT, kind=TEXT, metadata=INNER_META, spec=CANDIDATE, status=TIMES)
                ),
            ),
        ),
    ),
    kinds.PEERING_CANDIDATE: (CANDIDATE, TIMES),
    kinds.RESERVATION: (
        fields(
            "buyer",
            "seller",
            "solverID",
            buyer=IDENTITY,
            seller=IDENTITY,
            solverID=TEXT,
            peeringCandidate=REF,
            configuration=SETTING,
            reserve=FLAG,
            purchase=FLAG,
            ingressTelemetryEndpoint=TELEMETRY,
        ),
        fields("phase", phase=PHASE, **texts("reservePhase", "purchasePhase", "transactionID"), contract=REF),
    ),
    kinds.CONTRACT: (CONTRACT, STATUS),
    kinds.TRANSACTION: (
        fields(
            "buyer",
            "clusterID",
            "flavorID",
            **texts("clusterID", "flavorID", "expirationTime"),
            buyer=IDENTITY,
            configuration=SETTING,
        ),
        STATUS,
    ),
    kinds.KNOWN_CLUSTER: (
        fields("address", address=TEXT),
        fields("expirationTime", "lastUpdateTime", **texts("expirationTime", "lastUpdateTime")),
    ),
    kinds.RESOURCE_SLICE: (
        fields(**{"class": TEXT}, consumerClusterID=TEXT, providerClusterID=TEXT, resources=QUANTITIES),
        fields(resources=QUANTITIES, conditions=listed(CONDITION), authParams=OPEN),
    ),
    kinds.VIRTUAL_NODE: (OPEN, fields(conditions=listed(CONDITION))),
    kinds.FOREIGN_CLUSTER: (
        fields(clusterID=TEXT),
        fields(clusterID=TEXT, role=TEXT, modules=OPEN, conditions=listed(CONDITION)),
    ),
    kinds.NAMESPACE_OFFLOADING: (
        fields(
            namespaceMappingStrategy={
                **TEXT,
                "enum": ["EnforceSameName", "DefaultName", "SelectedName"],
                "default": "DefaultName",
            },
            podOffloadingStrategy={
                **TEXT,
                "enum": ["Local", "Remote", "LocalAndRemote"],
                "default": "LocalAndRemote",
            },
            remoteNamespaceName=TEXT,
            clusterSelector=fields(
                "nodeSelectorTerms",
                nodeSelectorTerms=listed(
                    fields(
                        matchExpressions=listed(
                            fields("key", "operator", **texts("key", "operator"), values=listed(TEXT))
                        )
                    )
                ),
            ),
        ),
        fields(
            offloadingPhase={
                **TEXT,
                "enum": [
                    "Ready",
                    "NoClusterSelected",
                    "InProgress",
                    "SomeFailed",
                    "AllFailed",
                    "Terminating",
                ],
            },
            remoteNamespaceName=TEXT,
            remoteNamespacesConditions={"type": "object", "additionalProperties": listed(CONDITION)},
            observedGeneration={"type": "integer"},
        ),
    ),
}


def definition(kind: Kind) -> Json:
    """The minimal definition of a kind."""
    spec, status = MINIMAL[kind]
    schema = fields(apiVersion=TEXT, kind=TEXT, metadata={"type": "object"}, spec=spec, status=status)
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()},
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def wanted(shared: Path) -> list[Json]:
    """All definitions: of FLUIDOS those of the shared data, where they are there."""
    folder = shared / "reference" / "fluidos-crds"
    found = []
    for kind in MINIMAL:
        path = folder / f"{kind.plural}.{kind.group}.json"
        found.append(json.loads(path.read_text()) if path.is_file() else definition(kind))
    return found
