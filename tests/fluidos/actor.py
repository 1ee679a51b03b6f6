"""Plays the controllers of FLUIDOS, Liqo and Kubernetes over the API, one transition of an object at a time.

Phases and messages are those of the FLUIDOS sources. What goes wrong is written down beforehand in a script.
"""

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from flare_core.adapters.fluidos import kinds, names
from flare_core.adapters.fluidos.cluster import Cluster
from flare_core.adapters.fluidos.errors import ConflictError, ExistsError, NotFoundError
from flare_core.adapters.fluidos.kinds import Kind
from tests.fluidos.housekeeping import FEDERATION, finish, strip, unprotect
from tests.fluidos.worlds import BUYER, Provider, name_of

Json = dict[str, Any]

STALL = "stall"
FAIL = "fail"


def moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def phase(word: str, message: str) -> Json:
    return {"phase": word, "message": message, "lastChangeTime": moment()}


class Actor:
    """The providers' side of a test's federation.

    Parameters
    ----------
    space
        The namespace in which the test keeps FLUIDOS's objects.
    flavors
        What the providers offer.
    eager
        Take all transitions of a reservation in one pass instead of one.
    """

    def __init__(
        self,
        cluster: Cluster,
        space: str,
        providers: Sequence[Provider],
        flavors: Sequence[Json],
        *,
        eager: bool = False,
    ) -> None:
        self.eager = eager
        self.cluster, self.space = cluster, space
        self.providers = {provider.node_id: provider for provider in providers}
        self.flavors = {name_of(flavor): flavor for flavor in flavors}
        self.script: dict[tuple[str, str], str] = {}
        self.sold: dict[str, list[str]] = {}

    def says(self, step: str, flavor: str = "*") -> str:
        """What the script has a step do for a flavor: nothing, or what goes wrong."""
        return self.script.get((step, flavor), self.script.get((step, "*"), ""))

    def open(self) -> None:
        """Put there what a hub finds before it begins: its identity, the providers, their candidates."""
        data = {"domain": BUYER["domain"], "nodeID": BUYER["nodeID"], "ip": "10.0.0.1", "port": "30000"}
        self._make(
            kinds.CONFIG_MAP, {"metadata": {"name": "fluidos-node-identity"}, "data": data}, self.space
        )
        for provider in self.providers.values():
            meta = {"name": f"knowncluster-{provider.node_id}"}
            body = {"metadata": meta, "spec": {"address": provider.identity["ip"]}}
            self._make(kinds.KNOWN_CLUSTER, body, self.space)
        for flavor in self.flavors.values():
            self.offer(flavor)

    def offer(self, flavor: Json) -> None:
        """Have a flavor found: its candidate is created, or becomes available again."""
        self.flavors[name_of(flavor)] = flavor
        inner = {"metadata": {"name": name_of(flavor), "namespace": self.space}, "spec": flavor["spec"]}
        spec = {"interestedSolverIDs": ["hub"], "available": True, "flavor": inner}
        meta = {"name": names.candidate(name_of(flavor))}
        if not self._make(kinds.PEERING_CANDIDATE, {"metadata": meta, "spec": spec}, self.space):
            self._patch(kinds.PEERING_CANDIDATE, meta["name"], {"spec": spec}, self.space)

    def withdraw(self, flavor: str) -> None:
        """A flavor is offered no more; its stale candidate stays, as FLUIDOS leaves it."""
        self.flavors.pop(flavor)

    def step(self) -> None:
        """One pass of all controllers."""
        self._discoveries()
        self._reservations()
        self._allocations()
        self._slices()
        self._namespaces()

    @contextmanager
    def acting(self, pause_s: float = 0.05) -> Iterator["Actor"]:
        """Act in a thread of its own, as long as it is needed."""
        stop = threading.Event()
        broken: list[BaseException] = []

        def act() -> None:
            try:
                while not stop.wait(pause_s):
                    self.step()
            except BaseException as error:
                broken.append(error)

        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
        if broken:
            raise broken[0]

    def lose(self, flavor: str) -> None:
        """The provider goes: its virtual node is not ready any more."""
        self.script["node", flavor] = "lost"
        self.step()

    # FLUIDOS: discovery

    def _discoveries(self) -> None:
        for item in self._items(kinds.DISCOVERY):
            now = (item.get("status") or {}).get("phase", {}).get("phase")
            if now is None:
                self._status(kinds.DISCOVERY, item, {"phase": phase("Running", "Discovery started")})
            elif now == "Running" and self.says("discover") != STALL:
                self._status(kinds.DISCOVERY, item, self._discovered())

    def _discovered(self) -> Json:
        if self.says("discover") == FAIL:
            return {"phase": phase("Failed", "Error when getting Flavor")}
        if not self.flavors:
            return {"phase": phase("Failed", "No Flavors found")}
        for flavor in self.flavors.values():
            self.offer(flavor)
        items = [
            self.cluster.get(kinds.PEERING_CANDIDATE, names.candidate(name), self.space)
            for name in self.flavors
        ]
        ended = phase("Solved", "Discovery Solved: Peering Candidate found") | {"endTime": moment()}
        return {"phase": ended, "peeringCandidateList": {"items": items}}

    # FLUIDOS: reservation and purchase

    def _reservations(self) -> None:
        for item in self._items(kinds.RESERVATION):
            flavor = item["spec"]["peeringCandidate"]["name"].removeprefix("peeringcandidate-")
            change = self._reserved(item, flavor)
            while change is not None:
                self._status(kinds.RESERVATION, item, change)
                item["status"] = {**item.get("status", {}), **change}
                change = self._reserved(item, flavor) if self.eager else None

    def _reserved(self, item: Json, flavor: str) -> Json | None:
        status = item.get("status")
        if status is None:
            if self.says("notice", flavor) == STALL:
                return None
            started = phase("Running", "Reservation started")
            return {"phase": started, "reservePhase": "Idle", "purchasePhase": "Idle"}
        if status["phase"]["phase"] != "Running":
            return None
        if item["spec"].get("reserve") and status["reservePhase"] in ("Idle", "Running"):
            return self._reserve(item, flavor, status["reservePhase"])
        if item["spec"].get("purchase") and status["purchasePhase"] in ("Idle", "Running"):
            return self._purchase(item, flavor, status)
        return None

    def _reserve(self, item: Json, flavor: str, now: str) -> Json | None:
        if self.says("reserve", flavor) == STALL:
            return None if now == "Running" else {"reservePhase": "Running"}
        candidate = self.cluster.find(kinds.PEERING_CANDIDATE, names.candidate(flavor), self.space)
        if now == "Idle":
            if candidate is None or not candidate["spec"]["available"]:
                return self._failed("PeeringCandidate not available", reservePhase="Failed")
            self._available(flavor, value=False)
            return {"reservePhase": "Running"}
        if self.says("reserve", flavor) == FAIL:
            self._available(flavor, value=True)
            return self._failed("error when reserving flavor", reservePhase="Failed")
        # 32 hex digits, a dash, nanoseconds; the same for one reservation, as a provider answers a repetition
        digits = item["metadata"]["uid"].replace("-", "")
        transaction = f"{digits}-{int(digits[:12], 16)}"
        spec = {"flavorID": flavor, "buyer": item["spec"]["buyer"], "clusterID": ""}
        self._make(kinds.TRANSACTION, {"metadata": {"name": transaction}, "spec": spec}, self.space)
        return {"reservePhase": "Solved", "transactionID": transaction}

    def _purchase(self, item: Json, flavor: str, status: Json) -> Json | None:
        how = self.says("purchase", flavor)
        if status["purchasePhase"] == "Idle":
            return {"purchasePhase": "Running"}
        if how == STALL:
            return None
        contract = self._contract(item, flavor, status["transactionID"])
        if how == "sold twice":
            contract["spec"]["transactionID"] = f"{secrets.token_hex(16)}-1"
        sold = how != FAIL and (
            self._make(kinds.CONTRACT, contract, self.space)
            or self._own(contract["metadata"]["name"], status["transactionID"])
        )
        if not sold:
            self._available(flavor, value=True)
            return self._failed("error when purchasing flavor", purchasePhase="Failed")
        self.sold.setdefault(flavor, []).append(item["metadata"]["uid"])
        return {
            "purchasePhase": "Solved",
            "phase": phase("Solved", "Reservation solved"),
            "contract": {"name": contract["metadata"]["name"], "namespace": self.space},
        }

    def _own(self, contract: str, transaction: str) -> bool:
        found = self.cluster.find(kinds.CONTRACT, contract, self.space)
        return found is not None and found["spec"]["transactionID"] == transaction

    def _contract(self, item: Json, flavor: str, transaction: str) -> Json:
        spec = item["spec"]
        seller = self.providers[spec["seller"]["nodeID"]]
        inner = {"metadata": {"name": flavor, "namespace": self.space}, "spec": self.flavors[flavor]["spec"]}
        return {
            "metadata": {"name": names.contract(flavor)},
            "spec": {
                "flavor": inner,
                "transactionID": transaction,
                "buyer": spec["buyer"],
                "buyerClusterID": f"{self.space}-hub",
                "seller": {**spec["seller"], "additionalInformation": {"liqoID": seller.liqo_id}},
                "peeringTargetCredentials": {"liqoID": seller.liqo_id, "kubeconfig": "c2VjcmV0"},
                "configuration": spec["configuration"],
            },
        }

    def _failed(self, message: str, **phases: str) -> Json:
        return {"phase": phase("Failed", f"Reservation failed: {message}"), **phases}

    def _available(self, flavor: str, *, value: bool) -> None:
        self._patch(
            kinds.PEERING_CANDIDATE, names.candidate(flavor), {"spec": {"available": value}}, self.space
        )

    # FLUIDOS: allocation; Liqo: slice and virtual node

    def _allocations(self) -> None:
        for item in self._items(kinds.ALLOCATION):
            contract = self.cluster.find(kinds.CONTRACT, item["spec"]["contract"]["name"], self.space)
            flavor = contract["spec"]["flavor"]["metadata"]["name"] if contract else "*"
            now = (item.get("status") or {}).get("status")
            told: tuple[str, str] | None = None
            if now is None:
                told = ("Inactive", "Allocation has been set to Inactive")
            elif now == "Inactive":
                told = ("Peering", "Allocation is now in Peering")
            elif now == "Peering" and (self.says("allocate", flavor) == FAIL or contract is None):
                told = ("Error", "Allocation failed: error during peering")
            elif now == "Peering" and self.says("allocate", flavor) != STALL and contract is not None:
                self._peer(contract)
                told = ("Active", "Allocation is now Active")
            if told is not None:
                self._status(kinds.ALLOCATION, item, {"status": told[0], "message": told[1]})

    def _peer(self, contract: Json) -> None:
        liqo, name = (
            contract["spec"]["seller"]["additionalInformation"]["liqoID"],
            contract["metadata"]["name"],
        )
        tenant = f"liqo-tenant-{liqo}"
        labels = {FEDERATION: self.space}
        self._make(kinds.NAMESPACE, {"metadata": {"name": tenant, "labels": labels}}, None)
        data = contract["spec"]["configuration"]["data"]
        spec = {
            "class": "default",
            "providerClusterID": liqo,
            "resources": {key: data[key] for key in ("cpu", "memory", "pods") if key in data},
        }
        annotations = {"liqo.io/create-virtual-node": "true"}
        marked = {"liqo.io/replication": "true", "liqo.io/remote-cluster-id": liqo}
        meta = {"name": name, "annotations": annotations, "labels": marked}
        self._make(kinds.RESOURCE_SLICE, {"metadata": meta, "spec": spec}, tenant)

    def _slices(self) -> None:
        wanted = {names.contract(flavor): flavor for flavor in [*self.flavors, *self.sold]}
        present = set()
        for provider in self.providers.values():
            for item in self.cluster.list(kinds.RESOURCE_SLICE, f"liqo-tenant-{provider.liqo_id}").items:
                name = item["metadata"]["name"]
                present.add(name)
                self._slice(item, wanted.get(name, "*"), provider)
        for node in self.cluster.list(kinds.NODE, labels=f"{FEDERATION}={self.space}").items:
            if node["metadata"]["name"] not in present and self.says("release") != STALL:
                self.cluster.delete(kinds.NODE, node["metadata"]["name"])

    def _slice(self, item: Json, flavor: str, provider: Provider) -> None:
        if self.says("slice", flavor) == STALL:
            return
        granted = dict(item["spec"].get("resources") or {})
        if self.says("slice", flavor) == "less":
            granted = {key: ("0" if "/" in key else value) for key, value in granted.items()}
        state = "Denied" if self.says("slice", flavor) == FAIL else "Accepted"
        conditions = [{"type": kind, "status": state} for kind in ("Authentication", "Resources")]
        status = {"resources": granted, "conditions": conditions}
        if item.get("status") != status:
            self._status(kinds.RESOURCE_SLICE, item, status)
        if state == "Accepted" and self.says("node", flavor) != STALL:
            self._node(item["metadata"]["name"], flavor, provider, granted)

    def _node(self, name: str, flavor: str, provider: Provider, granted: Json) -> None:
        labels = {
            "liqo.io/type": "virtual-node",
            "liqo.io/remote-cluster-id": provider.liqo_id,
            "kubernetes.io/hostname": name,
            FEDERATION: self.space,
        }
        self._make(kinds.NODE, {"metadata": {"name": name, "labels": labels}}, None)
        shown = (
            {key: value for key, value in granted.items() if "/" not in key}
            if self._oversold(flavor)
            else granted
        )
        ready = "False" if self.says("node", flavor) == "lost" else "True"
        condition = {"type": "Ready", "status": ready, "reason": "KubeletReady", "message": ""}
        times = {"lastHeartbeatTime": moment(), "lastTransitionTime": moment()}
        node = self.cluster.get(kinds.NODE, name)
        status = node.get("status") or {}
        known = {one["type"]: one["status"] for one in status.get("conditions") or ()}
        if known.get("Ready") == ready and status.get("allocatable") == shown:
            return
        body = {"capacity": shown, "allocatable": shown, "conditions": [{**condition, **times}]}
        # Replaced, not merged: what is shown no longer must go.
        with suppress(ConflictError):
            self.cluster.replace(kinds.NODE, {**node, "status": {**status, **body}}, "status")

    def _oversold(self, flavor: str) -> bool:
        return self.says("node", flavor) == "less"

    # Liqo: offloading; Kubernetes: workloads and namespaces

    def _namespaces(self) -> None:
        for item in self.cluster.list(kinds.NAMESPACE, labels=f"{FEDERATION}={self.space}").items:
            name = item["metadata"]["name"]
            unprotect(self.cluster, name)
            if "deletionTimestamp" in item["metadata"]:
                if self.says("release") != STALL:
                    finish(self.cluster, name)
                continue
            self._offloadings(name)
            self._deployments(name)
            self._jobs(name)

    def _offloadings(self, namespace: str) -> None:
        for item in self.cluster.list(kinds.NAMESPACE_OFFLOADING, namespace).items:
            if "deletionTimestamp" in item["metadata"]:
                strip(self.cluster, kinds.NAMESPACE_OFFLOADING, item)
                continue
            now = (item.get("status") or {}).get("offloadingPhase")
            word = self.says("offload") or "Ready"
            if now is None:
                self._status(kinds.NAMESPACE_OFFLOADING, item, {"offloadingPhase": "InProgress"})
            elif word != STALL and now != word:
                self._status(kinds.NAMESPACE_OFFLOADING, item, {"offloadingPhase": word})

    def _deployments(self, namespace: str) -> None:
        if self.says("workload"):
            return
        for item in self.cluster.list(kinds.DEPLOYMENT, namespace).items:
            replicas, status = item["spec"]["replicas"], item.get("status") or {}
            if (status.get("availableReplicas") or 0) != replicas:
                counts = dict.fromkeys(
                    ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas
                )
                seen = {"observedGeneration": item["metadata"]["generation"]}
                self._status(kinds.DEPLOYMENT, item, {**counts, **seen})

    def _jobs(self, namespace: str) -> None:
        how = self.says("workload")
        for item in self.cluster.list(kinds.JOB, namespace).items:
            status = item.get("status") or {}
            if how == STALL or status.get("conditions"):
                continue
            parallel = item["spec"]["parallelism"]
            if not status.get("startTime"):
                self._status(kinds.JOB, item, {"startTime": moment(), "active": parallel, "ready": parallel})
            elif how == "complete":
                done = {
                    "completionTime": moment(),
                    "active": 0,
                    "ready": 0,
                    "succeeded": item["spec"]["completions"],
                }
                self._status(
                    kinds.JOB, item, {**done, "conditions": _conditions("SuccessCriteriaMet", "Complete")}
                )
            elif how == FAIL:
                over = _conditions(
                    "FailureTarget", "Failed", message="Job has reached the specified backoff limit"
                )
                self._status(
                    kinds.JOB, item, {"active": 0, "ready": 0, "failed": parallel, "conditions": over}
                )

    # The API

    def _items(self, kind: Kind) -> Sequence[Json]:
        return self.cluster.list(kind, self.space).items

    def _make(self, kind: Kind, body: Json, namespace: str | None) -> bool:
        try:
            self.cluster.create(kind, body, namespace)
        except ExistsError:
            return False
        return True

    def _patch(self, kind: Kind, name: str, change: Json, namespace: str | None) -> None:
        try:
            self.cluster.patch(kind, name, change, namespace)
        except (NotFoundError, ConflictError):
            return

    def _status(self, kind: Kind, item: Json, status: Json) -> None:
        meta = item["metadata"]
        try:
            self.cluster.patch(kind, meta["name"], {"status": status}, meta.get("namespace"), "status")
        except (NotFoundError, ConflictError):
            return


def _conditions(*types: str, message: str = "") -> list[Json]:
    told = {"status": "True", "lastTransitionTime": moment(), "lastProbeTime": moment(), "message": message}
    return [{"type": kind, **told} for kind in types]
