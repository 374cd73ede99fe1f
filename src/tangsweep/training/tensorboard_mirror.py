"""Mirrors a run to TensorBoard: event files in the run's folder, with what its other files hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tangsweep.config.identity import flatten
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.mirror import TextTable
from tangsweep.runs.record import Record


class TensorboardMirror:
    """Event files that take metrics, scores and texts; a `Mirror` (runs/mirror.py).

    Each attempt at a run writes its whole history anew, and the files of earlier attempts move to
    tensorboard/superseded/, where TensorBoard shows them as another run.
    """

    def __init__(
        self, folder: RunFolder, config: Mapping[str, Any], name: str, group: str, again: bool = False
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._config = dict(config)
        path = folder.path / "tensorboard"
        for number, events in enumerate(sorted(path.glob("events.*"))):
            superseded = path / "superseded"
            superseded.mkdir(exist_ok=True)
            events.rename(superseded / f"{events.name}.{len(list(superseded.iterdir())) + number}")
        self._writer = SummaryWriter(str(path))
        self._writer.add_text("config", f"```yaml\n{yaml.safe_dump(self._config, allow_unicode=True)}\n```")
        self._step = 0

    @property
    def identity(self) -> None:
        """Records name a run at W&B alone."""

    def replay(self, rows: Sequence[MetricsRow]) -> None:
        """Log the rows of earlier attempts."""
        for row in rows:
            self.log(row)

    def log(self, row: MetricsRow) -> None:
        """Log the numbers of a row of metrics.csv at its step."""
        self._step = int(row["step"] or 0)
        for name, value in row.items():
            if name != "step" and value is not None:
                self._writer.add_scalar(name, value, self._step)

    def log_table(self, table: TextTable, step: int | None = None) -> None:
        """Log a table as text, at the optimizer step `step`; None: at the last one."""
        lines = ["|".join(table.columns), "|".join("---" for _ in table.columns)]
        lines += ["|".join(str(cell).replace("\n", "<br>") for cell in row) for row in table.rows]
        self._writer.add_text(table.name, "\n".join(lines), self._step if step is None else step)

    def summarize(self, record: Record) -> None:
        """Enter the config and the scores at the best epoch into TensorBoard's table of hyperparameters."""
        config = {key: value for key, value in flatten(self._config) if value is not None}
        plain = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in config.items()}
        scores = {
            f"best/dev_{name}": getattr(record.dev, name) for name in ("perplexity", "loss", "accuracy")
        }
        self._writer.add_hparams(plain, scores if record.dev else {}, run_name=".")

    def finish(self, failed: bool) -> None:
        """Write what is pending, and close the file. Raises OSError where the disk is full."""
        self._writer.flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close the file: its thread would write to a file of this name even after that was set aside."""
        self._writer.close()
