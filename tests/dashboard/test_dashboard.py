"""Dashboards: every name in them is one that real runs logged, and what is published is what `spec` writes."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb_workspaces  # noqa: F401  (its own import must warn of nothing)
from wandb_workspaces.reports.v2 import interface as wr

from tangsweep.dashboard.panels import logged_names
from tangsweep.dashboard.publish import find_wandb_project
from tangsweep.dashboard.spec import WandbProject, build_dashboard
from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.reporting.blocks import Report
from tangsweep.reporting.build import report_on
from tangsweep.reporting.data.collect import SweepData
from tangsweep.runs import wandb_names
from tests.conftest import SMALL, Ran
from tests.dashboard.named_in_spec import names_in, walk
from tests.dashboard.server import KEY, Server, serving
from tests.reporting.analysis.test_tuning import CONFIRMED, GRID, merged, write_grid
from tests.reporting.written_sweeps import CORPUS, QUALITY, record, write_optimizer_runs, write_run
from tests.training import wandb_file

HERE = WandbProject("poet", "tangsweep")


def spec_json(data: SweepData, report: Report, project: WandbProject = HERE) -> dict[str, Any]:
    return json.loads(build_dashboard(data, report, project).json)


def at_wandb(sweep: Path, **config: Any) -> tuple[SweepData, Report]:
    """Two optimizers, two seeds each, as records say that went to W&B."""
    write_optimizer_runs(sweep, {"sgd": [500.0, 520.0], "adam": [400.0, 410.0]}, **config)
    for number, path in enumerate(sorted(sweep.glob("*/result.json"))):
        result = json.loads(path.read_text())
        result |= {"wandb": {"id": f"run{number}", "path": f"tangsweep/run{number}"}, "quality": QUALITY}
        path.write_text(json.dumps(result))
        (path.parent / "poems.txt").write_text("# 日\n日出\n")
    return report_on([sweep])


def put_at_wandb(sweep: Path) -> None:
    """Let every record say that its run went to W&B."""
    for number, path in enumerate(sorted(sweep.glob("*/result.json"))):
        result = json.loads(path.read_text())
        result["wandb"] = {"id": f"run{number}", "path": f"tangsweep/run{number}"}
        path.write_text(json.dumps(result))


def document_blocks(data: SweepData, report: Report) -> dict[str, list[str]]:
    """Return the Markdown under each heading of the report at W&B."""
    blocks: dict[str, list[str]] = {}
    heading = ""
    for block in build_dashboard(data, report, HERE).document.blocks:
        if isinstance(block, wr.H2):
            heading = str(block.text)
        elif isinstance(block, wr.MarkdownBlock):
            blocks.setdefault(heading, []).append(block.text)
    return blocks


class TestNames:
    """Against the .wandb files that W&B's own client wrote."""

    WANDB = (*SMALL, "poems.starts='山'", "logger=wandb", "sweep.name=published")

    def test_a_sweep_of_poems(self, home: Path, train: Callable[..., Ran]) -> None:
        for overrides in (("optimizer=sgd",), ("optimizer=adam",), ("optimizer=adam", "optimizer.lr=0.1")):
            train(*overrides, base=self.WANDB)
        data, report = report_on([home / "outputs" / "published"])
        whole = spec_json(data, report)
        panels = [node["viewType"] for node in walk(whole["workspaces"]) if "viewType" in node]
        assert {
            "Run History Line Plot",
            "Bar Chart",
            "Scatter Plot",
            "Parallel Coordinates Plot",
            "Weave",
        } == set(panels)
        names = self.logged_all(whole, home / "outputs" / "published")
        assert {"val/loss", "val/perplexity", "train/epoch_loss", "epoch", "seconds"} <= names.history
        assert {"best/dev/perplexity", "poems"} <= names.summary
        assert names.config == {"variant", "optimizer.lr"}

    def test_a_task_that_is_solved(self, home: Path, train: Callable[..., Ran]) -> None:
        easy = ("corpus=palindromes", "corpus.length=3", "data.dev_size=40", "trainer.val_every=20",
                "trainer.max_steps=4000", "optimizer.lr=0.01", "model.hidden_size=8")  # fmt: skip
        assert train(base=(*easy, "logger=wandb", "sweep.name=published")).result["solved_step"]
        names = self.logged_all(
            spec_json(*report_on([home / "outputs" / "published"])), home / "outputs" / "published"
        )
        assert {"_step", "val/accuracy"} <= names.history
        assert {"solved_step", "best/dev/accuracy"} <= names.summary

    def test_a_book(self, home: Path, train: Callable[..., Ran]) -> None:
        (home / "tale.txt").write_text(
            "Once upon a time there were many little pigs.\n" * 40, encoding="utf-8"
        )
        book = ("corpus=book", "corpus.path=tale.txt", "data.seq_len=10", "data.batch_size=4", "model.embed_size=8",
                "model.hidden_size=8", "trainer.max_steps=6", "trainer.val_every=3", "samples.every=3",
                "samples.length=12")  # fmt: skip
        train(base=(*book, "logger=wandb", "sweep.name=published"))
        names = self.logged_all(
            spec_json(*report_on([home / "outputs" / "published"])), home / "outputs" / "published"
        )
        assert "continuations" in names.summary and "poems" not in names.summary

    @staticmethod
    def logged_all(whole: dict[str, Any], sweep: Path) -> Any:
        """What the dashboard names, after a look into the runs' own W&B files."""
        runs = [wandb_file.read(path.parent) for path in sweep.glob("*/result.json")]
        names = names_in(whole)
        assert names.ids == {one.id for one in runs}
        assert names.history <= {key for one in runs for row in one.history for key in row}
        summary_keys = {key for one in runs for key in one.summary}
        assert names.summary <= summary_keys | {
            key.removesuffix("/_type") for key in summary_keys
        }  # a table is a tree
        for key in names.config:
            for one in runs:
                place = {name: json.loads(value) for name, value in one.config.items()}
                for part in key.split("."):
                    place = place[part]
        return names

    def test_runs_that_differ_in_their_seed_have_one_variant(self, train: Callable[..., Ran]) -> None:
        runs = [train("optimizer=sgd", f"seed={seed}", base=self.WANDB) for seed in (0, 1)]
        written = [wandb_file.read(folder.path).config[wandb_names.VARIANT] for _, folder in runs]
        assert written == ['"optimizer=sgd"'] * 2


class TestSpec:
    def test_the_same_runs_make_the_same_text(self, tmp_path: Path) -> None:
        data, report = at_wandb(tmp_path)
        assert build_dashboard(data, report, HERE).json == build_dashboard(*report_on([tmp_path]), HERE).json
        ids = [node["__id__"] for node in walk(spec_json(data, report)) if "__id__" in node]
        assert len(ids) == len(set(ids)) > 10

    def test_what_it_says(self, tmp_path: Path) -> None:
        data, report = at_wandb(tmp_path)
        whole = spec_json(data, report)
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
        assert names_in(whole["report"]) == names_in(workspace)

    def test_panels_of_a_report_do_not_overlap(self, tmp_path: Path) -> None:
        whole = spec_json(*at_wandb(tmp_path))
        cells = [
            (x, y)
            for panel in walk(whole["report"])
            if "viewType" in panel
            for x in range(panel["layout"]["x"], panel["layout"]["x"] + panel["layout"]["w"])
            for y in range(panel["layout"]["y"], panel["layout"]["y"] + panel["layout"]["h"])
        ]
        assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24

    def test_tables_that_no_panel_can_show_are_copied(self, tmp_path: Path) -> None:
        last = {"dev": {"known_perplexity": 300.0}, "train": {}}
        write_grid(tmp_path, merged(GRID, CONFIRMED), last=last)
        put_at_wandb(tmp_path)
        blocks = document_blocks(*report_on([tmp_path]))
        tuned = blocks["Tuned"][0]
        assert tuned.startswith(
            "| group | setting chosen | settings tried | test perplexity (known characters) |"
        )
        assert "| adam | lr=0.001 | 2 |" in tuned
        assert "Seeds that took no part in the choice judge it." in tuned
        assert "the order by development score" in blocks["Tuned"][1]
        assert not {"Cost", "Sources of variance", "Across tasks"} & blocks.keys()  # nothing to say

    def test_sources_of_variance_are_copied_without_their_picture(self, tmp_path: Path) -> None:
        for seed, order in itertools.product((0, 1), (0, 1)):
            result = record(500.0 + 10 * seed + order, seed=seed)
            result["overrides"] = [f"seed={seed}", f"order_seed={order}"]
            write_run(tmp_path, f"{seed}-{order}", result, order_seed=order, data={"split_seed": None})
        put_at_wandb(tmp_path)
        blocks = document_blocks(*report_on([tmp_path]))
        assert blocks["Sources of variance"][0].startswith("| group | source | standard deviation (nats) |")
        assert "| initialization (seed) |" in blocks["Sources of variance"][0]
        assert "figures/" not in json.dumps(blocks)  # pictures have no address at W&B

    def test_tables_of_several_rankings_say_which(self, tmp_path: Path) -> None:
        write_grid(tmp_path, GRID, confirm=[])
        put_at_wandb(tmp_path)
        write_run(tmp_path, "other", record(90.0, corpus={**CORPUS, "dev_fingerprint": "other"}))
        data, report = report_on([tmp_path])
        assert len(report.rankings) == 2
        [heading] = [title for title in document_blocks(data, report) if title.startswith("Tuned")]
        assert heading.startswith("Tuned: tang, ")

    def test_what_cannot_be_compared_gets_a_workspace_of_its_own(self, tmp_path: Path) -> None:
        at_wandb(tmp_path)
        other = record(90.0)
        other["corpus"] = other["corpus"] | {"name": "sample", "dev_fingerprint": "other"}
        write_run(tmp_path, "other", other | {"wandb": {"id": "run9", "path": "tangsweep/run9"}})
        whole = spec_json(*report_on([tmp_path]))
        run_ids = [names_in(workspace).ids for workspace in whole["workspaces"]]
        assert run_ids == [{"run0", "run1", "run2", "run3"}, {"run9"}]

    def test_a_rate_that_varies_is_shown(self, tmp_path: Path) -> None:
        for rate in (0.01, 0.1):
            result = record(500.0, overrides=[f"optimizer.lr={rate}"])
            write_run(
                tmp_path,
                f"lr-{rate}",
                result | {"wandb": {"id": f"r{rate}", "path": "p/r"}},
                optimizer__lr=rate,
            )
        data, report = report_on([tmp_path])
        assert logged_names(data, report.rankings[0].comparable).config == ("optimizer.lr",)
        assert "Learning-rate sensitivity" in json.dumps(spec_json(data, report))

    def test_runs_without_wandb_and_scores_that_nobody_has_are_left_out(self, tmp_path: Path) -> None:
        at_wandb(tmp_path)
        write_run(tmp_path, "local", record(300.0, seed=5, overrides=["optimizer=local"]))
        diverged = record(None, status="diverged", dev=None, train=None, last=None, seed=6)
        write_run(
            tmp_path, "diverged", diverged | {"wandb": {"id": "runx", "path": "tangsweep/runx"}}, losses=()
        )
        assert names_in(spec_json(*report_on([tmp_path]))).ids == {"run0", "run1", "run2", "run3", "runx"}


class TestProject:
    def test_the_records_say_where(self, tmp_path: Path) -> None:
        data, _ = at_wandb(tmp_path)
        assert find_wandb_project(data, None, None) == WandbProject("", "tangsweep")
        assert find_wandb_project(data, "team", "other") == WandbProject("team", "other")

    def test_two_projects_are_not_one(self, tmp_path: Path) -> None:
        at_wandb(tmp_path)
        write_run(tmp_path, "other", record(90.0) | {"wandb": {"id": "run9", "path": "team/mine/run9"}})
        data, _ = report_on([tmp_path])
        with pytest.raises(
            UserError, match="several W&B project names, mine, tangsweep: name one with --project"
        ):
            find_wandb_project(data, None, None)
        assert find_wandb_project(data, None, "mine") == WandbProject("team", "mine")

    def test_no_run_went_there(self, tmp_path: Path) -> None:
        write_run(tmp_path, "local", record(300.0))
        with pytest.raises(UserError, match="none of these runs went to W&B"):
            find_wandb_project(report_on([tmp_path])[0], None, None)


class TestPublish:
    """The real client, against a server on this machine that answers as W&B's does."""

    @pytest.fixture
    def call(self, home: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
        def call_report(sweep: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
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

        yield call_report

    def test_it_saves_what_spec_writes(self, tmp_path: Path, call: Any) -> None:
        sweep = tmp_path / "published"
        at_wandb(sweep)
        server = Server("tangsweep", runs=3)
        with serving(server) as url:
            process = call(sweep, "publish", WANDB_BASE_URL=url, WANDB_API_KEY=KEY)
        assert process.returncode == 0, process.stderr
        assert server.unknown == []
        assert "W&B has 3 of the 4 runs; `wandb sync" in process.stdout
        assert process.stdout.splitlines()[-2].startswith(f"{url}/poet/tangsweep?nw=")
        assert process.stdout.splitlines()[-1].startswith(f"{url}/poet/tangsweep/reports/")
        whole = spec_json(*report_on([sweep]))
        assert [json.loads(saved["spec"]) for saved in server.saved] == [
            whole["workspaces"][0]["spec"], whole["report"]["spec"]]  # fmt: skip
        assert {(saved["entityName"], saved["projectName"]) for saved in server.saved} == {HERE}

    @pytest.mark.slow
    def test_runs_that_are_not_there_come_first(self, tmp_path: Path, call: Any) -> None:
        sweep = tmp_path / "published"
        at_wandb(sweep)
        server = Server("another", runs=0)
        with serving(server) as url:
            process = call(sweep, "publish", WANDB_BASE_URL=url, WANDB_API_KEY=KEY)
        assert (process.returncode, server.saved) == (2, [])
        assert "error: W&B has none of the 4 runs in poet/tangsweep: first run `wandb sync" in process.stderr
        assert len(process.stderr.splitlines()) == 1

    @pytest.mark.slow
    def test_spec_needs_no_network_and_publish_an_account(self, tmp_path: Path, call: Any) -> None:
        sweep = tmp_path / "published"
        at_wandb(sweep)
        nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        process = call(sweep, "spec", **nowhere)
        assert process.returncode == 0, process.stderr
        assert json.loads((sweep / "dashboard.json").read_text()) == spec_json(
            *report_on([sweep]), WandbProject("", "tangsweep")
        )
        refused = call(sweep, "publish", **nowhere)
        assert refused.returncode == 2
        assert refused.stderr.startswith("error: --wandb publish needs an account, but no key is known here")
