"""S16: nobody holds more than the quota, however many submissions come at once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests.gateway.security.served import UNLIMITED, Answer, Served, fleet, intent

AT_ONCE = 8
MOST_INTENTS, MOST_GPUS = 3, 5
WORKERS = 2


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Served]]:
    quota = {"open_intents": MOST_INTENTS, "gpus": MOST_GPUS}
    folder = tmp_path_factory.mktemp("quotas")
    with fleet(folder, WORKERS, submit_wait_s=0, quota=quota, **UNLIMITED) as servers:
        yield servers


@pytest.mark.parametrize(
    "rounds", [pytest.param(5, id="reduced"), pytest.param(100, id="t1", marks=pytest.mark.t1)]
)
def test_exactly_the_quota_is_admitted(workers: Sequence[Served], rounds: int) -> None:
    """In every other round it is the GPUs that there are too few of: four at two each are beyond five."""
    clients = [workers[number % WORKERS].client() for number in range(AT_ONCE)]
    users = [f"user-{rounds}-{number}" for number in range(rounds)]
    tokens = [workers[0].mint(user) for user in users]
    start = Barrier(AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, token in enumerate(tokens):
            gpus = 1 + number % 2
            most = min(MOST_INTENTS, MOST_GPUS // gpus)

            def submit(each: int, token: str = token, gpus: int = gpus) -> Answer:
                start.wait(30)
                body = intent(f"n-{each}", resources=asked(gpus))
                return clients[each].ask("POST", "/api/v1/intents", json=body, token=token)

            answers = list(pool.map(submit, range(AT_ONCE)))
            told = Counter(answer.code or "admitted" for answer in answers)
            assert told == {"admitted": most, "QUOTA_EXCEEDED": AT_ONCE - most}
            refused = [answer for answer in answers if answer.code]
            assert {answer.status for answer in refused} == {429}
            assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
            open_ = clients[0].ask("GET", "/api/v1/intents", token=token).json["intents"]
            assert len(open_) == most


def asked(gpus: int) -> dict[str, Any]:
    return {"cpu": "1", "memory": "1Gi", "gpu": {"model": "nvidia-h100", "count": gpus}}


@pytest.mark.t1
def test_what_has_ended_counts_no_more(workers: Sequence[Served]) -> None:
    client = workers[0].client(workers[0].mint("ended"))
    for number in range(2 * MOST_INTENTS):
        made = client.ask("POST", "/api/v1/intents", json=intent(f"n-{number}"))
        assert made.status in (201, 202)
        assert client.ask("DELETE", f"/api/v1/intents/{made.json['intent_id']}").status == 202
