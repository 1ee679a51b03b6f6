"""The solver's process: ``python -m flare_core.adapters.gateway.work.child DESCRIPTOR MEMORY_MIB``.

It is given requests over a socket and gives back JSON. It ends when its parent does, also in the middle of a
search: a thread of its own notices.
"""

import json
import os
import queue
import resource
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any, Final

from flare_core.adapters.gateway.failpoints import hit
from flare_core.inventory.types import Inventory

READY: Final = b'{"ready": true}'
_SHARE: Final = 0.8
"""Part of the memory bound that may be the process's own data; the rest is the code of its libraries."""


def main(descriptor: int, memory_mib: int) -> None:
    """Answer until the parent is gone."""
    most = round(memory_mib * _SHARE) * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold what users keep secret
    connection = Connection(descriptor)
    asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, asked), daemon=True).start()
    from flare_core.adapters.gateway.work import solving  # loads the solver: paid before the first request

    os.nice(10)  # who answers goes before who searches; but to be ready is what everybody waits for
    connection.send_bytes(READY)
    inventory: Inventory | None = None
    while True:
        message = asked.get()
        if isinstance(message, Inventory):
            inventory = message
            continue
        assert inventory is not None
        hit("solver.searching")
        try:
            found = solving.answer(message, inventory)
        except MemoryError:
            os._exit(1)  # what is left of the memory is no place to go on from
        connection.send_bytes(json.dumps(found).encode())


def _listen(connection: Connection, asked: "queue.SimpleQueue[Any]") -> None:
    try:
        while True:
            asked.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
