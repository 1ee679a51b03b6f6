"""One number that tells inventories apart."""

from hashlib import sha256

from flare_core.inventory.types import Inventory


def digest(inventory: Inventory) -> str:
    """Return the SHA-256 of all that an inventory offers, in hexadecimal, without its warnings and source."""
    found = sha256(repr(inventory.ids).encode())
    for columns in (inventory.whole, inventory.number, inventory.flag):
        for name in sorted(columns):
            found.update(name.encode())
            found.update(columns[name].tobytes())
    for name in sorted(inventory.label):
        column = inventory.label[name]
        found.update(f"{name} {column.values!r}".encode())
        found.update(column.codes.tobytes())
    groups = inventory.groups
    for array in (
        groups.offer,
        groups.count,
        groups.free_gpus,
        groups.free_cpu_milli,
        groups.free_memory_mib,
    ):
        found.update(array.tobytes())
    for told in (groups.nodes, groups.gpus, groups.milli, groups.mig, groups.until):
        found.update(repr(sorted((group, _plain(value)) for group, value in told.items())).encode())
    found.update(repr(inventory.busy).encode())
    return found.hexdigest()


def _plain(value: object) -> object:
    return sorted(value.items()) if hasattr(value, "items") else value
