"""Sweeps whose runs are done are scored on what their records lack, without training; sizes share a test set."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tangsweep.config.run_config import AnyConfig
from tangsweep.corpora.tang import PoemSource, find_poems
from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Outcome
from tangsweep.sweep.jobs import Job, PreparedJob
from tangsweep.sweep.run_sweep import SweepResult, ThisProcess, run_sweep
from tangsweep.training.job import train_job
from tests.conftest import DIVERGES_IN_EPOCH_2, QUIET, Ran, configured
from tests.damage import write_old_record

Train = Callable[..., Ran]
TINY = ("corpus=sample", "trainer.max_epochs=2", "model.hidden_size=8", "model.embed_size=8", *QUIET)
POEMS = (*TINY, "data.poems=12", "report=false")
SEEDS = (["seed=0"], ["seed=1"])
KNOWN = ("known_nats", "known_characters", "known_loss", "known_perplexity", "oov_loss")


class Recomposing:
    """A launcher that composes every job from its overrides, as worker processes, Ray and Slurm do."""

    trains_here = True

    def warm_up(self) -> None: ...

    def concurrency(self, configs: Sequence[AnyConfig]) -> int:
        return 1

    def check(self, configs: Sequence[AnyConfig]) -> None: ...

    def prepare_workers(self, configs: Sequence[AnyConfig]) -> None: ...

    def launch(self, jobs: Sequence[PreparedJob]) -> list[Outcome]:
        return [train_job(configured(*job.overrides), job.overrides) for job in jobs]


class Untouched(ThisProcess):
    """A launcher of a command that is not to train anything."""

    def launch(self, jobs: Sequence[PreparedJob]) -> list[Outcome]:
        raise AssertionError(f"it trains {[job.overrides for job in jobs]}")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Scoring sets torch's threads, as training does."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def sweep(launcher: Any, *varied: list[str], base: tuple[str, ...] = POEMS) -> SweepResult:
    """Run a sweep with a job for each of `varied`."""
    jobs = [[*base, "sweep.name=s", *overrides] for overrides in varied]
    return run_sweep([Job(job, configured(*job)) for job in jobs], launcher)


def folders(result: SweepResult) -> list[RunFolder]:
    return [RunFolder(path) for path in result.folders]


def record_of(folder: RunFolder) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(folder.result.read_text(encoding="utf-8"))
    return record


def arrays_of(folder: RunFolder) -> dict[str, list[Any]]:
    with np.load(folder.document_scores) as stored:
        return {name: stored[name].tolist() for name in stored.files}


def make_old(folder: RunFolder) -> dict[str, Any]:
    """Take away what an older version did not write; return the record as it is then."""
    record = record_of(folder)
    del record["test"], record["checksums"]
    record.pop("breakdown", None)
    for scores in (record["dev"], record["train"], record["last"]["dev"], record["last"]["train"]):
        for name in KNOWN:
            del scores[name]
    corpus = record["corpus"]
    del corpus["test_fingerprint"], corpus["poets"]
    for part in ("poems", "characters", "oov", "sequences"):
        corpus[part].pop("test", None)
    record["baselines"] = {k: v for k, v in record["baselines"].items() if "known" not in k}
    write_old_record(folder, record)
    folder.document_scores.unlink()
    return record


def files_of(folder: RunFolder, *but: Path) -> dict[Path, bytes]:
    """The content of every file of a run but the lock's and those named."""
    paths = (path for path in sorted(folder.path.rglob("*")) if path.is_file())
    return {p: p.read_bytes() for p in paths if p not in but and not p.name.startswith(".lock")}


class TestScoringWithoutTraining:
    def test_what_an_older_version_left_is_scored_as_a_new_run_is(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        runs = folders(sweep(ThisProcess(), *SEEDS))
        originals, arrays = [record_of(run) for run in runs], [arrays_of(run) for run in runs]
        old = [make_old(run) for run in runs]
        before = [files_of(run, run.result, run.document_scores) for run in runs]
        assert {run.metrics for run in runs} | {run.best for run in runs} | {run.last for run in runs} <= {
            path for files in before for path in files
        }
        capsys.readouterr()
        again = sweep(Untouched(), *SEEDS)
        assert "2 finished runs were scored on their test set; nothing was trained" in capsys.readouterr().out
        assert (folders(again)[0].path, again.outcomes) == (runs[0].path, [])
        for number, run in enumerate(runs):
            record, original = record_of(run), originals[number]
            assert files_of(run, run.result, run.document_scores) == before[number]
            for part in ("test", "dev", "corpus", "baselines", "breakdown"):
                assert record.get(part) == original.get(part), part
            assert arrays_of(run) == arrays[number]
            untouched = set(old[number]) - {"dev", "corpus", "baselines"}
            assert {key: record[key] for key in untouched} == {key: old[number][key] for key in untouched}

    def test_scores_that_a_record_has_stay(self) -> None:
        """Those of another machine may differ in their last digits: they chose the best epoch."""
        [run] = folders(sweep(ThisProcess(), ["seed=0"]))
        original, record = record_of(run), make_old(run)
        record["dev"]["perplexity"] *= 1 + 1e-9
        write_old_record(run, record)
        sweep(Untouched(), ["seed=0"])
        scored = record_of(run)
        assert scored["dev"]["perplexity"] == record["dev"]["perplexity"] != original["dev"]["perplexity"]
        assert scored["dev"]["known_perplexity"] == original["dev"]["known_perplexity"]

    @pytest.mark.parametrize("lacking", ["test", "known", "scores.npz"])
    def test_each_of_them_alone_is_reason_enough(self, lacking: str) -> None:
        [run] = folders(sweep(ThisProcess(), ["seed=0"]))
        original, arrays = record_of(run), arrays_of(run)
        record = record_of(run)
        if lacking == "test":
            del record["test"]
        elif lacking == "known":
            for name in KNOWN:
                del record["dev"][name]
        else:
            run.document_scores.unlink()
        write_old_record(run, record)
        sweep(Untouched(), ["seed=0"])
        assert (record_of(run), arrays_of(run)) == (original, arrays)

    def test_once_more_changes_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        runs = folders(sweep(ThisProcess(), *SEEDS))
        for run in runs:
            make_old(run)
        sweep(Untouched(), *SEEDS)
        before = [files_of(run) for run in runs]
        capsys.readouterr()
        sweep(Untouched(), *SEEDS)
        assert [files_of(run) for run in runs] == before
        assert "were scored" not in capsys.readouterr().out

    def test_a_new_run_lacks_nothing(self) -> None:
        runs = folders(sweep(ThisProcess(), *SEEDS))
        before = [files_of(run) for run in runs]
        sweep(Untouched(), *SEEDS)
        assert [files_of(run) for run in runs] == before

    @pytest.mark.slow
    def test_another_size_of_the_test_set_is_scored_anew(self) -> None:
        runs = folders(sweep(ThisProcess(), *SEEDS))
        originals = [record_of(run) for run in runs]
        before = [files_of(run, run.result, run.document_scores) for run in runs]
        smaller = sweep(Untouched(), *SEEDS, base=(*POEMS, "data.test_poems=20"))
        assert smaller.folders == [run.path for run in runs]
        for run, original, files in zip(runs, originals, before, strict=True):
            record = record_of(run)
            assert files_of(run, run.result, run.document_scores) == files
            assert record["corpus"]["poems"]["test"] == len(arrays_of(run)["test/names"]) == 20
            assert record["test"]["characters"] < original["test"]["characters"]
            assert record["test"]["nats"] == pytest.approx(sum(arrays_of(run)["test/nats"]), rel=1e-12)
            assert record["corpus"]["test_fingerprint"] != original["corpus"]["test_fingerprint"]
            for key in ("dev", "train", "last", "config_hash", "run_id", "finished"):
                assert record[key] == original[key], key
        sweep(Untouched(), *SEEDS)  # and back
        assert [record_of(run) for run in runs] == originals

    def test_without_a_test_set_nothing_is_left_of_it(self) -> None:
        [run] = folders(sweep(ThisProcess(), ["seed=0"]))
        sweep(Untouched(), ["seed=0"], base=(*POEMS, "data.test_poems=0"))
        record = record_of(run)
        assert record.get("test") is None
        assert not [name for name in arrays_of(run) if name.startswith("test/")]
        assert record["corpus"].get("test_fingerprint") is None
        assert not [name for name in record["baselines"] if name.startswith("test_")]

    def test_a_run_that_another_process_holds_is_left_alone(self) -> None:
        runs = folders(sweep(ThisProcess(), *SEEDS))
        originals = [record_of(run) for run in runs]
        for run in runs:
            make_old(run)
        before = files_of(runs[0])
        with lock.hold_lock(runs[0]):
            sweep(Untouched(), *SEEDS)
            assert files_of(runs[0]) == before
            assert record_of(runs[1])["test"] == originals[1]["test"]
        sweep(Untouched(), *SEEDS)
        assert record_of(runs[0])["test"] == originals[0]["test"]

    def test_a_plan_scores_nothing(self) -> None:
        runs = folders(sweep(ThisProcess(), *SEEDS))
        for run in runs:
            make_old(run)
        before = [files_of(run) for run in runs]
        planned = sweep(Untouched(), *SEEDS, base=(*POEMS, "plan=true"))
        assert [outcome.status for outcome in planned.outcomes] == ["planned", "planned"]
        assert [files_of(run) for run in runs] == before

    @pytest.mark.slow
    def test_what_has_no_best_checkpoint_or_no_text_is_left_alone(self) -> None:
        [run] = folders(sweep(ThisProcess(), ["seed=0"]))
        make_old(run)
        run.best.unlink()
        before = files_of(run)
        sweep(Untouched(), ["seed=0"])
        assert files_of(run) == before
        digits = (
            "corpus=palindromes", "corpus.length=3", "data.dev_size=40", "model.hidden_size=8",
            "trainer.max_steps=4", "trainer.val_every=2", "logger=csv", "report=false",
        )  # fmt: skip
        [run] = folders(sweep(ThisProcess(), ["seed=0"], base=digits))
        before = files_of(run)
        assert not run.document_scores.exists()
        sweep(Untouched(), ["seed=0"], base=digits)
        assert files_of(run) == before

    def test_a_run_that_diverged_after_a_good_epoch_is_scored_as_well(self) -> None:
        base = (*POEMS, *DIVERGES_IN_EPOCH_2, "data.batch_size=3", "trainer.max_epochs=9")
        [run] = folders(sweep(ThisProcess(), ["seed=0"], base=base))
        original = record_of(run)
        assert (original["status"], original["last"]) == ("diverged", None)
        record = record_of(run)
        del record["test"]
        write_old_record(run, record)
        sweep(Untouched(), ["seed=0"], base=base)
        assert record_of(run) == original

    def test_a_book_is_scored_on_its_last_part(self, home: Path) -> None:
        text = "".join(f"Once upon a time there were {n} little pigs.\n" for n in range(60))
        (home / "tale.txt").write_text(text + "Zebras! " * 30, encoding="utf-8")
        base = (
            "corpus=book", "corpus.path=tale.txt", "data.test_fraction=0.1", "data.seq_len=10", "data.batch_size=4",
            "model.embed_size=8", "model.hidden_size=8", "samples.every=null", "trainer.max_steps=4",
            "trainer.val_every=2", "logger=csv", "report=false",
        )  # fmt: skip
        [run] = folders(sweep(ThisProcess(), ["seed=0"], base=base))
        original, arrays = record_of(run), arrays_of(run)
        record = record_of(run)
        del record["test"]
        write_old_record(run, record)
        run.document_scores.unlink()
        before = files_of(run, run.result)
        sweep(Untouched(), ["seed=0"], base=base)
        assert (record_of(run), arrays_of(run)) == (original, arrays)
        assert files_of(run, run.result, run.document_scores) == before


SIZES = (["data.poems=8"], ["data.poems=12"])


class TestSizesShareATestSet:
    BASE = (*TINY, "report=false")

    @pytest.mark.parametrize("launcher", [ThisProcess(), Recomposing()], ids=lambda v: type(v).__name__)
    def test_behind_the_largest_number(self, launcher: Any) -> None:
        runs = folders(sweep(launcher, *SIZES, base=self.BASE))
        poems = find_poems(PoemSource("sample"), None).poems
        first = {poem.id for poem in poems[:12]}
        small, large = (arrays_of(run) for run in runs)
        assert small["test/names"] == large["test/names"]
        assert small["test/authors"] == large["test/authors"]
        assert small["test/characters"] == large["test/characters"]
        assert not first & set(small["test/names"])
        assert set(small["test/names"]) <= {poem.id for poem in poems[12:]}
        assert small["test/known_characters"] != large["test/known_characters"]  # of two vocabularies
        assert small["dev/names"] != large["dev/names"]
        for run in runs:
            record = record_of(run)
            assert not [override for override in record["overrides"] if "test_after" in override]
            assert record["corpus"]["poems"]["test"] == len(small["test/names"])

    @pytest.mark.slow
    def test_all_launchers_give_the_same_records(self) -> None:
        runs = folders(sweep(ThisProcess(), *SIZES, base=self.BASE))
        originals = [record_of(run) for run in runs]
        anew = folders(sweep(Recomposing(), *SIZES, base=(*self.BASE, "rerun=all")))
        for run, original in zip(anew, originals, strict=True):
            record = record_of(run)
            for key in ("test", "dev", "train", "corpus", "config_hash", "run_id"):
                assert record[key] == original[key], key

    def test_a_run_alone_keeps_its_own_test_set_and_its_identity(self, train: Train) -> None:
        inside = record_of(folders(sweep(Recomposing(), *SIZES, base=self.BASE))[0])
        alone = train("data.poems=8", base=TINY)
        assert alone.result["config_hash"] == inside["config_hash"]
        for key in ("dev", "train", "last", "best_epoch"):
            assert alone.result[key] == inside[key], key
        poems = find_poems(PoemSource("sample"), None).poems
        names = set(arrays_of(alone.folder)["test/names"])
        assert names & {poem.id for poem in poems[8:12]}
        assert not names & {poem.id for poem in poems[:8]}

    @pytest.mark.slow
    def test_a_larger_size_moves_the_test_set_of_those_that_are_done(self) -> None:
        runs = folders(sweep(ThisProcess(), *SIZES, base=self.BASE))
        before = [files_of(run, run.result, run.document_scores) for run in runs]
        old = arrays_of(runs[0])["test/names"]
        enlarged = folders(sweep(ThisProcess(), *SIZES, ["data.poems=20"], base=self.BASE))
        assert [run.path for run in enlarged[:2]] == [run.path for run in runs]
        names = [arrays_of(run)["test/names"] for run in enlarged]
        assert names[0] == names[1] == names[2] != old
        assert set(names[0]) < set(old)
        assert [files_of(run, run.result, run.document_scores) for run in runs] == before

    def test_one_size_keeps_its_own(self) -> None:
        [run] = folders(sweep(Recomposing(), ["data.poems=8"], base=self.BASE))
        poems = find_poems(PoemSource("sample"), None).poems
        assert set(arrays_of(run)["test/names"]) & {poem.id for poem in poems[8:12]}
