"""Runs that were scored on different texts are not ranked together."""

from pathlib import Path

from tests.reporting.written_sweeps import CORPUS, record, report_of, write_optimizer_runs, write_run


def test_what_cannot_be_compared_is_ranked_apart(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"sgd": [500.0], "adam": [400.0]})
    other = {**CORPUS, "name": "sample", "dev_fingerprint": "d1", "vocabulary": 700}
    write_run(sweep, "other-1", record(50.0, corpus=other, overrides=["data.poems=50"]), data__poems=50)
    report = report_of(sweep)
    rankings = [s for s in report.sections if s.title.startswith("Ranking")]
    assert [s.part for s in rankings] == [
        "tang, 700 held-out characters, vocabulary 1,366",
        "sample, 700 held-out characters, vocabulary 700",
    ]
    assert [len(s.blocks[0].rows) for s in rankings] == [2, 1]  # type: ignore[union-attr]
    assert any("scored on 2 different texts" in warning for warning in report.warnings)
    assert any("NOT 全唐诗" in warning for warning in report.warnings)
    refused = [s for s in report.sections if s.title == "Dataset size"]
    assert "no two amounts were scored on the same text" in str(refused[0].blocks[0])


def test_older_records_without_fingerprints_are_not_mixed(sweep: Path) -> None:
    for poems, characters in ((1000, 100), (2000, 900)):
        corpus = {
            "name": "tang",
            "fingerprint": str(poems),
            "vocabulary": poems,
            "characters": {"dev": characters},
        }
        write_run(
            sweep,
            f"p-{poems}",
            record(400.0, corpus=corpus, overrides=[f"data.poems={poems}"]),
            data__poems=poems,
        )
    assert any("scored on 2 different texts" in warning for warning in report_of(sweep).warnings)


def test_equal_titles_of_different_texts_are_told_apart(sweep: Path) -> None:
    for name in ("one", "two"):
        corpus = {**CORPUS, "dev_fingerprint": name}
        write_run(
            sweep, name, record(400.0, corpus=corpus, overrides=[f"optimizer={name}"]), optimizer__lr=name
        )
    titles = [ranking.comparable.title for ranking in report_of(sweep).rankings]
    assert [title.partition(", text ")[2] for title in titles] == [
        "one vocabulary v0 corpus c0",
        "two vocabulary v0 corpus c0",
    ]


def test_what_is_alike_in_a_ranking_is_said_once(sweep: Path) -> None:
    for poems in (100, 200):
        for optimizer in ("adam", "sgd"):
            corpus = {**CORPUS, "dev_fingerprint": f"d{poems}"}
            overrides = [f"optimizer={optimizer}", f"data.poems={poems}"]
            result = record(300.0 + poems, corpus=corpus, overrides=overrides)
            target = f"torch.optim.{optimizer}"
            write_run(sweep, f"{optimizer}-{poems}", result, data__poems=poems, optimizer___target_=target)
    report = report_of(sweep)
    assert [[group.name for group in ranking.groups] for ranking in report.rankings] == [["adam", "sgd"]] * 2
    assert [answer.scored_on.partition(", all with ")[2] for answer in report.comparisons] == [
        "poems=100", "poems=200",
    ]  # fmt: skip
    assert sorted(report.tables["ranking"]["group"]) == sorted(set(report.tables["runs"]["group"]))
    assert "adam poems=100" in set(report.tables["ranking"]["group"])
