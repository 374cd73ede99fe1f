"""What the terminal shows, and what goes to train.log instead."""

import contextlib
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

WIDTH = 110  # of tables where the output is no terminal

console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
_relay: Callable[..., None] | None = None  # in a worker: tells the process that owns the terminal
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextlib.contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Log lines and Python warnings go to `path` inside the block, none of them to the terminal."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(FORMAT))
    loggers = [logging.getLogger(name) for name in (None, "pytorch_lightning", "lightning")]
    before = [(logger.handlers, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.level = [handler], logging.INFO
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger, (handlers, level) in zip(loggers, before, strict=True):
            logger.handlers, logger.level = handlers, level
        handler.close()


def print_line(line: str, style: str | None = None) -> None:
    """A line on the terminal, left to the terminal to wrap."""
    if is_relayed():
        relay("say", line, style)
    else:
        console.print(line, style=style, soft_wrap=True)


def relay_to_parent(tell: Callable[..., None]) -> None:
    """From now on this process shows nothing itself: `tell(kind, ...)` takes it to where it is shown."""
    global _relay
    _relay = tell


def is_relayed() -> bool:
    """Whether another process shows what this one says."""
    return _relay is not None


def relay(kind: str, *values: Any) -> None:
    """One message to the process that shows. Only where `relayed()`."""
    assert _relay is not None
    _relay(kind, *values)


def warn_of_bundled_sample(reason: str) -> None:
    """The warning that cannot be missed: the bundled sample stands in for 全唐诗."""
    line = "=" * 78
    print_line(
        f"{line}\nNOT 全唐诗: the network was not reached ({reason}).\n"
        "These runs use the bundled sample of 120 poems; every record and comparison says so.\n"
        "For 全唐诗: connect, or name a copy in corpus.root or TANGSWEEP_DATA.\n"
        f"{line}",
        style="bold red",
    )


def format_number(number: float) -> str:
    """A score or a count: one decimal, none for whole numbers, powers of ten from a million on."""
    if abs(number) >= 1e6:
        return f"{number:.1e}"
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.1f}"


def format_outcome(result: Mapping[str, Any], folder: str) -> str:
    """One line on how a run ended."""
    status = result["status"]
    if status == "running":
        return f"{result['run_id']}  left to {result['holder']}, which trains it now"
    if result.get("skipped"):
        return f"{result['run_id']}  {status} already; rerun=all trains it anew"
    if status == "failed":
        return f"{result['run_id']}  FAILED  {result['error']}  (traceback in {folder}/train.log)"
    if status == "diverged":
        finite = result["last_finite_loss"]
        after = "" if finite is None else f", last finite loss {finite:.3f}"
        status = f"diverged at step {result['diverged_step']}{after}"
    if result["dev"] is None:
        return f"{result['run_id']}  {status}"
    ended = {"hopeless": ", given up as hopeless"}.get(result["ended"], "")
    if result["solved_step"] is not None:
        ended = f", solved at step {result['solved_step']:,}"
    return (
        f"{result['run_id']}  {status}  best dev {format_score(result['primary']['metric'], result['dev'])} "
        f"at epoch {result['best_epoch']} of {result['epochs']}{ended}, {result['seconds']:.0f} s"
    )


def format_score(metric: str, scores: Mapping[str, Any]) -> str:
    """A score by its short name: `ppl 380.4`, `accuracy 0.9990`."""
    value = scores[metric]
    if metric == "perplexity":
        shown = f"ppl {format_number(math.inf if value is None else value)}"
        bits = scores["bits_per_character"]
        return shown if bits is None else f"{shown} ({bits:.2f} bits)"
    return f"{metric} {value:.4f}"
