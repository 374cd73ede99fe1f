"""Everything W&B: one W&B run a run, a mirror of the files in the run's folder."""

import logging
import secrets
import string
import time
from collections.abc import Mapping, Sequence
from typing import Any

import wandb

from tangsweep import fault_points
from tangsweep.files import atomic_write
from tangsweep.runs import wandb_names
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import TextTable
from tangsweep.training import wandb_mode

log = logging.getLogger(__name__)
TAG = 64  # characters that W&B allows


class WandbMirror:
    """A W&B run that takes rows, scores and poems; `finish` tells it how the run ended."""

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
        chosen = wandb_mode.chosen(mode)
        if chosen == "offline":
            supersede(folder)
        identity, self._new = wandb_id(folder)
        self.run = wandb.init(
            project=project,
            entity=entity,
            mode=chosen,  # type: ignore[arg-type]
            id=identity,
            name=name,
            group=group,
            config=dict(config),
            dir=str(folder.path),
            tags=[f"corpus:{config['corpus']['name']}"[:TAG]],
            reinit="create_new",
            resume="allow" if chosen == "online" else None,
            settings=wandb.Settings(
                console="off",
                silent=True,
                x_disable_stats=True,
                x_save_requirements=False,  # a third of its start; the record holds the versions that matter
                disable_git=True,
                save_code=False,
            ),
        )

    def replay(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """The rows of earlier attempts: W&B cannot resume an offline run, and a new one online lacks them."""
        if self.run.offline or self._new:
            for row in rows:
                self.log(row)

    def log(self, row: Mapping[str, Any]) -> None:
        """A row of metrics.csv, at its step."""
        step = row["step"]
        self.run.log(wandb_names.wandb_history(row), step=step)

    def table(self, table: TextTable, step: int | None = None) -> None:
        """At the optimizer step `step`; None: after all that was logged."""
        columns: list[Any] = list(table.columns)
        rows: list[Any] = [list(row) for row in table.rows]
        self.run.log({table.name: wandb.Table(columns=columns, data=rows)}, step=step)

    def summarize(self, result: Mapping[str, Any]) -> None:
        """Scores at the best epoch into the run's summary."""
        self.run.summary.update(wandb_names.wandb_summary(result))

    def finish(self, failed: bool) -> None:
        """Exactly once, however the run ended; what W&B cannot do costs no record."""
        fault_points.fault_point("finishing W&B")
        try:
            self.run.finish(exit_code=1 if failed else 0)
        except Exception:
            log.exception("W&B could not be finished; the run's own files are complete")
        fault_points.fault_point("finished W&B")

    @property
    def identity(self) -> dict[str, str]:
        """What the record says: the id, and entity/project/id as W&B writes it."""
        return {"id": self.run.id, "path": self.run.path}


def supersede(folder: RunFolder) -> None:
    """Move the offline files of earlier attempts to wandb/superseded/: one history a run, never two.

    W&B's own process may outlive a run that was killed, and make its folder a second time.
    """
    earlier = sorted((folder.path / "wandb").glob("offline-run-*"))
    for path in earlier:
        moved = folder.path / "wandb" / "superseded" / path.name
        moved.parent.mkdir(exist_ok=True)
        if moved.exists():
            moved = moved.with_name(f"{path.name}.{time.time_ns()}")
        path.rename(moved)


def wandb_id(folder: RunFolder) -> tuple[str, bool]:
    """Drawn once and kept in the folder, so that a run that goes on keeps its id; and whether it is new."""
    path = folder.path / "wandb-id.txt"
    new = not path.exists()
    if new:
        drawn = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        atomic_write(path, drawn + "\n")
    return path.read_text(encoding="utf-8").strip(), new
