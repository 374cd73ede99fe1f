"""Training batches that are a function of the step: streams without end, windows of a book."""

from collections.abc import Callable, Iterator, Mapping

from tangsweep.batches.batch import Batch, BatchSequence


class Stretch:
    """An epoch: `every` batches from step `first` on, steps counted from 0."""

    def __init__(self, draw: Callable[[int], Batch], first: int, every: int) -> None:
        self.draw, self.steps = draw, range(first, first + every)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.draw, self.steps)


class Stepwise:
    """Step s trains on `draw(s)`; after every `every` steps an epoch ends. `sides` holds at least `dev`."""

    pad: int | None = None

    def __init__(
        self,
        draw: Callable[[int], Batch],
        every: int,
        sides: Mapping[str, BatchSequence],
        whole_sequences: bool = True,
    ) -> None:
        self.draw, self.every, self._sides = draw, every, dict(sides)
        self.whole_sequences = whole_sequences

    def train_batches(self, epoch: int) -> Stretch:
        return Stretch(self.draw, epoch * self.every, self.every)

    def dev_batches(self) -> BatchSequence:
        return self._sides["dev"]

    def sides(self) -> dict[str, BatchSequence]:
        """What the closing scores are of."""
        return self._sides
