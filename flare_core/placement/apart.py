"""Which nodes have to be looked at one by one, because their GPUs are not any one's alone."""

from collections.abc import Mapping

from flare_core.inventory.types import ELASTIC
from flare_core.placement.packing import Problem


def nodes_apart(problem: Problem) -> Mapping[int, int]:
    """Return {inventory group: nodes that stand one by one}.

    Groups whose nodes may serve several intents, or have seats of several grades. Nodes beyond what every
    intent would fill alone are never needed.
    """
    alone: dict[int, list[int]] = {}
    mixed: set[int] = set()
    counts: dict[int, int] = {}
    by_node: set[int] = set()
    for ask in problem.asks:
        found, tasks = ask.found, ask.needs.tasks
        entries: dict[int, list[int]] = {}
        for g, group in enumerate(found.group.tolist()):
            entries.setdefault(group, []).append(g)
        for group, own in entries.items():
            counts[group] = int(found.group_nodes[own[0]])
            if found.by_node[found.group_candidate[own[0]]]:
                by_node.add(group)
            if len(own) > 1:
                mixed.add(group)
            # In seats of one grade tasks fill nodes; to have better ones each may want its own.
            each = int(found.group_tasks[own[0]]) if len(own) == 1 else 1
            alone.setdefault(group, []).append(-(-tasks // each))
    return {
        group: sum(nodes) if counts[group] == ELASTIC else min(sum(nodes), counts[group])
        for group, nodes in alone.items()
        if group in mixed or (len(nodes) > 1 and group not in by_node)
    }


def contested(problem: Problem, apart: Mapping[int, int]) -> frozenset[int]:
    """Return the groups that stand apart and whose GPUs are cut or told apart."""
    return frozenset(
        group
        for ask in problem.asks
        for g, group in enumerate(ask.found.group.tolist())
        if group in apart
        and (ask.found.group_sets[g] >= 0 or ask.found.cut[ask.found.group_candidate[g]] >= 0)
    )
