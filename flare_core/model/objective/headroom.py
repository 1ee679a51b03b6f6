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
from flare_core.model.constraints.gpus import Gpus
from flare_core.model.draft import Draft, Var
from flare_core.placement.nodes import Guest


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
            if (i, g) == next(user for user in draft.users[int(ask.found.group[g])] if user[0] == i):
                extra[g], bought[g] = _on_contested(draft, i, g, wanted)
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


def _on_contested(draft: Draft, i: int, g: int, wanted: int) -> tuple[list[Var], Var]:
    """Return ([more tasks], more nodes) where GPUs are cut or told apart; seats may be chosen anew."""
    found = draft.problem.asks[i].found
    group, room, count = int(found.group[g]), int(found.group_room[g]), int(found.group_nodes[g])
    apart = draft.shared[group]
    more, bought = draft.count(wanted, f"more[{i},{g}]"), draft.count(wanted, f"more_nodes[{i},{g}]")
    draft.model.add(more <= room * bought)
    if count != ELASTIC:
        opened = cp_model.LinearExpr.sum([draft.open[group, v] for v in range(apart)])
        draft.model.add(opened + bought <= count)
    extra = [more]
    for v in range(apart):
        grown = draft.count(min(wanted, room), f"more_at[{i},{g},{v}]")
        draft.model.add(grown <= wanted * draft.owns.get((i, group, v), draft.open[group, v]))
        _post_grown(draft, i, (group, v), grown)
        extra.append(grown)
    return extra, bought


def _post_grown(draft: Draft, i: int, node: tuple[int, int], grown: Var) -> None:
    """State that a node holds what is there and `grown` more tasks of an intent."""
    group, v = node
    users, own = draft.users[group], next(at for at, user in enumerate(draft.users[group]) if user[0] == i)
    tasks = [draft.at[k, h, v] for k, h in users]
    for have, amounts in resources(draft, group):
        terms = draft.total([*zip(tasks, amounts, strict=True), (grown, amounts[own])])
        if amounts[own] and terms.most > have:
            draft.model.add(terms.expr() <= have)
    entries: dict[int, list[int]] = {}
    for k, h in users:
        entries.setdefault(k, []).append(h)
    crowd: list[tuple[Guest, Var]] = []
    for k, mine in entries.items():
        ask = draft.problem.asks[k]
        if ask.needs.gpus:
            there = [draft.at[k, h, v] for h in mine] + ([grown] if k == i else [])
            total = draft.count(sum(draft.bounds[var.index][1] for var in there), f"all[{i},{k},{node}]")
            draft.model.add(cp_model.LinearExpr.sum(there) == total)
            crowd.append((Guest(ask, mine[0], 1, any_grade=True), total))
    Gpus().post_crowd(draft, group, crowd)


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
