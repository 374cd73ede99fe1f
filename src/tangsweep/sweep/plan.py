"""`plan=true`: print what a command would train, how long and into how much disk; nothing is trained."""

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

from rich.table import Table

from tangsweep.config.search_options import SearchOptions
from tangsweep.console import console, format_bytes, format_duration, print_line
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import State
from tangsweep.sweep.halving import Rung
from tangsweep.sweep.run_status import RunStatus
from tangsweep.sweep.search import describe_rung
from tangsweep.sweep.search_runs import SearchRuns
from tangsweep.sweep.search_space import Space, describe_parameter
from tangsweep.training.prepare import PreparedRun

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from tangsweep.batches.batch import Batch, BatchSequence
    from tangsweep.training.module import LanguageModelModule

COLUMNS = ("run", "varies", "state", "time", "disk")
SEARCH_COLUMNS = ("compared", "tuned", "settings", "time", "without pruning")
WARM_UP_STEPS, TIMED_STEPS = 2, 8
SCORED_BATCHES = 2
ROW_BYTES = 400  # of a row in metrics.csv and in W&B's file


class Cost(NamedTuple):
    """The cost of one run that is not stopped early."""

    seconds: float  # training and scoring
    disk: float  # bytes


def print_plan(runs: Sequence[PreparedRun], statuses: Mapping[Path, RunStatus], concurrency: int) -> None:
    """Print a row a run, and the total; `concurrency` runs are trained side by side.

    The estimate of a run is the mean of those like it that are done (all but seed, learning rate,
    initialization and scheduler are alike), or comes from a few measured steps.
    """
    costs = _costs(runs, statuses)
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for run in runs:
        status = statuses[run.folder]
        varied, _, digest = run.name.rpartition("-")
        cost = ["", ""]
        if status.trained:
            cost = [format_duration(costs[run.folder].seconds), format_bytes(costs[run.folder].disk)]
        table.add_row(
            digest, varied, status.state.value if status.trained else f"{status.state.value}, left", *cost
        )
    console.print(table)
    seconds = sum(cost.seconds for cost in costs.values())
    disk = format_bytes(sum(cost.disk for cost in costs.values()))
    concurrency = min(concurrency, len(costs))
    wall = max([seconds / max(concurrency, 1), *(cost.seconds for cost in costs.values())])
    side_by_side = f", about {format_duration(wall)} with {concurrency} at once" if concurrency > 1 else ""
    print_line(
        f"{len(costs)} of {len(runs)} runs to train: {format_duration(seconds)} of training and scoring"
        f"{side_by_side}; {disk} of disk. At most: a run that goes on has less left, one that reaches "
        "its goal or loses patience ends earlier. Nothing was trained."
    )


def print_search_plan(
    space: Space, ladders: Mapping[str, Sequence[Rung]], runs: SearchRuns, concurrency: int
) -> None:
    """Print each arm with its parameters, how many settings reach which rung, and the time of training.

    A few steps of each arm are measured. `concurrency` runs are trained side by side.
    """
    options, seeds = runs.probes[0].config.search, len(runs.probes[0].config.confirm.seeds)
    table, total, confirming = Table(*SEARCH_COLUMNS, box=None, pad_edge=False), 0.0, 0.0
    for arm in space:
        full = max(estimate_cost(runs.probe(arm.name, place)).seconds for place in range(len(arm.branches)))
        epochs = runs.probe(arm.name).config.trainer.max_epochs
        counts, rungs = trials_at_rungs(options, len(ladders[arm.name])), ladders[arm.name]
        seconds = full * training_share(rungs, counts, epochs)
        total, confirming = total + seconds, confirming + full * seeds
        tuned = "; ".join(
            ", ".join(map(describe_parameter, branch.parameters)) or "nothing" for branch in arm.branches
        )
        reached = " → ".join(f"{n} × {describe_rung(r)}" for n, r in zip(counts, rungs, strict=True))
        whole = full * counts[0] * len({rung.seed for rung in rungs})
        table.add_row(arm.name, tuned, reached, format_duration(seconds), format_duration(whole))
    console.print(table)
    then = f", then {len(space) * seeds} runs that confirm: {format_duration(confirming)}" if seeds else ""
    side_by_side = (
        f", {format_duration(total / concurrency)} with {concurrency} at once" if concurrency > 1 else ""
    )
    print_line(
        f"{len(space) * (options.trials or 0)} settings by {options.sampler}: about {format_duration(total)} "
        f"of training and scoring{side_by_side}{then}. Nothing was trained."
    )


def trials_at_rungs(options: SearchOptions, rungs: int) -> list[int]:
    """Return how many trials of an arm reach each rung at the end of a search."""
    counts = [options.trials or 0]
    for _ in range(rungs - 1):
        counts.append(max(1, counts[-1] // options.eta))
    return counts


def training_share(rungs: Sequence[Rung], counts: Sequence[int], epochs: int | None) -> float:
    """Return the training of all rungs, in whole runs: a promoted run goes on where it was paused."""
    share, before = 0.0, 0.0
    for rung, count in zip(rungs, counts, strict=True):
        reached = 1.0 if rung.epochs is None or not epochs else rung.epochs / epochs
        share += count * (reached - (before if rung.seed == rungs[0].seed else 0.0))
        before = reached
    return share


def _costs(runs: Sequence[PreparedRun], statuses: Mapping[Path, RunStatus]) -> dict[Path, Cost]:
    """Estimate the cost of each run to train, once for each kind of run."""
    kinds = {run.folder: _cost_kind(run) for run in runs if statuses[run.folder].trained}
    recorded: dict[str, list[Cost]] = {kind: [] for kind in kinds.values()}
    for run in runs if kinds else ():
        if statuses[run.folder].state is State.DONE and (kind := _cost_kind(run)) in recorded:
            recorded[kind].append(_recorded_cost(RunFolder(run.folder)))
    means = {
        kind: Cost(mean(cost.seconds for cost in costs), mean(cost.disk for cost in costs))
        for kind, costs in recorded.items()
        if costs
    }
    for run in runs:
        if run.folder in kinds and kinds[run.folder] not in means:
            means[kinds[run.folder]] = estimate_cost(run)
    return {folder: means[kind] for folder, kind in kinds.items()}


def _cost_kind(run: PreparedRun) -> str:
    """Equal for runs that cost the same."""
    config = run.config.plain
    trainer = {key: value for key, value in config["trainer"].items() if key != "log_every"}
    parts = [config[group] for group in ("corpus", "data", "cell", "model", "samples")]
    return repr([*parts, trainer, config["optimizer"]["_target_"], run.corpus.fingerprint])


def _recorded_cost(folder: RunFolder) -> Cost:
    record = read_record(folder)
    disk = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    return Cost((record.seconds if record else None) or 0.0, disk)


def estimate_cost(run: PreparedRun) -> Cost:
    """Estimate the cost of a run that nothing stops early.

    Measures a few training steps and evaluation batches of this very run, on a model of its own.
    """
    import torch  # seconds, and only where no run of the kind is recorded

    from tangsweep.training import assemble
    from tangsweep.training.optimizer_factories import optimizer_factories
    from tangsweep.training.parameter_groups import build_optimizer

    options = run.config.trainer
    torch.set_num_threads(options.threads)
    batches = run.task.batches(run.encoded, run.config)
    device = torch.device("cuda" if options.accelerator == "gpu" else "cpu")
    module = assemble.build_module(run, batches.pad).to(device)
    epoch = batches.train_batches(0)
    limits = [options.max_steps, options.max_epochs and options.max_epochs * len(epoch)]
    steps = min(limit for limit in limits if limit is not None)
    optimizer = build_optimizer(module.model, optimizer_factories(run.config).make_optimizer)
    step_seconds = _step_seconds(module, optimizer, epoch, options.gradient_clip_val)
    epochs = -(-steps // len(epoch))
    scoring = {name: _scoring_seconds(module, text) for name, text in batches.evaluation_sets().items()}
    seconds = steps * step_seconds + (epochs + 1) * scoring["dev"] + 2 * sum(scoring.values())
    rows = steps / options.log_every + epochs
    return Cost(seconds, _checkpoint_bytes(module, optimizer) + rows * ROW_BYTES)


def _step_seconds(
    module: "LanguageModelModule", optimizer: "Optimizer", batches: "BatchSequence", clip: float | None
) -> float:
    """Return the mean time of a training step, the first ones left out where there are more."""
    drawn = list(islice(batches, WARM_UP_STEPS + TIMED_STEPS))
    timed = drawn[WARM_UP_STEPS:] or drawn
    for batch in drawn[:WARM_UP_STEPS]:
        _train_step(module, optimizer, batch, clip)
    start = time.perf_counter()
    for batch in timed:
        _train_step(module, optimizer, batch, clip)
    return (time.perf_counter() - start) / len(timed)


def _train_step(
    module: "LanguageModelModule", optimizer: "Optimizer", batch: "Batch", clip: float | None
) -> None:
    batch = module.transfer_batch_to_device(batch, next(module.parameters()).device, 0)
    loss = module.loss(batch, 0)["loss"]
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        import torch

        torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
    optimizer.step()


def _scoring_seconds(module: "LanguageModelModule", batches: "BatchSequence") -> float:
    """Return the time of one pass over all `batches`, from the first few."""
    from tangsweep.evaluation.scores import evaluate

    first = list(islice(batches, SCORED_BATCHES))
    start = time.perf_counter()
    evaluate(module.model, first, module.pad_id)
    return (time.perf_counter() - start) / len(first) * len(batches)


def _checkpoint_bytes(module: "LanguageModelModule", optimizer: "Optimizer") -> float:
    """Return the size of best.ckpt and last.ckpt, the latter with the optimizer's state."""
    weights = sum(p.numel() * p.element_size() for p in module.parameters())
    state = sum(
        value.numel() * value.element_size()
        for values in optimizer.state.values()
        for value in values.values()
        if hasattr(value, "element_size")
    )
    return float(2 * weights + state)
