"""What a collection holds now: list it, watch from its version on, list it again when that has expired."""

import threading
from collections.abc import Callable, Iterator

from flare_core.adapters.fluidos.cluster import Cluster, Event, Json, Listing
from flare_core.adapters.fluidos.errors import ClusterError, ExpiredError, TemporaryError
from flare_core.adapters.fluidos.kinds import Kind

LONGEST_PAUSE_S = 30.0


class Mirror:
    """A copy of one collection, right up to the last event that arrived.

    Parameters
    ----------
    cluster
        Where the collection is.
    kind, namespace, labels
        What is copied.
    window_s
        How long one watch lasts before it is asked for anew, seconds.
    pause_s
        Pause after the first failure, seconds; doubled with each further one, up to 30.
    changed
        Called after each change, from the thread that follows.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        window_s: float = 300.0,
        pause_s: float = 0.5,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._cluster = cluster
        self._kind, self._namespace, self._labels = kind, namespace, labels
        self._window_s, self._pause_s = window_s, pause_s
        self._changed = changed or (lambda: None)
        self._items: dict[tuple[str, str], Json] = {}
        self._version = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lists = 0

    def items(self) -> tuple[Json, ...]:
        """All objects, by namespace and name."""
        with self._lock:
            return tuple(self._items[key] for key in sorted(self._items))

    @property
    def version(self) -> str:
        """The version up to which everything was seen; empty before the first list."""
        return self._version

    def start(self) -> None:
        """Follow in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self.follow, name=f"mirror-{self._kind.plural}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End at the next event or the end of the watch."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def follow(self) -> None:
        """Follow until `stop`: a failure is waited for and outlived, a version that expired listed anew."""
        failures = 0
        while not self._stop.is_set():
            try:
                self.step()
                failures = 0
            except ClusterError:
                failures += 1
                self._stop.wait(min(self._pause_s * 2 ** (failures - 1), LONGEST_PAUSE_S))

    def step(self) -> None:
        """List where that is needed, then follow one watch to its end.

        Raises
        ------
        ClusterError
            The list failed, or the watch was refused. Being cut is no failure: the next step goes on.
        """
        if not self._version:
            self._fill(self._cluster.list(self._kind, self._namespace, labels=self._labels))
        for event in self._events():
            self._take(event)
            if self._stop.is_set():
                return

    def _events(self) -> Iterator[Event]:
        seen = False
        try:
            for event in self._cluster.watch(
                self._kind,
                self._namespace,
                version=self._version,
                labels=self._labels,
                timeout_s=self._window_s,
            ):
                seen = True
                yield event
        except ExpiredError:
            self._version = ""
        except TemporaryError:
            if not seen:
                raise

    def _fill(self, listing: Listing) -> None:
        with self._lock:
            self._items = {_key(item): self._full(item) for item in listing.items}
            self._version = listing.version
            self.lists += 1
        self._changed()

    def _full(self, item: Json) -> Json:
        # The items of a list of a built-in kind do not say what they are.
        return {**item, "apiVersion": self._kind.api_version, "kind": self._kind.kind}

    def _take(self, event: Event) -> None:
        meta = event.object.get("metadata")
        version = meta.get("resourceVersion") if isinstance(meta, dict) else None
        if not version:
            self._version = ""  # an event that cannot be placed: only a list tells what is true
            return
        if _is_late(str(version), self._version):
            return
        with self._lock:
            if event.type == "DELETED":
                self._items.pop(_key(event.object), None)
            elif event.type in ("ADDED", "MODIFIED"):
                self._items[_key(event.object)] = self._full(event.object)
            self._version = str(version)
        if event.type != "BOOKMARK":
            self._changed()


def _is_late(version: str, seen: str) -> bool:
    """Whether it was seen already: the events of a collection come in the order of their versions.

    That versions are growing numbers is promised since Kubernetes 1.35 (and was so before); others are
    taken for new.
    """
    return version.isdecimal() and seen.isdecimal() and int(version) <= int(seen)


def _key(item: Json) -> tuple[str, str]:
    meta = item["metadata"]
    return str(meta.get("namespace", "")), str(meta["name"])
