"""Rankings of runs with a test set, known characters and the nats of each document."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tangsweep.reporting.blocks import Table
from tangsweep.reporting.build import report_on
from tangsweep.runs.document_scores import DocumentScores, DocumentSums, write_document_scores
from tangsweep.runs.folder import RunFolder
from tests.reporting.written_sweeps import CORPUS, cells, find_block, record, report_of, write_run

DOCUMENTS = 240
TESTED: dict[str, Any] = {
    **CORPUS,
    "characters": {"train": 5000, "dev": 700, "test": 12_000},
    "test_fingerprint": "t0",
    "poems": {"test": DOCUMENTS, "near_test": 3},
    "poets": {"test": {"count": 30, "in_training": 2, "share": 0.125}},
    "oov": {"test": {"positions": 2400, "rate": 0.2, "unseen_types": 9}},
}


def write_tested_run(
    sweep: Path,
    group: str,
    seed: int,
    loss: float,
    random: np.random.Generator,
    dev: float = 400.0,
    spread: float = 0.0,
    documents: int = DOCUMENTS,
    corpus: dict[str, Any] = TESTED,
) -> RunFolder:
    """Write a run whose known test loss is `loss`; documents differ in a way that all runs share."""
    characters = np.random.default_rng(7).integers(20, 80, documents)
    known = (0.8 * characters).astype(np.int64)
    shared = np.random.default_rng(8).normal(0, 0.5, documents)
    noise = random.normal(0, spread, documents) if spread else np.zeros(documents)
    known_nats = (
        loss + (shared - shared @ known / known.sum()) + (noise - noise @ known / known.sum())
    ) * known
    sums = DocumentSums(known_nats + 9.0 * (characters - known), characters, known_nats, known)
    result = record(dev, seed=seed, overrides=[f"optimizer={group}", f"seed={seed}"], corpus=corpus)
    known_dev = {"known_loss": math.log(dev) - 0.3, "known_perplexity": dev / math.exp(0.3), "oov_loss": 9.0}
    result["dev"] |= known_dev
    total = float(sums.nats.sum() / characters.sum())
    result["test"] = {
        "loss": total,
        "perplexity": math.exp(total),
        "bits_per_character": total / math.log(2),
        "known_loss": float(known_nats.sum() / known.sum()),
        "known_perplexity": math.exp(float(known_nats.sum() / known.sum())),
        "oov_loss": 9.0,
    }
    result["baselines"] |= {"test_known_unigram": 449.5, "test_known_bigram": 497.8}
    folder = write_run(sweep, f"{group}-{seed}", result, optimizer___target_=f"torch.optim.{group}")
    authors = np.array([f"poet {number % 30}" for number in range(documents)])
    names = np.array([str(number) for number in range(documents)])
    write_document_scores(folder, {"test": DocumentScores(names, authors, sums)})
    return folder


def write_groups(sweep: Path, losses: dict[str, list[float]], **options: Any) -> None:
    random = np.random.default_rng(3)
    for group, by_seed in losses.items():
        for seed, loss in enumerate(by_seed):
            write_tested_run(sweep, group, seed, loss, random, **options)


def test_the_test_set_ranks_and_not_the_development_set(sweep: Path) -> None:
    random = np.random.default_rng(0)
    for seed in range(3):
        write_tested_run(sweep, "lucky", seed, 5.9 + 0.01 * seed, random, dev=300.0)
        write_tested_run(sweep, "good", seed, 5.7 + 0.012 * seed, random, dev=400.0)
    report = report_of(sweep)
    ranking = find_block(report, "Ranking", Table)
    assert cells(ranking, "group") == ["good", "lucky"]
    assert cells(ranking, "test perplexity (known characters)") == ["302.5", "368.7"]
    assert cells(ranking, "development perplexity (known characters)") == ["296.3", "222.2"]
    assert cells(ranking, "nats per unknown character") == ["9.00", "9.00"]
    assert report.rankings[0].comparable.title == "tang, 12,000 test characters, vocabulary 1,366"
    assert report.answers[0].startswith("good is best: test perplexity 302.5 (")
    assert "Over the seeds 0, 1, 2 and 240 documents by 30 poets it is better than" in report.answers[1]
    assert "unigram 449.5, bigram 497.8" in ranking.note
    assert not report.warnings
    assert dict(report.facts)["test set"] == (
        "240 poems by 30 poets (2 of them trained on, with 12% of its characters); 3 share half of their "
        "7-grams with training; 12,000 characters; 20.0% of them unknown; each run scored it once, with the weights that "
        "the development set chose"
    )
    rows = report.tables["ranking"].set_index("group")
    assert rows.loc["good", "mean"] == pytest.approx(math.exp(5.712))
    assert rows.loc["good", "low"] < rows.loc["good", "seeds_low"] < rows.loc["good", "mean"]
    assert rows.loc["lucky", "behind_mean"] == pytest.approx(0.198)
    assert set(rows["set"]) == {"test"} and rows["known_characters_alone"].all()


def test_a_run_without_a_test_score_lets_the_development_set_rank(sweep: Path) -> None:
    write_groups(sweep, {"a": [5.7, 5.71], "b": [5.9, 5.91]})
    write_run(
        sweep, "old-0", record(390.0, overrides=["optimizer=old"]), optimizer___target_="torch.optim.old"
    )
    report = report_of(sweep)
    ranking = find_block(report, "Ranking", Table)
    assert "development perplexity" in ranking.columns
    assert report.tables["ranking"]["set"].eq("dev").all()
    assert any("development scores, which also chose" in warning for warning in report.warnings)


def test_different_test_sets_do_not_rank(sweep: Path) -> None:
    random = np.random.default_rng(0)
    write_tested_run(sweep, "a", 0, 5.7, random)
    write_tested_run(sweep, "b", 0, 5.9, random, corpus={**TESTED, "test_fingerprint": "t1"})
    report = report_of(sweep)
    assert report.tables["ranking"]["set"].eq("dev").all()
    assert [name for name, _ in report.facts].count("test set") == 2


def test_one_seed_has_an_interval_over_other_texts_and_is_never_ahead(sweep: Path) -> None:
    write_groups(sweep, {"a": [5.0], "b": [6.0]})
    report = report_of(sweep)
    ranking = find_block(report, "Ranking", Table)
    assert cells(ranking, "95 % interval")[0] != "–"
    assert cells(ranking, "other seeds, same text") == ["–", "–"]
    text = " ".join(report.answers)
    assert "a has the lowest score: test perplexity 148.4 (" in text
    assert "One seed says nothing about other seeds, so there is no test; add some (seed=0,1,2,3,4)" in text
    assert not any(word in text for word in ("is best", "better", "ahead", "comes first"))


def test_what_is_the_same_over_seeds_may_still_be_chance_of_the_text(sweep: Path) -> None:
    """Seeds agree on a difference that a few poems make: over other texts it is no difference."""
    random = np.random.default_rng(1)
    own = {"a": np.random.default_rng(5).normal(0, 2.0, DOCUMENTS), "b": np.zeros(DOCUMENTS)}
    for group, loss in (("a", 5.700), ("b", 5.703)):
        for seed in range(5):
            folder = write_tested_run(sweep, group, seed, loss + 0.0001 * seed * (1 + (group == "b")), random)
            with np.load(folder.document_scores) as stored:
                arrays = {key: stored[key] for key in stored}
            known = arrays["test/known_characters"]
            effect = own[group] - own[group] @ known / known.sum()
            arrays["test/known_nats"] = arrays["test/known_nats"] + effect * known
            np.savez(folder.document_scores, **arrays)
    report = report_of(sweep)
    assert report.answers[0].startswith("a has the lowest score: ")
    assert "not significantly different from b" in report.answers[1]
    assert report.answers[2].startswith("No number of seeds would tell it from b: at least ")
    for folder in report_on([sweep])[0].folders.values():
        folder.document_scores.unlink()
    without = report_of(sweep)
    assert without.answers[0].startswith("a is best: ")  # over other seeds, on the same text


def test_seeds_that_would_settle_it_are_named(sweep: Path) -> None:
    write_groups(sweep, {"a": [5.70, 5.80, 5.60, 5.75], "b": [5.78, 5.72, 5.71, 5.83]})
    report = report_of(sweep)
    assert "not significantly different from b" in report.answers[1]
    assert (
        report.answers[2].startswith("About ")
        and "seeds a group would tell it from b in half of all cases" in report.answers[2]
    )


@pytest.mark.parametrize(("documents", "warned"), [(199, True), (200, False)])
def test_few_documents_are_a_warning(sweep: Path, documents: int, warned: bool) -> None:
    write_groups(sweep, {"a": [5.7, 5.8], "b": [5.9, 6.1]}, documents=documents)
    assert any("below 200, intervals over other texts" in w for w in report_of(sweep).warnings) is warned


def test_a_damaged_or_missing_file_of_documents_leaves_intervals_over_seeds(sweep: Path) -> None:
    write_groups(sweep, {"a": [5.7, 5.8], "b": [5.9, 6.1]})
    (sweep / "a-1" / "scores.npz").write_bytes(b"junk")
    report = report_of(sweep)
    ranking = find_block(report, "Ranking", Table)
    assert "other seeds, same text" not in ranking.columns
    assert "The interval is over other seeds, on the same text." in ranking.note
    assert isinstance(report.tables["ranking"], pd.DataFrame)
