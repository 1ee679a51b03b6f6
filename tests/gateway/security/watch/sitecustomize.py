"""Loaded by every Python below ``PYTHONPATH``: notes each host that the process looks up or connects to."""

import os
import sys

NOTES = os.environ.get("FLARE_TEST_CONNECTIONS")
EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"}


def note(event: str, arguments: tuple[object, ...]) -> None:
    if event in EVENTS and NOTES:
        # Below the level of open(), which would be audited itself.
        file = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{event} {arguments[1:] if event == 'socket.connect' else arguments!r}\n".encode())
        os.close(file)


if NOTES:
    sys.addaudithook(note)
