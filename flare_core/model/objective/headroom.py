"""Headroom: ``- sum over g of more[i, g]``, replicas of a service that would still fit.

Intent field ``workload.scaling`` with ``auto_scale``. ``more[i, g]`` tasks fit beside everything that is
placed, up to ``max_replicas``, within the intent's own budgets; each service alone, as if no other
grew. The same meaning as `placement.headroom.most_more`.
"""

from collections.abc import Iterator

from ortools.sat.python import cp_model

from flare_core.inventory.types import ELASTIC
from flare_core.model.constraints.budget import Budget
from flare_core.model.constraints.capacity import resources
from flare_core.model.draft import Draft, Var


def replicas(draft: Draft) -> Iterator[Var]:
    """Yield for every service that scales how many more replicas would fit."""
    for i, ask in enumerate(draft.problem.asks):
        wanted = ask.needs.max_tasks - ask.needs.tasks
        if ask.needs.auto_scale and wanted > 0:
            yield _more(draft, i, wanted)


def _more(draft: Draft, i: int, wanted: int) -> Var:
    ask = draft.problem.asks[i]
    extra: dict[int, list[Var]] = {}
    bought: dict[int, Var] = {}
    for g in range(len(ask.found.group)):
        if int(ask.found.group[g]) not in draft.shared:
            extra[g], bought[g] = _beside(draft, i, g, wanted)
        elif int(ask.found.group[g]) in draft.contested:
            extra[g], more_nodes = _beyond(draft, i, g, wanted)
            if more_nodes is not None:
                bought[g] = more_nodes
        else:
            extra[g] = list(_on_shared(draft, i, g, wanted))
    total = draft.count(wanted, f"more[{ask.name}]")
    draft.model.add(cp_model.LinearExpr.sum([v for own in extra.values() for v in own]) == total)
    draft.model.add(total <= wanted * draft.placed[i])
    _post_budgets(draft, i, extra, bought)
    return total


def _beside(draft: Draft, i: int, g: int, wanted: int) -> tuple[list[Var], Var]:
    """Return ([more tasks], more nodes) of a group whose nodes the intent does not share."""
    ask = draft.problem.asks[i]
    each, count = int(ask.found.group_tasks[g]), int(ask.found.group_nodes[g])
    more, nodes = draft.count(wanted, f"more[{i},{g}]"), draft.count(wanted, f"more_nodes[{i},{g}]")
    draft.model.add(draft.tasks[i, g] + more <= each * (draft.nodes[i, g] + nodes))
    if count != ELASTIC:
        group = int(ask.found.group[g])
        others = [
            var for (k, h), var in draft.nodes.items() if int(draft.problem.asks[k].found.group[h]) == group
        ]
        draft.model.add(cp_model.LinearExpr.sum(others) + nodes <= count)
    return [more], nodes


def _on_shared(draft: Draft, i: int, g: int, wanted: int) -> Iterator[Var]:
    """Yield more tasks on each node of a shared group, and on its nodes that do not stand apart."""
    ask = draft.problem.asks[i]
    group, each, count = int(ask.found.group[g]), int(ask.found.group_tasks[g]), int(ask.found.group_nodes[g])
    apart = draft.shared[group]
    beyond = wanted if count == ELASTIC else min(wanted, each * (count - apart))
    if beyond:
        yield draft.count(beyond, f"more_beyond[{i},{g}]")
    users = draft.users[group]
    for v in range(apart):
        more = draft.count(min(wanted, each), f"more_at[{i},{g},{v}]")
        tasks = [draft.at[k, h, v] for k, h in users]
        for have, amounts in resources(draft, group):
            own = amounts[users.index((i, g))]
            terms = draft.total([*zip(tasks, amounts, strict=True), (more, own)])
            if own and terms.most > have:
                draft.model.add(terms.expr() <= have)
        yield more


def _beyond(draft: Draft, i: int, g: int, wanted: int) -> tuple[list[Var], Var | None]:
    """Return ([more tasks], more nodes) on nodes of a contested group that nobody of the plan needs."""
    found = draft.problem.asks[i].found
    group, each, count = int(found.group[g]), int(found.group_tasks[g]), int(found.group_nodes[g])
    if (i, g) != next(user for user in draft.users[group] if user[0] == i):
        return [], None
    nodes = -(-wanted // each) if count == ELASTIC else min(-(-wanted // each), count - draft.shared[group])
    more, bought = draft.count(wanted, f"more[{i},{g}]"), draft.count(nodes, f"more_nodes[{i},{g}]")
    draft.model.add(more <= each * bought)
    return [more], bought


def _post_budgets(draft: Draft, i: int, extra: dict[int, list[Var]], bought: dict[int, Var]) -> None:
    ask = draft.problem.asks[i]
    for budget in Budget.read(draft.problem):
        if budget.intent != i:
            continue
        task, node = (amounts.tolist() for amounts in budget.amounts(ask))
        pairs = list(draft.pairs(i, task, node))
        for g, own in extra.items():
            j = int(ask.found.group_candidate[g])
            pairs += [(v, task[j]) for v in own]
            if g in bought and node[j]:
                pairs.append((bought[g], node[j]))
        draft.model.add(draft.total(pairs).expr() <= budget.limit)
