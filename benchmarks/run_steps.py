"""Time the parts of a step of real runs: `python benchmarks/run_steps.py`, a minute or two.

For each optimizer the default run is trained as `src/train.py` trains it, in a process of its own. Forward,
backward and update are measured around the calls that make them, evaluations and checkpoints likewise;
"between" is everything else of training: the loop, batches, hooks, logging, Lightning and W&B. Times are of
this process's CPU, so that other work on the machine changes them little; all are medians of the repetitions.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
NAMES = ("sgd", "momentum", "adam", "adagrad", "adadelta", "rmsprop")
PARTS = ("forward", "backward", "update", "between", "step", "evaluation", "checkpoint", "closing")
STEP_PARTS = PARTS[:5]


class Stopwatch:
    """CPU seconds of this thread by part; a part inside another one is taken from it."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._inner = [0.0]

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.process_time()
        self._inner.append(0.0)
        try:
            yield
        finally:
            whole = time.process_time() - start
            self.seconds[name] += whole - self._inner.pop()
            self._inner[-1] += whole

    def wrap(self, owner: Any, method: str, name: str) -> None:
        """Let every call of `owner.method` count as the part `name`."""
        real: Callable[..., Any] = getattr(owner, method)

        @functools.wraps(real)
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.part(name):
                return real(*arguments, **options)

        setattr(owner, method, timed)


def measure_run(overrides: list[str]) -> dict[str, float]:
    """Train one run here; return ms a step of each part of a step, and seconds of the others."""
    import hydra
    import torch
    from omegaconf import OmegaConf

    from tangsweep.tasks.registry import parse_config
    from tangsweep.training import callbacks, metrics_callback, module, run
    from tangsweep.training.prepare import prepare

    watch = Stopwatch()
    watch.wrap(run, "_fit", "between")
    watch.wrap(run, "record_final_scores", "closing")
    watch.wrap(module.LanguageModelModule, "loss", "forward")
    watch.wrap(torch.Tensor, "backward", "backward")
    watch.wrap(metrics_callback.MetricsCallback, "_evaluate", "evaluation")
    watch.wrap(callbacks.Checkpoints, "on_evaluation_end", "checkpoint")
    configure = module.LanguageModelModule.configure_optimizers

    def configure_timed(self: Any) -> Any:
        made = configure(self)
        watch.wrap(made[0][0] if isinstance(made, tuple) else made, "step", "update")
        return made

    module.LanguageModelModule.configure_optimizers = configure_timed  # type: ignore[method-assign]
    with hydra.initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        composed = hydra.compose("train", overrides=overrides)
    values: Any = OmegaConf.to_container(composed, resolve=True)
    record = run.train_run(prepare(parse_config(values), overrides)).record
    assert record is not None and record.steps
    seconds = watch.seconds
    seconds["step"] = sum(seconds[part] for part in STEP_PARTS)
    return {part: seconds[part] * (1000 / record.steps if part in STEP_PARTS else 1) for part in PARTS}


def measure_apart(overrides: list[str]) -> dict[str, float]:
    """Measure one run in a process of its own, with a TANGSWEEP_HOME of its own."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, __file__, "--run", *overrides],
            env={**os.environ, "TANGSWEEP_HOME": home, "WANDB_SILENT": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--optimizers", nargs="+", default=list(NAMES))
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(measure_run(arguments.overrides)))
        return
    print("Parts of a step in ms; evaluation, checkpoint and closing in seconds of the whole run\n")
    print(f"| optimizer | {' | '.join(PARTS)} |\n|---|{'---|' * len(PARTS)}", flush=True)
    for name in arguments.optimizers:
        overrides = [f"optimizer={name}", f"trainer.max_epochs={arguments.epochs}", *arguments.overrides]
        runs = [measure_apart(overrides) for _ in range(arguments.repetitions)]
        medians = [statistics.median(run[part] for run in runs) for part in PARTS]
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in medians)} |", flush=True)


if __name__ == "__main__":
    main()
