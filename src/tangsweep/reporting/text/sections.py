"""The sections without charts: poems, published figures, provenance, unreadable files."""

import re
import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking, best_runs
from tangsweep.reporting.blocks import Block, PoemBlock, RunConfigs, Section, Table
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.groups import differs_between
from tangsweep.reporting.formatting import MISSING, format_group_score, format_percent, format_quantity
from tangsweep.reporting.text.ranking_table import score_heading
from tangsweep.runs.published import DIFFERENCES, departures

POEMS_PER_GROUP = 7  # one for each start
QUALITY_HEADINGS = {
    "right_lines": "lines of the right length",
    "free_rhyme": "rhymes, form alone",
    "free_tones": "right tones, form alone",
    "constrained_rhyme": "rhymes, constrained",
    "constrained_tones": "right tones, constrained",
    "free_distinct_1": "distinct characters",
    "free_distinct_2": "distinct bigrams",
    "free_distinct_3": "distinct trigrams",
    "free_longest_copy": "longest copy (characters)",
    "free_copied_line": "poems with a copied line",
}
QUALITY_NOTE = (
    "From 100 poems per run. Lines of the right length: when nothing is required. Rhymes: share of "
    "neighbouring even lines that rhyme. Form alone: only line lengths are required. Constrained: tones "
    "and rhymes too. docs/poems.md defines all figures."
)
CHANGED = "changed by the command"
PUBLISHED_COLUMNS = ["run", "figure", "published", "ours", "length of training", CHANGED]
PUBLISHED_NOTE = "Ours are counted as the published figures are; docs/experiments.md compares the settings."
CHANGED_NOTE = (
    "A command that changes the setting, such as a shorter training, makes figures that the published ones "
    "do not compare with."
)
PROVENANCE_COLUMNS = [
    "run", "status", "seed", "overrides", "config hash", "commit", "versions", "threads", "kernel", "W&B run",
]  # fmt: skip


def poem_section(data: SweepData, rankings: Sequence[Ranking]) -> Section:
    """Return, for each ranking, poems of the best run of each group and the figures measured on 100 poems."""
    blocks: list[Block] = []
    for ranking in rankings:
        best = {group: run for group, run in best_runs(ranking).items() if data.poems.get(run)}
        if best:
            runs = ranking.comparable.runs
            right_lines = dict(zip(runs["run"], runs["right_lines"], strict=True))
            seeds = dict(zip(runs["run"], runs["seed"], strict=True))
            poems = [
                (
                    f"{group}{_format_seed(seeds[run])}{_format_right_lines(right_lines[run])}",
                    _first_poems(data.poems[run]),
                )
                for group, run in best.items()
            ]
            caption = (
                f"Poems of the best run of each group, every line as long as the form wants "
                f"({ranking.comparable.title})"
            )
            blocks.append(PoemBlock(caption, poems))
            if missing := sorted(
                {start for run in best.values() for start in _missing_starts(data.poems[run])}
            ):
                blocks.append(f"No poem begins with {'、'.join(missing)}, which a vocabulary lacks.")
        if table := quality_table(ranking):
            blocks.append(table)
    return Section("Poems", blocks)


def _format_seed(seed: float | None) -> str:
    return "" if seed is None or pd.isna(seed) else f", seed {int(seed)}"


def _format_right_lines(share: float | None) -> str:
    missing = share is None or pd.isna(share)
    return "" if missing else f" · {share:.0%} of lines of the right length where nothing is required"


def _first_poems(text: str) -> str:
    """Return the first poems of poems.txt, those of the first form, without their headings."""
    poems = [poem for _, poem in _read_poems(text)[:POEMS_PER_GROUP] if not _is_reason(poem)]
    return "\n\n".join(poems)


def _read_poems(text: str) -> list[tuple[str, str]]:
    """Return the heading and the poem of each part of poems.txt."""
    parts = (part.partition("\n") for part in re.split(r"^# ", text, flags=re.MULTILINE)[1:])
    return [(heading, poem.strip()) for heading, _, poem in parts]


def _is_reason(poem: str) -> bool:
    """Return whether a text says in parentheses why there is no poem."""
    return poem.startswith("(") and poem.endswith(")")


def _missing_starts(text: str) -> list[str]:
    return [heading.split()[0] for heading, poem in _read_poems(text) if _is_reason(poem) and heading.split()]


def quality_table(ranking: Ranking) -> Table | None:
    """Return a table of the quality of poems, a row a group; None where no run's poems were measured."""
    if not any("right_lines" in group.means or "free_tones" in group.means for group in ranking.groups):
        return None
    rows = [
        [
            group.name,
            *(_format_quality(key, group.means) for key in QUALITY_HEADINGS),
            format_group_score(group, ranking.comparable),
        ]
        for group in ranking.groups
    ]
    return Table(["group", *QUALITY_HEADINGS.values(), score_heading(ranking.comparable)], rows, QUALITY_NOTE)


def _format_quality(column: str, means: Mapping[str, float]) -> str:
    value = means.get(column)
    return format_quantity(value) if column == "free_longest_copy" else format_percent(value)


def published_section(data: SweepData, rankings: Sequence[Ranking]) -> Section | None:
    """Return the section that sets published figures beside ours; None where no run has any."""
    rows, runs = [], []
    for run, record in data.records.items():
        for name, figure in (record.published or {}).items():
            training = f"{record.epochs} epochs, {record.steps} steps, ended by {record.ended}"
            changed = ", ".join(departures(record.overrides or [])) or MISSING
            figures = [_format_figure(figure.published), _format_figure(figure.ours)]
            rows.append([run, name, *figures, training, changed])
            runs.append(run)
    if not rows:
        return None
    is_changed = any(row[-1] != MISSING for row in rows)
    note = f"{PUBLISHED_NOTE} {CHANGED_NOTE}" if is_changed else PUBLISHED_NOTE
    blocks: list[Block] = [Table(PUBLISHED_COLUMNS, rows, note, text_columns=2)]
    for run in dict.fromkeys(runs):
        if differences := data.configs[run].get(f"published.{DIFFERENCES}"):
            blocks.append(f"{run} differs in its setting: {differences}.")
    return Section("Published figures", blocks)


def _format_figure(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.4g}"


def provenance_section(data: SweepData, rankings: Sequence[Ranking]) -> Section:
    """Return the commands that made the sweeps, the origin of every run, and the errors of failed runs.

    The first cell of a row leads to the run's folder, from a page that lies in the folder of the sweep.
    """
    blocks: list[Block] = []
    commands = [shlex.join(["python", "src/train.py", *command.arguments]) for command in data.commands]
    if commands:
        blocks.append(
            f"Commands that the sweep was given: {'; '.join(f'`{c}`' for c in dict.fromkeys(commands))}"
        )
    rows = [_provenance_row(run) for _, run in data.runs.iterrows()]
    is_one_sweep = data.runs["sweep"].nunique() == 1
    links = {str(run): f"./{quote(str(run))}/" for run in data.runs["run"]} if is_one_sweep else {}
    blocks.append(Table(PROVENANCE_COLUMNS, rows, text_columns=len(PROVENANCE_COLUMNS), links=links))
    blocks.append(run_configs(data, rankings))
    failures = data.runs[data.runs["error"].notna()]
    if len(failures):
        errors = [[str(run["run"]), str(run["error"])] for _, run in failures.iterrows()]
        blocks.append(Table(["failed run", "error"], errors, text_columns=2))
    return Section("Provenance", blocks)


def run_configs(data: SweepData, rankings: Sequence[Ranking]) -> RunConfigs:
    """Return the configs of all runs, of which the page shows two; at first the best of the first groups."""
    configs = {run: data.configs[run] for run in data.runs["run"]}
    keys = dict.fromkeys(key for config in configs.values() for key in config)
    differing = [key for key in keys if differs_between(key, configs.values())]
    best = [run for ranking in rankings for run in best_runs(ranking).values()][:2]
    sample = next(iter(configs.values()), {})
    return RunConfigs(
        shared={key: str(sample.get(key, MISSING)) for key in keys if key not in differing},
        differing={
            run: {key: str(config.get(key, MISSING)) for key in differing} for run, config in configs.items()
        },
        first=best or list(configs)[:2],
    )


def _provenance_row(run: pd.Series) -> list[str]:
    uncommitted = " (uncommitted changes)" if run["dirty"] is True else ""
    versions = [f"{name} {run[name]}" for name in ("python", "torch") if pd.notna(run[name])]
    return [
        str(run["run"]),
        str(run["status"]),
        _format_cell(run["seed"], "{:.0f}"),
        _format_cell(run["overrides"]),
        _format_cell(run["config_hash"]),
        _format_cell(run["commit"])[:12] + uncommitted,
        ", ".join(versions) or MISSING,
        _format_cell(run["threads"], "{:.0f}"),
        _format_cell(run["kernel"]),
        _format_cell(run["wandb_path"]),
    ]


def _format_cell(value: str | float | None, template: str = "{}") -> str:
    return MISSING if value is None or pd.isna(value) else template.format(value)


def unreadable_section(data: SweepData, rankings: Sequence[Ranking]) -> Section | None:
    """List the files that could not be read in whole or in part; None where all could."""
    rows = [[file.path, file.reason] for file in data.unreadable]
    return Section("Unreadable files", [Table(["file", "reason"], rows, text_columns=2)]) if rows else None
