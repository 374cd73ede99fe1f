"""Training batches that are a function of the step number: endless streams, windows of a book."""

from collections.abc import Callable, Iterator, Mapping

from tangsweep.batches.batch import Batch, BatchSequence


class StepRange:
    """The batches of one epoch: those of `count` steps from step `first` on, counted from 0."""

    def __init__(self, draw: Callable[[int], Batch], first: int, count: int) -> None:
        self.draw, self.steps = draw, range(first, first + count)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.draw, self.steps)


class StepwiseBatches:
    """RunBatches in which training step s uses the batch `draw(s)`.

    An epoch is `steps_per_epoch` steps. `evaluation_sets` holds at least `dev`.
    """

    pad: int | None = None

    def __init__(
        self,
        draw: Callable[[int], Batch],
        steps_per_epoch: int,
        evaluation_sets: Mapping[str, BatchSequence],
        whole_sequences: bool = True,
    ) -> None:
        self.draw, self.steps_per_epoch, self._evaluation_sets = draw, steps_per_epoch, dict(evaluation_sets)
        self.whole_sequences = whole_sequences

    def train_batches(self, epoch: int) -> StepRange:
        return StepRange(self.draw, epoch * self.steps_per_epoch, self.steps_per_epoch)

    def dev_batches(self) -> BatchSequence:
        return self._evaluation_sets["dev"]

    def evaluation_sets(self) -> dict[str, BatchSequence]:
        return self._evaluation_sets
