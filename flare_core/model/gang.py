"""The variables of one gang: its span, the path prefixes it uses, what distance costs it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flare_core.model.draft import Draft, Var


@dataclass(eq=False)
class Gang:
    """See `constraints.fabric`; ``prefixes[d]`` count the prefixes of length ``d + 1`` that are used."""

    draft: "Draft"
    i: int
    spans: "list[Var]" = field(default_factory=list)
    prefixes: "list[list[Var]]" = field(default_factory=list)
    slow: "list[tuple[Var, int, int]]" = field(default_factory=list)  # variable, candidate, span
    here: "dict[int, list[Var]]" = field(default_factory=dict)
    off: "Var | None" = None
    missing: "Var | None" = None

    def __post_init__(self) -> None:
        ask = self.draft.problem.asks[self.i]
        self.ask, self.fabric, self.tasks = ask, ask.found.fabric, ask.needs.tasks
        self.prefixes = [self._prefixes(d) for d in range(self.fabric.depth)]
        self._post_spans()
        self._post_slow()
        if ask.needs.infiniband:
            self._post_off()

    def _flag(self, name: str) -> "Var":
        return self.draft.flag(f"{name}[{self.ask.name}]")

    def _prefixes(self, d: int) -> "list[Var]":
        """Return for each prefix of one length whether it is used, and the nodes where it is unknown."""
        uses, column = self.draft.uses, self.fabric.prefix[:, d].tolist()
        flags: dict[int, Var] = {}
        listed: list[Var] = []
        for j, code in enumerate(column):
            if code < 0:
                listed += self._nodes_of(j)
                continue
            if code not in flags:
                flags[code] = self._flag(f"prefix {code}")
                listed.append(flags[code])
            self.draft.model.add_implication(uses[self.i, j], flags[code])
        return listed

    def _post_spans(self) -> None:
        model, depth = self.draft.model, self.fabric.depth
        self.spans = [self._flag(f"span {s}") for s in range(depth + 2)]
        model.add(cp_model.LinearExpr.sum(self.spans) == self.draft.placed[self.i])
        nodes = cp_model.LinearExpr.sum(list(self._nodes()))
        model.add(nodes <= 1).only_enforce_if(self.spans[0])
        for span in range(1, depth + 1):
            d = depth - span
            model.add(cp_model.LinearExpr.sum(self.prefixes[d]) <= 1).only_enforce_if(self.spans[span])
            for j in np.flatnonzero(self.fabric.prefix[:, d] < 0).tolist():
                model.add_implication(self.draft.uses[self.i, j], ~self.spans[span])

    def _nodes(self) -> "Iterator[Var]":
        """Yield 0/1 or counts that add up to the nodes that the gang uses."""
        for j in range(len(self.ask.found)):
            yield from self._nodes_of(j)

    def _nodes_of(self, j: int) -> "Iterator[Var]":
        """Yield those of one candidate; nodes with seats of several grades belong to the first of these."""
        draft, found = self.draft, self.ask.found
        for g in np.flatnonzero(found.group_candidate == j).tolist():
            group = int(found.group[g])
            if group not in draft.shared:
                yield draft.nodes[self.i, g]
            elif g == next(h for i, h in draft.users[group] if i == self.i):
                yield from self._nodes_apart(group)

    def _nodes_apart(self, group: int) -> "list[Var]":
        known = self.here.get(group)
        if known is not None:
            return known
        draft, self.here[group] = self.draft, []
        entries = [g for i, g in draft.users[group] if i == self.i]
        for v in range(draft.shared[group]):
            here = draft.flag(f"here[{self.ask.name},{group},{v}]")
            own = cp_model.LinearExpr.sum([draft.at[self.i, g, v] for g in entries])
            draft.model.add(own <= self.tasks * here)
            self.here[group].append(here)
        return self.here[group]

    def _post_slow(self) -> None:
        """Count the tasks of each class of candidates that are slowed down by each span."""
        loss, score = self.fabric.loss, self.ask.score.fabric
        _, classes = np.unique(np.concatenate([loss, score], axis=1), axis=0, return_inverse=True)
        owner = self.ask.found.group_candidate
        for number in range(int(classes.max(initial=-1)) + 1):
            members = np.flatnonzero(classes.reshape(-1) == number)
            groups = np.flatnonzero(np.isin(owner, members)).tolist()
            total = cp_model.LinearExpr.sum([self.draft.tasks[self.i, g] for g in groups])
            example = int(members[0])
            for span in range(1, loss.shape[1]):
                if loss[example, span] or score[example, span]:
                    var = self.draft.count(self.tasks, f"slow[{self.ask.name},{span},{number}]")
                    self.draft.model.add(var >= total - self.tasks * (1 - self.spans[span]))
                    self.slow.append((var, example, span))

    def _post_off(self) -> None:
        model = self.draft.model
        self.off = self._flag("off")
        for j in np.flatnonzero(~self.fabric.infiniband).tolist():
            model.add(self.off + self.spans[0] >= self.draft.uses[self.i, j])
        several = cp_model.LinearExpr.sum(self.prefixes[0]) - 1
        model.add(several <= len(self.prefixes[0]) * (self.off + self.spans[0]))
        total = cp_model.LinearExpr.sum([v for (i, _), v in self.draft.tasks.items() if i == self.i])
        self.missing = self.draft.count(self.tasks, f"missing[{self.ask.name}]")
        model.add(self.missing >= total - self.tasks * (1 - self.off))
