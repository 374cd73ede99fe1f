"""What a reader needs to know before the figures: warnings, and facts about texts, runs and machine."""

from collections.abc import Sequence

import pandas as pd

from tangsweep.reporting.analysis.ranking import RankedGroup, Ranking
from tangsweep.reporting.analysis.sampling import FEW_DOCUMENTS
from tangsweep.reporting.analysis.tuning import TunedComparison, confirming_seeds
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.formatting import format_names, format_quantity, format_statuses
from tangsweep.reporting.text.cautions import sample_runs, shortened_experiments
from tangsweep.runs.record import CorpusFacts, PoetFacts, Record
from tangsweep.runs.state import ENDED, State

UNFINISHED = [state.value for state in State if state not in (*ENDED, State.FAILED)]


def report_warnings(data: SweepData, rankings: Sequence[Ranking]) -> list[str]:
    """Return the warnings that concern the whole report and may turn its answers round."""
    runs = data.runs
    warnings = sample_runs(runs) + _text_warnings(rankings)
    if len(rankings) > 1:
        warnings.append(
            f"Runs were scored on {len(rankings)} different texts, splits, vocabularies or tasks: "
            "each has its own ranking, and figures of different rankings cannot be compared."
        )
    warnings += shortened_experiments(data.records) + _missing_runs(data) + _bad_statuses(runs)
    if (runs["verified"].eq(False)).any():
        warnings.append("The corpus is not the published edition: its checksums differ.")
    groups = [group for ranking in rankings for group in ranking.groups]
    confirming = confirming_seeds(data.configs, runs["run"].tolist()) & set(runs["seed"].dropna())
    warnings += _single_seeds([group for group in groups if group.scores], bool(confirming))
    repeated = sum(group.repeated_seeds for group in groups)
    if repeated:
        runs_have = "runs have" if repeated > 1 else "run has"
        warnings.append(
            f"{repeated} {runs_have} the seed of another run of their group: the runs of a seed are averaged."
        )
    if data.unreadable:
        warnings.append(
            f"{len(data.unreadable)} files could not be read in whole or in part: see the last section."
        )
    return warnings


def provenance_warnings(runs: pd.DataFrame) -> list[str]:
    """Return what makes runs hard to repeat, the last of the page's warnings."""
    warnings, commits = [], runs["commit"].dropna().unique()
    if len(commits) > 1:
        warnings.append(f"Runs come from {len(commits)} commits ({', '.join(c[:8] for c in commits)}).")
    if dirty := int(runs["dirty"].eq(True).sum()):
        which = "1 was" if dirty == 1 else f"{dirty} were"
        warnings.append(
            f"Of {len(runs)} runs {which} made with uncommitted changes: their commit may not repeat them."
        )
    return warnings


def _text_warnings(rankings: Sequence[Ranking]) -> list[str]:
    """Warn of rankings by the set that chose, and of few documents."""
    scored = [r for r in rankings if not r.comparable.by_accuracy and r.groups[0].score]
    warnings = []
    if any(ranking.comparable.ranked_by.set == "dev" for ranking in scored):
        warnings.append(
            "The ranking is by development scores, which also chose each run's best epoch: not every run has "
            "a test score. The command that trained them gives them one, where the setting has a test set."
        )
    few = sorted({len(r.text.units.characters) for r in scored if r.text} & set(range(FEW_DOCUMENTS)))
    if few:
        warnings.append(
            f"The ranking is by {few[0]} documents: below {FEW_DOCUMENTS}, intervals over other texts are "
            "too narrow where a few documents are unlike the others (docs/report.md)."
        )
    return warnings


def _missing_runs(data: SweepData) -> list[str]:
    """Warn of runs that a command named and that have no folder."""
    present = data.runs["sweep"].value_counts()
    expected: dict[str, int] = {}
    for command in data.commands:
        expected[command.sweep] = max(expected.get(command.sweep, 0), command.runs)
    missing = {sweep: count - int(present.get(sweep, 0)) for sweep, count in expected.items()}
    return [
        f"{count} of the {expected[sweep]} runs that a command started in {sweep} are missing."
        for sweep, count in missing.items()
        if count > 0
    ]


def _single_seeds(scored: Sequence[RankedGroup], confirmed: bool) -> list[str]:
    single = [group.name for group in scored if len(group.scores) == 1]
    if not single:
        return []
    if len(single) == len(scored):
        of_all = "The ranking of all settings has one seed for each: its order may be chance."
        one = "There is only one seed per group: no difference can be distinguished from chance."
        return [of_all if confirmed else one]
    return [f"Groups with only one seed, whose differences may be chance: {format_names(single)}."]


def _bad_statuses(runs: pd.DataFrame) -> list[str]:
    counts = runs["status"].value_counts()
    warnings = [
        f"{counts[status]} of {len(runs)} runs {status}."
        for status in ("failed", "diverged")
        if status in counts
    ]
    if State.PAUSED in counts:
        warnings.append(
            f"{counts[State.PAUSED]} of {len(runs)} runs are paused and not judged: others were promoted."
        )
    unfinished = {s: int(counts[s]) for s in UNFINISHED if s in counts and s != State.PAUSED}
    if unfinished:
        statuses = format_statuses(unfinished)
        warnings.append(f"{sum(unfinished.values())} of {len(runs)} runs have not ended ({statuses}).")
    return warnings


def sweep_facts(data: SweepData) -> list[tuple[str, str]]:
    """Return names and values of the facts that a reader needs before the figures."""
    runs = data.runs
    statuses = {str(status): int(count) for status, count in runs["status"].value_counts().items()}
    seeds = sorted({int(seed) for seed in runs["seed"].dropna()})
    corpus_columns = ["corpus", "corpus_fingerprint", "train_characters", "dev_characters"]
    corpora = [_describe_corpus(run) for _, run in runs.drop_duplicates(corpus_columns).iterrows()]
    finished = runs["finished"].dropna()
    seconds = float(pd.to_numeric(runs["seconds"], errors="coerce").sum())
    return [
        ("corpus", "; ".join(corpus for corpus in corpora if corpus) or "unknown"),
        *describe_test_sets(data),
        ("runs", f"{len(runs)} ({format_statuses(statuses)}) in {runs['group'].nunique()} groups"),
        ("seeds", ", ".join(map(str, seeds)) or "none"),
        ("commit", ", ".join(commit[:12] for commit in _distinct(runs["commit"])) or "unknown"),
        ("machine", "; ".join(_distinct(runs["machine"])) or "not recorded"),
        ("ended", f"{finished.min()} to {finished.max()}" if len(finished) else "not recorded"),
        ("training time", f"{format_quantity(round(seconds))} s over all runs"),
        ("versions", ", ".join(f"{k} {v}" for k in ("python", "torch") for v in _distinct(runs[k]))),
    ]


def _describe_corpus(run: pd.Series) -> str:
    if pd.isna(run["corpus"]):
        return ""
    fingerprint = "" if pd.isna(run["corpus_fingerprint"]) else f" ({run['corpus_fingerprint']})"
    counts = [(run["train_characters"], "training"), (run["dev_characters"], "held-out")]
    sizes = [f"{format_quantity(count)} {side}" for count, side in counts if pd.notna(count)]
    return f"{run['corpus']}{fingerprint}" + (f": {' and '.join(sizes)} characters" if sizes else "")


def _distinct(values: pd.Series) -> list[str]:
    return [str(value) for value in values.dropna().unique()]


def describe_test_sets(data: SweepData) -> list[tuple[str, str]]:
    """Return a fact about the test set of each corpus that has one."""
    by_fingerprint = {
        record.corpus.test_fingerprint: record.corpus
        for record in data.records.values()
        if record.corpus and record.corpus.test_fingerprint
    }
    return [("test set", _describe_test_set(corpus)) for corpus in by_fingerprint.values()]


def _describe_test_set(corpus: CorpusFacts) -> str:
    parts = []
    if corpus.poems and "test" in corpus.poems:
        poets = (corpus.poets or {}).get("test", PoetFacts())
        in_training = f"{poets.in_training} of them trained on, with {poets.share:.0%} of its characters"
        near = corpus.poems.get("near_test", 0)
        parts.append(f"{corpus.poems['test']:,} poems by {poets.count:,} poets ({in_training})")
        parts.append(f"{near} share half of their 7-grams with training")
    if corpus.characters and corpus.characters.test:
        parts.append(f"{corpus.characters.test:,} characters")
    if corpus.oov and "test" in corpus.oov:
        parts.append(f"{corpus.oov['test'].rate:.1%} of them unknown")
    return "; ".join([*parts, "each run scored it once, with the weights that the development set chose"])


def rests_on(data: SweepData, ranking: Ranking, tuned: TunedComparison | None) -> str:
    """Return in one line what an answer rests on: texts, seeds, runs, minutes of training."""
    comparable = ranking.comparable
    names = {*comparable.runs["run"], *(tuned.ranking.comparable.runs["run"] if tuned else ())}
    runs = data.runs[data.runs["run"].isin(names)]
    corpus = next(
        (r.corpus for run in comparable.runs["run"] if (r := data.records.get(run)) and r.corpus), None
    )
    judged = tuned.ranking if tuned else ranking
    seeds = sorted({seed for group in judged.groups for seed in group.scores})
    minutes = float(runs["seconds"].astype(float).sum()) / 60
    parts = [
        *(_text_parts(corpus) if corpus else []),
        *_model_parts([r for run in judged.comparable.runs["run"] if (r := data.records.get(run))]),
        f"{'seeds' if len(seeds) > 1 else 'seed'} {_join_numbers(seeds)}" if seeds else "no seed",
        _count_runs(len(judged.comparable.runs), len(runs)),
        f"{format_quantity(round(minutes) if minutes >= 10 else round(minutes, 1))} min of training in all",
    ]
    return f"This rests on {', '.join(parts)}."


def _model_parts(records: Sequence[Record]) -> list[str]:
    """Return the size of the models and how long they were trained, as far as the records know."""
    sizes = sorted({record.parameters for record in records if record.parameters})
    steps = [record.steps for record in records if record.steps]
    parts = []
    if sizes:
        several = f"{sizes[0]:,} to {sizes[-1]:,}" if len(sizes) > 1 else f"{sizes[0]:,}"
        parts.append(f"models of {several} weights")
    stopped = sum(record.ended == "patience" for record in records)
    if steps:
        parts.append(
            f"{max(steps):,} steps each" if len(set(steps)) == 1 else f"at most {max(steps):,} steps each"
        )
    if stopped:
        parts.append(f"{stopped} of {len(records)} stopped when their development score did not improve")
    return parts


def _join_numbers(numbers: Sequence[int]) -> str:
    """Return `0, 1 and 2`, which no following number of runs is read into."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


def _count_runs(judging: int, count: int) -> str:
    if judging < count:
        return f"{judging} runs and {count - judging} that chose the settings"
    return f"{count} run{'s' if count > 1 else ''}"


def _text_parts(corpus: CorpusFacts) -> list[str]:
    poems, characters = corpus.poems or {}, corpus.characters
    parts = []
    if "train" in poems:
        parts.append(f"{poems['train']:,} training poems of {corpus.name}")
    elif characters and characters.train:
        parts.append(f"{characters.train:,} training characters of {corpus.name}")
    elif corpus.name:
        parts.append(str(corpus.name))
    if poems.get("test"):
        poets = (corpus.poets or {}).get("test", PoetFacts())
        by = f" by {poets.count:,} poets" if poets.count else ""
        parts.append(f"{poems['test']:,} test poems{by}")
    elif characters and characters.test:
        parts.append(f"{characters.test:,} test characters")
    elif characters and characters.dev:
        parts.append(f"{characters.dev:,} development characters and no test set")
    return parts
