"""Poems under way, a row each, and what the model says of them."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tangsweep.generation.constraints import Open
from tangsweep.generation.decoding import NEVER, log_probabilities
from tangsweep.generation.poem import Character
from tangsweep.language_model import Carry, LanguageModel


class Written(NamedTuple):
    """The characters at one position: (R) each, and the likeliest (R, …) that could stand there.

    `parents` (R) are the rows of the position before that they go on from, None where each goes on itself.
    """

    parents: Tensor | None
    ids: Tensor
    logs: Tensor
    other_ids: Tensor
    other_logs: Tensor


class Drafts:
    """R poems; `logs` (R, V) are log-probabilities of what comes next, `nats` (R) the cost so far."""

    def __init__(self, model: LanguageModel, possible: Open, nats: Tensor, shown: int) -> None:
        self.model, self.possible, self.nats, self.shown = model, possible, nats, shown
        self.scored = 0  # characters and marks that `nats` counts
        self.written: list[Written] = []
        self.logs = torch.empty(0)
        self._carry: Carry | None = None
        self._parents: Tensor | None = None

    def read(self, id: int) -> None:
        """The model reads an id that every row has and nobody pays for: <bos>, a prompt."""
        self._read(torch.full((len(self.nats),), id, device=self.nats.device))

    def mark(self, id: int) -> None:
        """A sign that every row has next."""
        self._pay(self.logs[:, id])
        self.read(id)

    def end(self, id: int) -> None:
        """The last sign, after which nothing is read."""
        self._pay(self.logs[:, id])

    def write(self, position: int, ids: Tensor, allowed: Tensor) -> None:
        """The rows go on with `ids` (R), of those `allowed` (R, V)."""
        logs = self.logs.gather(-1, ids[:, None])[:, 0]
        width = min(self.shown + 1, self.logs.shape[-1]) if self.shown else 0  # itself may be among them
        others = self.logs.masked_fill(~allowed, NEVER).topk(width) if width else None
        none = ids.new_empty(len(ids), 0)
        self.written.append(
            Written(
                self._parents,
                ids,
                logs,
                others.indices if others else none,
                others.values if others else none,
            )
        )
        self._parents = None
        self._pay(logs)
        self.possible.chosen(position, ids.cpu())
        self._read(ids)

    def rows(self, parents: Tensor) -> None:
        """Go on with the rows at the places `parents`, some perhaps twice."""
        self.possible = self.possible.rows(parents.cpu())
        self.nats, self.logs = self.nats[parents], self.logs[parents]
        self._parents = parents
        if self._carry is not None:
            states = [type(state)(*(tensor[parents] for tensor in state)) for state in self._carry.states]
            self._carry = Carry(states, self._carry.steps)

    def characters(self, tokens: tuple[str, ...]) -> list[list[Character]]:
        """Of each row; the character itself is not among its alternatives."""
        columns, rows = [], torch.arange(len(self.nats), device=self.nats.device)
        for step in reversed(self.written):
            columns.append(_characters(step, rows, tokens, self.shown))
            rows = rows if step.parents is None else step.parents[rows]
        return [list(row) for row in zip(*reversed(columns), strict=True)]

    def _pay(self, logs: Tensor) -> None:
        self.nats = self.nats - logs.double()
        self.scored += 1

    def _read(self, ids: Tensor) -> None:
        logits, self._carry = self.model(ids[:, None], None, self._carry)
        self.logs = log_probabilities(logits[:, -1])


def _characters(step: Written, rows: Tensor, tokens: tuple[str, ...], shown: int) -> list[Character]:
    """Of the rows at the places `rows`."""
    columns = (column[rows].tolist() for column in step[1:] if column is not None)
    return [
        Character(
            tokens[id],
            math.exp(log),
            tuple(
                (tokens[other], math.exp(value))
                for other, value in zip(others, values, strict=True)
                if other != id and value > NEVER
            )[:shown],
        )
        for id, log, others, values in zip(*columns, strict=True)
    ]
