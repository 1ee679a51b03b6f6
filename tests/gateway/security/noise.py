"""A client that takes no heed of its limit: ``python -m tests.gateway.security.noise PORT TOKEN PAUSE_S``.

It asks until it is ended, and can be stopped and continued; on its first refusal it says so.
"""

import sys
import time

from tests.gateway.security.served import Client


def main(port: int, token: str, pause_s: float) -> None:
    client, told = Client(port, token), False
    while True:
        if client.ask("GET", "/api/v1/auth/verify").status == 429 and not told:
            told = True
            sys.stdout.write("throttled\n")
            sys.stdout.flush()
        time.sleep(pause_s)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
