"""Who may see and do what, and from where people come."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flare_core.adapters.gateway.http.auth import Addresses
from flare_core.adapters.gateway.settings import Limit
from flare_core.adapters.gateway.tokens import Permission, new_secret
from tests.gateway.http.conftest import People, Serve
from tests.gateway.http.site import Site, intent

SUBMIT = "/api/v1/intents"


@pytest.fixture
def others(person: People) -> str:
    """The path of somebody else's intent."""
    answer = person().post(SUBMIT, json=intent("theirs"))
    return str(answer.headers["location"])


ABSENT = "/api/v1/intents/intent-" + "0" * 32


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/explanation", None),
        ("GET", "/events", None),
        ("POST", "/accept", {"token": "x"}),
    ],
)
def test_what_is_anothers_is_as_if_it_did_not_exist(
    method: str, below: str, body: dict[str, str] | None, others: str, ada: httpx.Client
) -> None:
    headers = {"X-Request-ID": "same"}
    theirs = ada.request(method, others + below, json=body, headers=headers)
    nobodys = ada.request(method, ABSENT + below, json=body, headers=headers)
    assert (theirs.status_code, theirs.content) == (nobodys.status_code, nobodys.content)
    assert (theirs.status_code, theirs.json()["error_code"]) == (404, "NOT_FOUND")
    told = {name: value for name, value in theirs.headers.items() if name != "date"}
    assert told == {name: value for name, value in nobodys.headers.items() if name != "date"}


def test_anothers_token_is_as_if_it_did_not_exist(person: People) -> None:
    mine, theirs = person(Permission.INTENTS_READ), person()
    token_id = theirs.get("/api/v1/auth/verify").json()["token_id"]
    headers = {"X-Request-ID": "same"}
    first = mine.delete(f"/api/v1/auth/tokens/{token_id}", headers=headers)
    second = mine.delete("/api/v1/auth/tokens/tok_" + "0" * 32, headers=headers)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.status_code == 404
    assert theirs.get("/api/v1/auth/verify").status_code == 200


def test_ids_cannot_be_guessed(others: str) -> None:
    assert len(bytes.fromhex(others.rsplit("-", 1)[1])) * 8 >= 128


def test_an_admin_sees_and_ends_what_is_anothers(others: str, person: People) -> None:
    admin = person(Permission.ADMIN)
    owner = admin.get(others).json()
    assert owner["workload"]["name"] == "theirs"
    assert admin.delete(others).json()["status"] == "cancelled"


def test_only_an_admin_lists_anothers_intents(person: People, ada: httpx.Client) -> None:
    assert ada.get(SUBMIT, params={"user_id": "else"}).status_code == 403
    assert person(Permission.ADMIN).get(SUBMIT, params={"user_id": "else"}).json()["intents"] == []
    own = ada.get("/api/v1/auth/verify").json()["user"]
    assert ada.get(SUBMIT, params={"user_id": own}).status_code == 200


def test_permission_is_asked_for_before_existence(person: People) -> None:
    client = person(Permission.RESOURCES_READ)
    assert client.get(ABSENT).status_code == 403
    assert client.delete(ABSENT).status_code == 403


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_schemes_have_no_case(scheme: str, site: Site) -> None:
    headers = {"Authorization": f"{scheme} {site.mint('case')}"}
    assert site.http.get("/api/v1/auth/verify", headers=headers).status_code == 200


def test_two_headers_are_none(site: Site) -> None:
    given = [("Authorization", f"Bearer {site.mint('two')}")] * 2
    answer = site.http.get("/api/v1/auth/verify", headers=given)
    assert answer.json()["error_code"] == "AUTHENTICATION_FAILED"


def test_a_token_is_never_said_back(site_http: httpx.Client) -> None:
    secret = new_secret()
    answer = site_http.get("/api/v1/auth/verify", headers={"Authorization": f"Bearer {secret}"})
    assert secret not in answer.text + str(answer.headers)


def test_a_revoked_token_is_dead_in_the_next_request(person: People, site: Site) -> None:
    """Nothing about tokens is remembered from one request to the next."""
    for _ in range(20):
        client = person(Permission.INTENTS_READ)
        own = client.get("/api/v1/auth/verify").json()["token_id"]
        client.delete(f"/api/v1/auth/tokens/{own}")
        assert client.get("/api/v1/auth/verify").json()["error_code"] == "TOKEN_REVOKED"


def test_a_token_is_good_until_it_expires(serve: Serve) -> None:
    moment = datetime.now(UTC)
    clock = [moment]
    with serve(ready=False) as served:
        client = served.client(served.mint("ada", life_s=60, now=moment))
        served.gateway.clock = lambda: clock[0]
        for after_s, status in ((0, 200), (59.999, 200), (60, 401), (61, 401)):
            clock[0] = moment + timedelta(seconds=after_s)
            assert client.get("/api/v1/auth/verify").status_code == status
        client.close()


def test_last_used_is_told(ada: httpx.Client) -> None:
    ada.get("/api/v1/auth/verify")
    assert ada.get("/api/v1/auth/tokens").json()["tokens"][0]["last_used"] is not None


def test_failures_of_an_address_end_in_429_and_who_is_known_goes_on(serve: Serve) -> None:
    with serve(ready=False, failures=Limit(10, 60, 10)) as served:
        good, bad = served.user("ada"), {"Authorization": "Bearer flr_guess"}
        statuses = [served.http.get("/api/v1/auth/verify", headers=bad).status_code for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert good.get("/api/v1/auth/verify").status_code == 200
        good.close()


# --- addresses ------------------------------------------------------------------------------------------


def seen(trusted: tuple[str, ...], peer: str, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return Addresses(trusted).of({"client": (peer, 1), "headers": headers})


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ((), "192.0.2.1", ("203.0.113.9",), "192.0.2.1"),  # nobody is believed
        (("10.0.0.0/8",), "10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        (
            ("10.0.0.0/8",),
            "10.0.0.1",
            ("1.2.3.4, 203.0.113.9",),
            "203.0.113.9",
        ),  # 1.2.3.4 is what a client said
        (("10.0.0.0/8",), "10.0.0.1", ("203.0.113.9, 10.0.0.7",), "203.0.113.9"),  # two proxies
        (("10.0.0.0/8",), "10.0.0.1", ("203.0.113.9", "10.0.0.7"), "203.0.113.9"),
        (("10.0.0.0/8",), "192.0.2.1", ("203.0.113.9",), "192.0.2.1"),  # not from a proxy
        (("10.0.0.0/8",), "10.0.0.1", ("nonsense",), "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", (), "10.0.0.1"),
        (("::1",), "::1", ("2001:db8:1:2:3:4:5:6",), "2001:db8:1:2::/64"),
        ((), "2001:db8:1:2:ffff::1", (), "2001:db8:1:2::/64"),
        (("10.0.0.1",), "::ffff:10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ((), "testclient", (), "testclient"),
    ],
)
def test_addresses(trusted: tuple[str, ...], peer: str, forwarded: tuple[str, ...], address: str) -> None:
    assert seen(trusted, peer, *forwarded) == address


def test_who_listens_on_a_file_has_no_address() -> None:
    assert Addresses(()).of({"client": None, "headers": []}) == "local"


def test_a_proxy_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="example"):
        Addresses(["proxy.example"])
