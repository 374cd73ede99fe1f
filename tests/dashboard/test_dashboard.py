"""Dashboards: every name in them is one that real runs logged, and what is published is what `spec` writes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb_workspaces  # noqa: F401  (its own import must warn of nothing)

from tangsweep.dashboard import publish
from tangsweep.dashboard.logged import logged
from tangsweep.dashboard.spec import Home, dashboard
from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.report.data.collect import Collected
from tangsweep.report.render.blocks import Report
from tangsweep.report.write import made
from tangsweep.runs import wandb_names
from tests.conftest import SMALL, Ran
from tests.dashboard.named import named, walk
from tests.dashboard.server import KEY, Server, serving
from tests.report.made import QUALITY, optimizers, record, run
from tests.training import wandb_file

HERE = Home("poet", "tangsweep")


def shown(found: Collected, report: Report, home: Home = HERE) -> dict[str, Any]:
    return json.loads(dashboard(found, report, home).json)


def at_wandb(sweep: Path, **config: Any) -> tuple[Collected, Report]:
    """Two optimizers, two seeds each, as records say that went to W&B."""
    optimizers(sweep, {"sgd": [500.0, 520.0], "adam": [400.0, 410.0]}, **config)
    for number, path in enumerate(sorted(sweep.glob("*/result.json"))):
        result = json.loads(path.read_text())
        result |= {"wandb": {"id": f"run{number}", "path": f"tangsweep/run{number}"}, "quality": QUALITY}
        path.write_text(json.dumps(result))
        (path.parent / "poems.txt").write_text("# 日\n日出\n")
    return made([sweep])


class TestNames:
    """Against the .wandb files that W&B's own client wrote."""

    WANDB = (*SMALL, "poems.starts='山'", "logger=wandb", "sweep.name=asked")

    def test_a_sweep_of_poems(self, home: Path, train: Callable[..., Ran]) -> None:
        for overrides in (("optimizer=sgd",), ("optimizer=adam",), ("optimizer=adam", "optimizer.lr=0.1")):
            train(*overrides, base=self.WANDB)
        found, report = made([home / "outputs" / "asked"])
        whole = shown(found, report)
        panels = [node["viewType"] for node in walk(whole["workspaces"]) if "viewType" in node]
        assert {
            "Run History Line Plot",
            "Bar Chart",
            "Scatter Plot",
            "Parallel Coordinates Plot",
            "Weave",
        } == set(panels)
        asked = self.logged_all(whole, home / "outputs" / "asked")
        assert {"val/loss", "val/perplexity", "train/epoch_loss", "epoch", "seconds"} <= asked.history
        assert {"best/dev/perplexity", "poems"} <= asked.summary
        assert asked.config == {"variant", "optimizer.lr"}

    def test_a_task_that_is_solved(self, home: Path, train: Callable[..., Ran]) -> None:
        easy = ("corpus=palindromes", "corpus.length=3", "data.dev_size=40", "trainer.val_every=20",
                "trainer.max_steps=4000", "optimizer.lr=0.01", "model.hidden_size=8")  # fmt: skip
        assert train(base=(*easy, "logger=wandb", "sweep.name=asked")).result["solved_step"]
        asked = self.logged_all(shown(*made([home / "outputs" / "asked"])), home / "outputs" / "asked")
        assert {"_step", "val/accuracy"} <= asked.history
        assert {"solved_step", "best/dev/accuracy"} <= asked.summary

    def test_a_book(self, home: Path, train: Callable[..., Ran]) -> None:
        (home / "tale.txt").write_text(
            "Once upon a time there were many little pigs.\n" * 40, encoding="utf-8"
        )
        book = ("corpus=book", "corpus.path=tale.txt", "data.seq_len=10", "data.batch_size=4", "model.embed_size=8",
                "model.hidden_size=8", "trainer.max_steps=6", "trainer.val_every=3", "samples.every=3",
                "samples.length=12")  # fmt: skip
        train(base=(*book, "logger=wandb", "sweep.name=asked"))
        asked = self.logged_all(shown(*made([home / "outputs" / "asked"])), home / "outputs" / "asked")
        assert "continuations" in asked.summary and "poems" not in asked.summary

    @staticmethod
    def logged_all(whole: dict[str, Any], sweep: Path) -> Any:
        """What the dashboard names, after a look into the runs' own W&B files."""
        runs = [wandb_file.read(path.parent) for path in sweep.glob("*/result.json")]
        asked = named(whole)
        assert asked.ids == {one.id for one in runs}
        assert asked.history <= {key for one in runs for row in one.history for key in row}
        known = {key for one in runs for key in one.summary}
        assert asked.summary <= known | {key.removesuffix("/_type") for key in known}  # a table is a tree
        for key in asked.config:
            for one in runs:
                place = {name: json.loads(value) for name, value in one.config.items()}
                for part in key.split("."):
                    place = place[part]
        return asked

    def test_runs_that_differ_in_their_seed_have_one_variant(self, train: Callable[..., Ran]) -> None:
        runs = [train("optimizer=sgd", f"seed={seed}", base=self.WANDB) for seed in (0, 1)]
        written = [wandb_file.read(folder.path).config[wandb_names.VARIANT] for _, folder in runs]
        assert written == ['"optimizer=sgd"'] * 2


class TestSpec:
    def test_the_same_runs_make_the_same_text(self, tmp_path: Path) -> None:
        found, report = at_wandb(tmp_path)
        assert dashboard(found, report, HERE).json == dashboard(*made([tmp_path]), HERE).json
        ids = [node["__id__"] for node in walk(shown(found, report)) if "__id__" in node]
        assert len(ids) == len(set(ids)) > 10

    def test_what_it_says(self, tmp_path: Path) -> None:
        found, report = at_wandb(tmp_path)
        whole = shown(found, report)
        [workspace] = whole["workspaces"]
        assert (workspace["entity"], workspace["project"]) == HERE
        section = workspace["spec"]["section"]
        assert [s["name"] for s in section["panelBankConfig"]["sections"]] == [
            "Curves", "Scores", "What was varied", "Poems and texts"]  # fmt: skip
        assert [key["name"] for key in section["runSets"][0]["grouping"]] == ["variant.value"]
        assert set(section["customRunColors"].values()) == {"#0072b2", "#d55e00"}
        text = json.dumps(whole["report"], ensure_ascii=False)
        assert "adam is best: development perplexity 405" in text
        assert all(warning[:40] in text for warning in report.warnings)
        assert named(whole["report"]) == named(workspace)

    def test_panels_of_a_report_do_not_overlap(self, tmp_path: Path) -> None:
        whole = shown(*at_wandb(tmp_path))
        cells = [
            (x, y)
            for panel in walk(whole["report"])
            if "viewType" in panel
            for x in range(panel["layout"]["x"], panel["layout"]["x"] + panel["layout"]["w"])
            for y in range(panel["layout"]["y"], panel["layout"]["y"] + panel["layout"]["h"])
        ]
        assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24

    def test_what_cannot_be_compared_gets_a_workspace_of_its_own(self, tmp_path: Path) -> None:
        at_wandb(tmp_path)
        other = record(90.0)
        other["corpus"] = other["corpus"] | {"name": "sample", "dev_fingerprint": "other"}
        run(tmp_path, "other", other | {"wandb": {"id": "run9", "path": "tangsweep/run9"}})
        whole = shown(*made([tmp_path]))
        shown_in = [named(workspace).ids for workspace in whole["workspaces"]]
        assert shown_in == [{"run0", "run1", "run2", "run3"}, {"run9"}]

    def test_a_rate_that_varies_is_shown(self, tmp_path: Path) -> None:
        for rate in (0.01, 0.1):
            result = record(500.0, overrides=[f"optimizer.lr={rate}"])
            run(
                tmp_path,
                f"lr-{rate}",
                result | {"wandb": {"id": f"r{rate}", "path": "p/r"}},
                optimizer__lr=rate,
            )
        found, report = made([tmp_path])
        assert logged(found, report.rankings[0].part).config == ("optimizer.lr",)
        assert "Learning-rate sensitivity" in json.dumps(shown(found, report))

    def test_runs_without_wandb_and_scores_that_nobody_has_are_left_out(self, tmp_path: Path) -> None:
        at_wandb(tmp_path)
        run(tmp_path, "local", record(300.0, seed=5, overrides=["optimizer=local"]))
        diverged = record(None, status="diverged", dev=None, train=None, last=None, seed=6)
        run(tmp_path, "diverged", diverged | {"wandb": {"id": "runx", "path": "tangsweep/runx"}}, losses=())
        assert named(shown(*made([tmp_path]))).ids == {"run0", "run1", "run2", "run3", "runx"}


class TestHome:
    def test_the_records_say_where(self, tmp_path: Path) -> None:
        found, _ = at_wandb(tmp_path)
        assert publish.home(found, None, None) == Home("", "tangsweep")
        assert publish.home(found, "team", "other") == Home("team", "other")

    def test_two_projects_are_not_one(self, tmp_path: Path) -> None:
        at_wandb(tmp_path)
        run(tmp_path, "other", record(90.0) | {"wandb": {"id": "run9", "path": "team/mine/run9"}})
        found, _ = made([tmp_path])
        with pytest.raises(
            UserError, match="project is not one but mine, tangsweep: name one with --project"
        ):
            publish.home(found, None, None)
        assert publish.home(found, None, "mine") == Home("team", "mine")

    def test_no_run_went_there(self, tmp_path: Path) -> None:
        run(tmp_path, "local", record(300.0))
        with pytest.raises(UserError, match="none of these runs went to W&B"):
            publish.home(made([tmp_path])[0], None, None)


class TestPublish:
    """The real client, against a server on this machine that answers as W&B's does."""

    @pytest.fixture
    def call(self, home: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
        def one(sweep: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [
                    sys.executable,
                    str(REPOSITORY / "src" / "report.py"),
                    str(sweep),
                    "--wandb",
                    *arguments,
                ],
                env={"PATH": "/usr/bin:/bin", "HOME": str(home), "TANGSWEEP_HOME": str(home), **environment},
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=240,
                check=False,
            )

        yield one

    def test_it_saves_what_spec_writes(self, tmp_path: Path, call: Any) -> None:
        sweep = tmp_path / "asked"
        at_wandb(sweep)
        server = Server("tangsweep", runs=3)
        with serving(server) as url:
            done = call(sweep, "publish", WANDB_BASE_URL=url, WANDB_API_KEY=KEY)
        assert done.returncode == 0, done.stderr
        assert server.unknown == []
        assert "W&B has 3 of the 4 runs; `wandb sync" in done.stdout
        assert done.stdout.splitlines()[-2].startswith(f"{url}/poet/tangsweep?nw=")
        assert done.stdout.splitlines()[-1].startswith(f"{url}/poet/tangsweep/reports/")
        whole = shown(*made([sweep]))
        assert [json.loads(saved["spec"]) for saved in server.saved] == [
            whole["workspaces"][0]["spec"], whole["report"]["spec"]]  # fmt: skip
        assert {(saved["entityName"], saved["projectName"]) for saved in server.saved} == {HERE}

    @pytest.mark.slow
    def test_runs_that_are_not_there_come_first(self, tmp_path: Path, call: Any) -> None:
        sweep = tmp_path / "asked"
        at_wandb(sweep)
        server = Server("another", runs=0)
        with serving(server) as url:
            done = call(sweep, "publish", WANDB_BASE_URL=url, WANDB_API_KEY=KEY)
        assert (done.returncode, server.saved) == (2, [])
        assert "error: W&B has none of the 4 runs in poet/tangsweep: first `wandb sync" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    @pytest.mark.slow
    def test_spec_needs_no_network_and_publish_an_account(self, tmp_path: Path, call: Any) -> None:
        sweep = tmp_path / "asked"
        at_wandb(sweep)
        nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        done = call(sweep, "spec", **nowhere)
        assert done.returncode == 0, done.stderr
        assert json.loads((sweep / "dashboard.json").read_text()) == shown(
            *made([sweep]), Home("", "tangsweep")
        )
        refused = call(sweep, "publish", **nowhere)
        assert refused.returncode == 2
        assert refused.stderr.startswith("error: --wandb publish needs an account, but no key is known here")
