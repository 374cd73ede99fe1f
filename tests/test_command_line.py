"""The commands as a user types them, each in a process of its own, from another working directory."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.files import REPOSITORY
from tests.conftest import Ran
from tests.training import wandb_file

TINY = ["corpus=sample", "data.poems=12", "trainer.max_epochs=2", "model.hidden_size=8", "model.embed_size=8"]


def options(group: str) -> str:
    """The options of a group of conf/, or of sweeps/, as Hydra lists them."""
    return ", ".join(sorted(path.stem for path in (REPOSITORY / group).glob("*.yaml")))


UNFUSED = "+optimizer.fused=false"  # raises for a learning rate that is no float32 number


def call(home: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    elsewhere = home / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "src" / script), *arguments],
        cwd=elsewhere,
        env={**os.environ, "TANGSWEEP_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )


MISTAKES = [
    (
        ["optimizer=sdg"],
        f"optimizer=sdg does not exist; did you mean sgd? there are: {options('conf/optimizer')}",
    ),
    (["corpus.root=elsewhere"], "elsewhere/quantangshi/poet.tang.0.json is missing"),  # found in Hydra's task
    (["-m", "optimizer.lr=0.1,-1"], "optimizer.lr=-1 is invalid: it must be a number above 0"),
]


@pytest.mark.parametrize(("arguments", "complaint"), MISTAKES, ids=["typo", "in the task", "of a sweep"])
def test_a_mistake_is_told_in_one_line_and_leaves_nothing(
    home: Path, arguments: list[str], complaint: str
) -> None:
    """In a process of its own; test_bad_inputs.py has many more."""
    done = call(home, "train.py", *arguments)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert complaint in line
    assert not list((home / "outputs").glob("*/*"))


@pytest.mark.parametrize(
    "arguments", [pytest.param(["seed=0"], marks=pytest.mark.slow), ["-m", "seed=0,1"]], ids=" ".join
)
@pytest.mark.slow
def test_going_online_without_an_account_is_told_before_anything_is_trained(
    home: Path, arguments: list[str]
) -> None:
    done = call(
        home, "train.py", *arguments, "logger.mode=online", *TINY, HOME=str(home), NETRC=str(home / "no")
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: W&B is set to online, but ")
    assert not list((home / "outputs").glob("*/*/config.yaml"))


def test_help_is_short_and_needs_no_torch(home: Path) -> None:
    done = call(home, "train.py", "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) < 30
    assert f"optimizer: {options('conf/optimizer')}" in done.stdout
    assert f"sweeps: {options('sweeps')}" in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["optimizer=sdg"], ["data.poems=0"]])
def test_torch_and_its_like_are_imported_only_when_a_run_starts(home: Path, arguments: list[str]) -> None:
    code = (
        "import sys, runpy; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pytorch_lightning', 'wandb', 'fastNLP', 'pandas', 'altair'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    script = str(REPOSITORY / "src" / "train.py")
    done = subprocess.run(
        [sys.executable, "-c", code, script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


def records(home: Path, sweep: str) -> dict[str, dict]:  # type: ignore[type-arg]
    found = {
        p.parent.name: json.loads(p.read_text()) for p in (home / "outputs" / sweep).glob("*/result.json")
    }
    return {re.sub(r"-[0-9a-f]{8}$", "", name): record for name, record in found.items()}


@pytest.mark.slow
def test_a_sweep_from_its_command_to_its_comparison(home: Path, train: Callable[..., Ran]) -> None:
    command = ["-m", "optimizer=sgd,adam", "init.forget_bias=0,1", *TINY]
    done = call(home, "train.py", *command)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = records(home, "optimizer_init.forget_bias")
    assert set(found) == {f"optimizer-{o}_forget_bias-{b}" for o in ("sgd", "adam") for b in (0, 1)}
    assert all(r["status"] == "done" for r in found.values())
    folder = home / "outputs" / "optimizer_init.forget_bias"
    offline = [wandb_file.read(path.parent) for path in folder.glob("*/result.json")]
    assert len({run.id for run in offline}) == 4
    assert [run.exit_codes for run in offline] == [[0]] * 4
    assert {run.group for run in offline} == {"optimizer_init.forget_bias"}
    noted = json.loads((folder / "commands.jsonl").read_text())
    assert (noted["arguments"], noted["runs"], noted["trained"]) == (command, 4, 4)
    assert {p.name for p in folder.iterdir() if p.is_file()} == {
        "commands.jsonl",
        "report.html",
        "report.json",
        "report.md",
    }
    tables = {f"{name}.csv" for name in ("runs", "epochs", "ranking", "breakdown", "cost", "tuned")}
    assert {p.name for p in (folder / "tables").iterdir()} == tables
    assert {p.name for p in (folder / "figures").iterdir()} >= {"curves.png", "curves.svg"}
    assert "NOT 全唐诗" in done.stdout
    assert re.search(r"adam forget_bias=0 +[0-9.,]+ +[0-9.,]+ to [0-9.,]+ +1 of 1 +[12] ", done.stdout)
    assert "report.html has the whole report" in done.stdout
    assert "\x1b" not in done.stdout  # no progress bar, no colours: this is no terminal
    # A run alone gives the numbers that it gives inside the sweep.
    single = train("optimizer=adam", "init.forget_bias=1", base=(*TINY, "logger=csv")).result
    inside = found["optimizer-adam_forget_bias-1"]
    for key in ("train", "dev", "last", "best_epoch", "config_hash", "corpus"):
        assert single[key] == inside[key]


@pytest.mark.slow
def test_the_same_again_trains_nothing_and_more_only_what_is_new(home: Path) -> None:
    command = ["-m", "optimizer=sgd,adam", "logger=csv", *TINY]
    assert call(home, "train.py", *command).returncode == 0
    found = records(home, "optimizer")
    again = call(home, "train.py", *command)
    assert again.returncode == 0, again.stderr
    assert "2 runs, 0 to train, 2 left as they are (2 done)" in again.stdout
    assert records(home, "optimizer") == found
    enlarged = call(home, "train.py", *command, "optimizer=sgd,adam,rmsprop")
    assert "3 runs, 1 to train (1 missing), 2 left as they are (2 done)" in enlarged.stdout
    more = records(home, "optimizer")
    assert len(more) == 3
    assert {name: more[name] for name in found} == found
    assert len((home / "outputs" / "optimizer" / "commands.jsonl").read_text().splitlines()) == 3


@pytest.mark.slow
def test_a_sweep_goes_on_after_failures_and_divergence(home: Path) -> None:
    done = call(
        home,
        "train.py",
        "-m",
        "optimizer=sgd",
        "optimizer.lr=3e+38,1e+300,0.1",
        UNFUSED,
        "sweep.name=mixed",
        "logger=csv",
        *TINY,
    )
    assert done.returncode == 1
    states = {name: r["status"] for name, r in records(home, "mixed").items()}
    assert states == {"lr-3e38": "diverged", "lr-1e300": "failed", "lr-0.1": "done"}
    assert "FAILED" in done.stdout
    assert "traceback in" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    [log] = (home / "outputs" / "mixed").glob("lr-1e300-*/train.log")
    assert "Traceback" in log.read_text()
    assert (home / "outputs" / "mixed" / "report.html").exists()


@pytest.mark.slow
def test_fail_fast_ends_the_sweep_with_its_table(home: Path) -> None:
    broken = ("-m", "optimizer.lr=1e300,0.1", "logger=csv", "fail_fast=true", "optimizer=sgd", UNFUSED)
    done = call(home, "train.py", *broken, "sweep.name=fast", "hydra.launcher.workers=1", *TINY)
    assert done.returncode == 1
    assert {name: r["status"] for name, r in records(home, "fast").items()} == {"lr-1e300": "failed"}
    assert "report.html" in done.stdout


@pytest.mark.slow
def test_a_sweep_file_narrowed_and_without_a_network(home: Path) -> None:
    done = call(
        home,
        "train.py",
        "sweeps=optimizers",
        "optimizer=rmsprop",
        "logger=csv",
        *TINY[1:],
        HTTPS_PROXY="http://127.0.0.1:9",
        https_proxy="http://127.0.0.1:9",
    )
    assert done.returncode == 0, done.stderr
    assert "NOT 全唐诗: the network was not reached" in done.stdout
    [(name, record)] = records(home, "optimizers").items()
    assert record["corpus"]["name"] == "sample"
    assert name == "optimizer-rmsprop"


@pytest.mark.slow
def test_poems_on_the_console(home: Path) -> None:
    assert call(home, "train.py", "logger=csv", *TINY).returncode == 0
    [run] = (path for path in (home / "outputs" / "single").iterdir() if path.is_dir())
    arguments = ["--chars", "7", "--lines", "4", "--temperature", "0.8", "--seed", "1"]
    one = call(home, "generate.py", str(run / "checkpoints" / "best.ckpt"), "--start", "山", *arguments)
    assert one.returncode == 0, one.stderr
    assert re.fullmatch(r"山\w{6}，\w{7}。\n\w{7}，\w{7}。\n", one.stdout)
    done = call(home, "generate.py", str(run.relative_to(home)), "--start", "龘")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "龘 does not occur" in done.stderr


@pytest.mark.slow
def test_a_folder_that_cannot_be_written(home: Path) -> None:
    (home / "outputs").write_text("in the way")
    done = call(home, "train.py", "logger=csv", *TINY)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "outputs" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "status", "launcher"),
    [
        (signal.SIGINT, 130, "pool"),
        (signal.SIGTERM, 143, "pool"),
        (signal.SIGINT, 130, "basic"),
        (signal.SIGTERM, 143, "basic"),
    ],
)
def test_a_stopped_command_says_how_to_continue(
    home: Path, sent: signal.Signals, status: int, launcher: str
) -> None:
    command = [
        sys.executable,
        str(REPOSITORY / "src" / "train.py"),
        "-m",
        "optimizer=sgd,adam",
        "logger=csv",
        f"hydra/launcher={launcher}",
        *(["hydra.launcher.workers=2"] if launcher == "pool" else []),
    ]
    with subprocess.Popen(
        [*command, "corpus=sample", "trainer.max_epochs=1000000"],
        env={**os.environ, "TANGSWEEP_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored by jobs in the background
    ) as process:
        metrics = home / "outputs" / "optimizer"
        while process.poll() is None and sum(
            p.stat().st_size > 500 for p in metrics.glob("*/metrics.csv")
        ) < (2 if launcher == "pool" else 1):
            os.sched_yield()
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert err.splitlines()[-1].startswith("interrupted; this continues: python ")
    assert "optimizer=sgd,adam" in err.splitlines()[-1]
    runs = 2 if launcher == "pool" else 1
    assert f"{runs} of {runs} runs have not ended ({runs} interrupted)." in out
    left = "2 interrupted" if launcher == "pool" else "1 interrupted, 1 missing"
    assert f"0 of 2 runs of this command ended, {left}: the same command continues" in out
    assert not list(metrics.glob("*/result.json"))
    assert len(list(metrics.glob("*/config.yaml"))) == runs


@pytest.mark.slow
def test_ctrl_c_while_workers_are_made_is_silent(home: Path) -> None:
    """A terminal sends it to every process of the command."""
    with subprocess.Popen(
        [sys.executable, str(REPOSITORY / "src" / "train.py"), "-m", "optimizer=sgd,adam", *TINY],
        env={**os.environ, "TANGSWEEP_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while process.poll() is None and not (home / "data").exists():
            os.sched_yield()  # the corpus is encoded while the workers' parent imports
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    [line] = err.splitlines()
    assert line.startswith("interrupted; this continues: python ")
    assert "Traceback" not in out
