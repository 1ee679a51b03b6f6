"""Whether the MIG instances that an offer says to be in use can lie where it says."""

from collections import defaultdict

from flare_core.catalog.gpus import parts_fitting
from flare_core.catalog.mig import cuts_of, layout_fault
from flare_core.errors import found_expected
from flare_core.inventory.usage import Usage, UsageError


def check_layouts(usage: Usage, model: str | None, memory_mib: int | None) -> None:
    """Check the instances of every GPU against the vendor's placement table.

    Where no part of the model is known nothing can be said; of several that fit, one that allows it will do.

    Raises
    ------
    UsageError
        If no part that fits can be cut so; its path is the offer's, ``node_states.0.mig``.
    """
    if model is None or not any(state.mig for state in usage.states):
        return
    known = [cuts_of(part.sku) for part in parts_fitting(model, memory_mib=memory_mib)]
    for i, state in enumerate(usage.states):
        instances: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for gpu, profile, start in state.mig:
            instances[gpu].append((profile, start))
        for gpu, own in sorted(instances.items()):
            faults = [layout_fault(cuts, own) if cuts else "the part has no MIG" for cuts in known]
            if faults and None not in faults:
                found = f"instances {own} on GPU {gpu}"
                raise UsageError(f"node_states.{i}.mig", found_expected(found, f"a layout, and {faults[0]}"))
