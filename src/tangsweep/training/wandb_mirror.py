"""Mirrors a run to W&B: one W&B run a run, with what the files in the run's folder hold."""

import logging
import secrets
import string
import time
from collections.abc import Mapping, Sequence
from typing import Any

import wandb

from tangsweep.fault_points import fault_point
from tangsweep.files import atomic_write
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.mirror import TextTable
from tangsweep.runs.record import Record, WandbRun
from tangsweep.runs.wandb_names import wandb_history, wandb_summary
from tangsweep.training.mirror_settings import wandb_mode

log = logging.getLogger(__name__)
MAX_TAG_LENGTH = 64  # characters that W&B allows


class WandbMirror:
    """A W&B run that takes metrics, scores and texts; a `Mirror` (runs/mirror.py)."""

    def __init__(
        self,
        folder: RunFolder,
        config: Mapping[str, Any],
        name: str,
        group: str,
        project: str,
        entity: str | None = None,
        mode: str | None = None,
    ) -> None:
        chosen_mode = wandb_mode(mode)
        if chosen_mode == "offline":
            set_aside_offline_runs(folder)
        run_id, self._is_new = wandb_run_id(folder)
        self.run = wandb.init(
            project=project,
            entity=entity,
            mode=chosen_mode,  # type: ignore[arg-type]
            id=run_id,
            name=name,
            group=group,
            config=dict(config),
            dir=str(folder.path),
            tags=[f"corpus:{config['corpus']['name']}"[:MAX_TAG_LENGTH]],
            reinit="create_new",
            resume="allow" if chosen_mode == "online" else None,
            settings=wandb.Settings(
                console="off",
                silent=True,
                x_disable_stats=True,
                x_save_requirements=False,  # a third of its start; the record holds the versions that matter
                disable_git=True,
                save_code=False,
            ),
        )

    def replay(self, rows: Sequence[MetricsRow]) -> None:
        """Log the rows of earlier attempts: an offline run cannot be resumed, and a new one online lacks
        them.
        """
        if self.run.offline or self._is_new:
            for row in rows:
                self.log(row)

    def log(self, row: MetricsRow) -> None:
        """Log a row of metrics.csv at its step."""
        step = row["step"]
        self.run.log(wandb_history(row), step=None if step is None else int(step))

    def log_table(self, table: TextTable, step: int | None = None) -> None:
        """Log a table at the optimizer step `step`; None: after all that was logged."""
        columns: list[Any] = list(table.columns)
        rows: list[Any] = [list(row) for row in table.rows]
        self.run.log({table.name: wandb.Table(columns=columns, data=rows)}, step=step)

    def summarize(self, record: Record) -> None:
        """Write the scores at the best epoch into the run's summary."""
        self.run.summary.update(wandb_summary(record))

    def finish(self, failed: bool) -> None:
        """Finish, exactly once, however the run ended; a failure of W&B costs no record."""
        fault_point("finishing W&B")
        try:
            self.run.finish(exit_code=1 if failed else 0)
        except Exception:
            log.exception("W&B could not be finished; the run's own files are complete")
        fault_point("finished W&B")

    @property
    def identity(self) -> WandbRun:
        return WandbRun(id=self.run.id, path=self.run.path)


def set_aside_offline_runs(folder: RunFolder) -> None:
    """Move the offline files of earlier attempts to wandb/superseded/: one history a run, never two.

    W&B's own process may outlive a run that was killed, and make its folder a second time.
    """
    for path in sorted((folder.path / "wandb").glob("offline-run-*")):
        moved = folder.path / "wandb" / "superseded" / path.name
        moved.parent.mkdir(exist_ok=True)
        if moved.exists():
            moved = moved.with_name(f"{path.name}.{time.time_ns()}")
        path.rename(moved)


def wandb_run_id(folder: RunFolder) -> tuple[str, bool]:
    """Return the run's W&B id, drawn once and kept in the folder, and whether it is new."""
    path = folder.path / "wandb-id.txt"
    is_new = not path.exists()
    if is_new:
        drawn = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        atomic_write(path, drawn + "\n")
    return path.read_text(encoding="utf-8").strip(), is_new
