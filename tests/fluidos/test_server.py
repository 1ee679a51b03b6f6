"""The server answers as genuine ones (v1.20.2, v1.36.2) were seen to answer; the other tests rest on it."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import User

from flare_core.adapters.fluidos import kinds
from flare_core.adapters.fluidos.cluster import Cluster, Json
from flare_core.adapters.fluidos.kinds import Kind
from tests.fluidos.definitions import OPEN, definition, fields

SOLVER: Json = {
    "apiVersion": "nodecore.fluidos.eu/v1alpha1",
    "kind": "Solver",
    "metadata": {"name": "look-for-gpus"},
    "spec": {
        "intentID": "abc123",
        "findCandidate": True,
        "selector": {
            "flavorType": "K8Slice",
            "filters": {"cpuFilter": {"name": "Range", "data": {"min": "8"}}},
        },
    },
}
APPLY = "application/apply-patch+yaml"


class Wire:
    """Plain HTTP to the server, as one user or as nobody."""

    def __init__(self, config: SingleConfig, user: User) -> None:
        self._http = Client(config._replace(user=user), ConnectionParams(trust_env=False))

    def close(self) -> None:
        self._http.close()

    def __call__(
        self, method: str, path: str, body: object = None, how: str = "application/json", **query: str
    ) -> httpx2.Response:
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": how} if body is not None else {}
        return self._http.request(method, path, content=content, headers=headers, params=query)


@pytest.fixture
def wire(server: SingleConfig, cluster: Cluster) -> Iterator[Wire]:
    wire = Wire(server, server.user or User())
    yield wire
    wire.close()


def solver(name: str = "look-for-gpus", **spec: object) -> Json:
    return {**SOLVER, "metadata": {"name": name}, "spec": {**SOLVER["spec"], **spec}}


def path(space: str, *more: str) -> str:
    return kinds.SOLVER.path(space, *more)


def made(wire: Wire, space: str, body: Json = SOLVER) -> Json:
    answer = wire("POST", path(space), body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def is_old(wire: Wire) -> bool:
    return int("".join(filter(str.isdecimal, wire("GET", "/version").json()["minor"]))) < 25


def test_1_an_object_is_created(wire: Wire, space: str) -> None:
    answer = wire("POST", path(space), SOLVER)
    assert answer.status_code == 201, answer.text
    meta = answer.json()["metadata"]
    assert meta["uid"]
    assert meta["resourceVersion"]
    assert meta["creationTimestamp"]
    assert meta["generation"] == 1


def test_2_a_name_is_taken_once(wire: Wire, space: str) -> None:
    made(wire, space)
    answer = wire("POST", path(space), SOLVER)
    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")


def test_3_a_wrong_type_is_named_by_its_path(wire: Wire, space: str) -> None:
    answer = wire("POST", path(space), solver(findCandidate="yes"))
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert "spec.findCandidate" in {cause["field"] for cause in answer.json()["details"]["causes"]}


def test_4_a_name_is_lower_case(wire: Wire, space: str) -> None:
    assert wire("POST", path(space), solver("Look_For")).status_code == 422


def test_5_an_unknown_field_is_dropped(wire: Wire, space: str) -> None:
    found = made(wire, space, solver(enstablishPeering=True))
    assert "enstablishPeering" not in found["spec"]
    assert found["spec"]["selector"]["filters"] == SOLVER["spec"]["selector"]["filters"]


def test_6_and_warned_of_by_newer_servers(wire: Wire, space: str) -> None:
    answer = wire("POST", path(space), solver(enstablishPeering=True))
    assert is_old(wire) or answer.headers["Warning"].startswith("299")


def test_7_or_refused_by_them_where_that_is_asked(wire: Wire, space: str) -> None:
    answer = wire("POST", path(space), solver(enstablishPeering=True), fieldValidation="Strict")
    assert answer.status_code == (201 if is_old(wire) else 400)


def test_8_a_stale_version_conflicts(wire: Wire, space: str) -> None:
    first = made(wire, space)
    newer = {**first, "spec": {**first["spec"], "reserveAndBuy": True}}
    assert wire("PUT", path(space, "look-for-gpus"), newer).status_code == 200
    answer = wire("PUT", path(space, "look-for-gpus"), newer)
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")


PHASE = {"solverPhase": {"phase": "Running"}}


def test_9_a_status_is_no_part_of_the_object(wire: Wire, space: str) -> None:
    first = made(wire, space, {**SOLVER, "status": PHASE})
    assert "status" not in first
    answer = wire("PUT", path(space, "look-for-gpus"), {**first, "status": PHASE})
    assert answer.status_code == 200
    assert "status" not in answer.json()


def test_10_nor_the_object_of_its_status(wire: Wire, space: str) -> None:
    first = made(wire, space)
    changed = {**first, "status": PHASE, "spec": {**first["spec"], "intentID": "other"}}
    answer = wire("PUT", path(space, "look-for-gpus", "status"), changed)
    assert answer.status_code == 200
    assert answer.json()["status"] == PHASE
    assert answer.json()["spec"]["intentID"] == "abc123"
    assert answer.json()["metadata"]["generation"] == 1


def test_11_a_failing_test_of_a_json_patch_is_invalid(wire: Wire, space: str) -> None:
    made(wire, space)
    steps = [{"op": "test", "path": "/spec/intentID", "value": "other"}]
    answer = wire("PATCH", path(space, "look-for-gpus"), steps, "application/json-patch+json")
    assert answer.status_code == 422


def applied(wire: Wire, space: str, manager: str, intent: str, **query: str) -> httpx2.Response:
    body = solver(intentID=intent)
    return wire("PATCH", path(space, "look-for-gpus"), body, APPLY, fieldManager=manager, **query)


def test_12_an_apply_creates(wire: Wire, space: str) -> None:
    answer = applied(wire, space, "one", "abc123")
    assert answer.status_code == 201
    assert [entry["manager"] for entry in answer.json()["metadata"]["managedFields"]] == ["one"]


def test_13_another_managers_apply_conflicts_until_it_is_forced(wire: Wire, space: str) -> None:
    applied(wire, space, "one", "abc123")
    assert applied(wire, space, "other", "other").status_code == 409
    forced = applied(wire, space, "other", "other", force="true")
    assert (forced.status_code, forced.json()["spec"]["intentID"]) == (200, "other")


def test_14_the_same_managers_apply_changes_and_takes_back(wire: Wire, space: str) -> None:
    applied(wire, space, "one", "abc123")
    body = solver(intentID="other")
    del body["spec"]["findCandidate"]
    answer = wire("PATCH", path(space, "look-for-gpus"), body, APPLY, fieldManager="one")
    assert answer.status_code == 200
    assert answer.json()["spec"]["intentID"] == "other"
    assert "findCandidate" not in answer.json()["spec"]


def watched(wire: Wire, space: str, **query: str) -> list[Json]:
    answer = wire("GET", path(space), watch="true", **query)
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_15_a_watch_tells_everything_in_order(wire: Wire, space: str) -> None:
    version = wire("GET", path(space)).json()["metadata"]["resourceVersion"]
    for name in ("a", "b"):
        made(wire, space, solver(name))
        merge = {"spec": {"reserveAndBuy": True}}
        wire("PATCH", path(space, name), merge, "application/merge-patch+json")
        wire("DELETE", path(space, name))
    events = watched(wire, space, resourceVersion=version, timeoutSeconds="1")
    told = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
    expected = ("ADDED", "MODIFIED", "DELETED")
    assert told == [(kind, name) for name in ("a", "b") for kind in expected]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_16_and_bookmarks_before_its_end(wire: Wire, space: str) -> None:
    version = wire("GET", path(space)).json()["metadata"]["resourceVersion"]
    made(wire, space)
    query = {"resourceVersion": version, "timeoutSeconds": "4", "allowWatchBookmarks": "true"}
    events = watched(wire, space, **query)
    assert [event["type"] for event in events[:1]] == ["ADDED"]
    bookmarks = [event["object"]["metadata"] for event in events if event["type"] == "BOOKMARK"]
    assert bookmarks
    seen = int(events[0]["object"]["metadata"]["resourceVersion"])
    assert all(int(meta["resourceVersion"]) >= seen for meta in bookmarks)


def test_17_a_watch_from_too_old_a_version_fails_inside_of_a_200(wire: Wire, space: str) -> None:
    (event,) = watched(wire, space, resourceVersion="1", timeoutSeconds="1")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_18_a_list_at_a_future_version_times_out(wire: Wire, space: str) -> None:
    began = time.monotonic()
    answer = wire("GET", path(space), resourceVersion=str(2**40))
    assert answer.status_code == 504
    assert 2.0 < time.monotonic() - began < 8.0


def test_19_a_list_comes_in_pages(wire: Wire, space: str) -> None:
    for number in range(12):
        made(wire, space, solver(f"solver-{number:02}"))
    pages: list[list[str]] = []
    query: dict[str, str] = {"limit": "5"}
    while len(pages) < 4:
        answer = wire("GET", path(space), **query).json()
        pages.append([item["metadata"]["name"] for item in answer["items"]])
        if not answer["metadata"].get("continue"):
            break
        query["continue"] = answer["metadata"]["continue"]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [name for page in pages for name in page] == [f"solver-{number:02}" for number in range(12)]


def test_20_a_finalizer_holds_what_is_deleted(wire: Wire, space: str) -> None:
    held = solver()
    held["metadata"]["finalizers"] = ["example.org/hold"]
    made(wire, space, held)
    answer = wire("DELETE", path(space, "look-for-gpus"))
    assert answer.status_code == 200
    assert wire("GET", path(space, "look-for-gpus")).json()["metadata"]["deletionTimestamp"]
    merge = {"metadata": {"finalizers": None}}
    wire("PATCH", path(space, "look-for-gpus"), merge, "application/merge-patch+json")
    assert wire("GET", path(space, "look-for-gpus")).status_code == 404


def test_21_a_wrong_uid_keeps_from_deleting(wire: Wire, space: str) -> None:
    made(wire, space)
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "another"}}
    assert wire("DELETE", path(space, "look-for-gpus"), options).status_code == 409
    assert wire("GET", path(space, "look-for-gpus")).status_code == 200


@pytest.fixture
def account(server: SingleConfig, wire: Wire, space: str) -> Iterator[Wire]:
    """A service account of the test's namespace, which nothing lets do anything."""
    wire(
        "POST",
        kinds.SERVICE_ACCOUNT.path(space),
        {**typed(kinds.SERVICE_ACCOUNT), "metadata": {"name": "reader"}},
    )
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    answer = wire("POST", kinds.SERVICE_ACCOUNT.path(space, "reader", "token"), request)
    assert answer.status_code == 201, answer.text
    reader = Wire(server, User(token=answer.json()["status"]["token"]))
    yield reader
    reader.close()


def typed(kind: Kind) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.kind}


def let_read(wire: Wire, space: str) -> None:
    meta = {"name": "reader"}
    rules = [{"apiGroups": ["nodecore.fluidos.eu"], "resources": ["solvers"], "verbs": ["list"]}]
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    subjects = [{"kind": "ServiceAccount", "name": "reader", "namespace": space}]
    role = {**typed(kinds.ROLE), "metadata": meta, "rules": rules}
    binding = {**typed(kinds.ROLE_BINDING), "metadata": meta, "roleRef": ref, "subjects": subjects}
    assert wire("POST", kinds.ROLE.path(space), role).status_code == 201
    assert wire("POST", kinds.ROLE_BINDING.path(space), binding).status_code == 201


def eventually(account: Wire, code: int, method: str, path: str) -> bool:
    """Roles take effect a moment after they were written."""
    until = time.monotonic() + 5
    while account(method, path).status_code != code:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_22_without_a_role_nothing_is_allowed(account: Wire, space: str) -> None:
    assert account("GET", path(space)).status_code == 403


def test_23_a_role_allows_what_it_names(wire: Wire, account: Wire, space: str) -> None:
    let_read(wire, space)
    assert eventually(account, 200, "GET", path(space))


def test_24_and_no_other_verb(wire: Wire, account: Wire, space: str) -> None:
    let_read(wire, space)
    made(wire, space)
    assert eventually(account, 200, "GET", path(space))
    assert account("DELETE", path(space, "look-for-gpus")).status_code == 403


def test_25_nobody_is_anonymous_not_unknown(server: SingleConfig, space: str) -> None:
    nobody = Wire(server, User())
    assert nobody("GET", path(space)).status_code == 403
    nobody.close()


def test_26_an_unknown_token_is_refused(server: SingleConfig, space: str) -> None:
    stranger = Wire(server, User(token="-".join(["nobody", "knows", "me"])))
    assert stranger("GET", path(space)).status_code == 401
    stranger.close()


def test_27_annotations_have_a_bound(wire: Wire, space: str) -> None:
    large = solver()
    large["metadata"]["annotations"] = {"example.org/large": "x" * 300 * 1024}
    assert wire("POST", path(space), large).status_code == 422


def test_28_a_new_definition_is_served_once_it_is_established(wire: Wire) -> None:
    name = f"probe{secrets.token_hex(4)}"
    kind = Kind(f"{name}.example.org", "v1", "Probe", "probes", namespaced=False)
    body: dict[str, Any] = definition(kinds.FOREIGN_CLUSTER)
    body["metadata"]["name"] = f"probes.{kind.group}"
    body["spec"]["group"] = kind.group
    body["spec"]["names"] = {"kind": "Probe", "plural": "probes", "singular": "probe"}
    body["spec"]["versions"][0]["name"] = "v1"
    body["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": fields(spec=OPEN)}
    answer = wire("POST", kinds.DEFINITION.path(), body)
    try:
        assert answer.status_code == 201
        # Newer servers say null, older ones leave it out or have it already.
        assert not (answer.json().get("status") or {}).get("conditions") or is_old(wire)
        assert eventually(wire, 200, "GET", kind.path())
    finally:
        wire("DELETE", kinds.DEFINITION.path(None, body["metadata"]["name"]))
