"""What a user may get wrong: each mistake is one line that says what, where and what to do.

The commands run in this process; test_command_line.py has some of them in a process of its own.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunCommand

# (the command as it is typed, a part of the line that answers it)
TYPOS = [
    ("train optimizer=sdg", "optimizer=sdg does not exist; did you mean sgd? there are: adadelta, "),
    ("train optimzer=adam", "optimzer does not exist; did you mean optimizer?"),
    ("train optimizer.rate=1", "optimizer.rate does not exist; optimizer has: "),
    ("train trainer.max_epoch=3", "did you mean trainer.max_epochs?"),
    ("train model.hiden_size=8", "did you mean model.hidden_size?"),
    ("train lr=0.1", "lr does not exist; did you mean optimizer.lr?"),
    ("train hidden_size=8", "did you mean model.hidden_size?"),
    ("train +optimizr=adam", "did you mean optimizer?"),
    ("train corpus=tangs", "did you mean tang?"),
    ("train corpus=bok", "did you mean book?"),
    ("train cell=lsmt", "did you mean lstm?"),
    ("train cell.name=lsmt", "did you mean lstm?"),
    ("train scheduler=cosin", "did you mean cosine?"),
    ("train init=xavir", "did you mean xavier?"),
    ("train logger=wanb", "did you mean wandb?"),
    ("train corpus=sample logger.also=[tensorbord]", "did you mean tensorboard?"),
    ("train experiment=tang_50", "did you mean tang_500?"),
    ("train sweeps=optimisers", "did you mean optimizers?"),
    ("train rerun=al", "did you mean all?"),
    ("train hydra/launcher=pol", "did you mean pool?"),
    ("train -m hydra.launcher.wrkers=2 seed=0,1", "did you mean hydra.launcher.workers?"),
    ("train -m optimizer=sgd,adm", "optimizer=adm does not exist; did you mean adam?"),
    (
        "train -m optimizer=sgd,adam sweep.compare=[optimzer] corpus=sample trainer.max_epochs=1",
        "sweep.compare=optimzer is not varied: did you mean optimizer?",
    ),
    ("train --multirn optimizer=sgd,adam", "--multirn does not exist; did you mean --multirun?"),
    ("train --cfg jb", "--cfg jb is invalid; did you mean job?"),
    ("trian", "tangsweep trian does not exist; did you mean train?"),
]
TYPES = [
    ("train optimizer.lr.x=1", "optimizer.lr.x"),
    ("train optimizer=null", "a group takes the name of a file"),
    ("train hydra.mode=SOME", "hydra.mode=SOME: Invalid value 'SOME'"),
    ("train -m hydra.launcher.workers=two seed=0,1", "hydra.launcher.workers"),
    ("train optimizer._partial_=false", "optimizer._partial_=false is invalid: it must be true"),
]
RANGES = [
    ("train seed=99999999999999999999", "it must be a whole number from 0 to 9007199254740991"),
    ("train -m optimizer.lr=0.1,-1", "optimizer.lr=-1 is invalid: it must be a number above 0"),
    ("train scheduler=exponential scheduler.gamma=5", "scheduler.gamma=5 is invalid"),
    ("train poems.starts=abc", "poems.starts=abc is invalid: it must be Chinese characters"),
    ("train -m seed=0,1 corpus=sample hydra.launcher.workers=0", "hydra.launcher.workers=0 is invalid"),
    ("train sweep.varied=../../x", "sweep.varied=../../x is invalid"),
    ("train corpus=sample data.poems=121", "121 poems were requested"),
    ("train corpus=sample data.poems=1", "the split leaves no training poem"),
    ("train corpus.root=nowhere model.hidden_size=100000000", "the model needs at least "),  # nothing is read
    ("train model.layers=1000000000", "of memory, and "),
    ("train corpus=sample model.hidden_size=1 model.embed_size=200000000", "lower model.hidden_size=1, "),
]
CONTRADICTIONS = [
    ("train optimizer=sgd,adam", "Ambiguous value for argument 'optimizer=sgd,adam'"),
    ("train corpus=sample corpus.root=x", "drop corpus.root, or take corpus=tang"),
    ("train corpus=sample optimizer=nesterov optimizer.momentum=0", "Nesterov momentum requires"),
    ("train -m seed=0,0 corpus=sample", "the sweep holds the same run twice"),
    ("train -m seed=0,1 corpus=sample confirm.seeds=1", "confirm.seeds=1 is among the seeds that choose"),
    ("train sweeps=optimizers hydra.mode=RUN", "sweeps=optimizers is a sweep, not one run"),
    ("train -m sweeps=inits,optimizers", "a command runs one sweep file"),
    ("train -m --cfg job", "Only one of --run, --multirun, --cfg"),
    ("train --resolve", "--resolve flag can only be used"),
]
# What tests/config/test_checks.py tries as well, here to the end of the command, and more of the above: slow.
MORE = [
    ("train optimiser.lr=0.1", "optimiser does not exist; did you mean optimizer?"),
    ("train trainer.pacience=3", "did you mean trainer.patience?"),
    ("train data.poem=5", "did you mean data.poems?"),
    ("train modle.layers=2", "did you mean model?"),
    ("train +trainer.epochs=3", "did you mean trainer.max_epochs?"),
    ("train data.split=fixd", "did you mean fixed?"),
    ("train +seed.x=1", "seed={'x': 1} is invalid"),
    ("train -m sweep.name=../x seed=0,1", "sweep.name=../x is invalid"),
    ("train corpus.root=garbage", "poet.tang.0.json is missing"),
    ("train corpus=book corpus.path=garbage", "garbage is missing or not a file"),
    ("train corpus=book corpus.path=letters.txt/x", "is missing or not a file"),
    ("train corpus=book corpus.path=binary", "is not UTF-8"),
    ("train seed=one", "seed=one is invalid: it must be a whole number from 0"),
    ("train seed=1.5", "seed=1.5 is invalid"),
    ("train seed=null", "seed=null is invalid"),
    ("train seed=", "seed= is invalid"),
    ("train trainer.max_epochs=many", "trainer.max_epochs=many is invalid"),
    ("train data.poems=[1]", "data.poems=[1] is invalid"),
    ("train optimizer.betas=0.9", "optimizer.betas=0.9 is invalid: it must be two numbers"),
    ("train poems.forms=5", "poems.forms=5 is invalid"),
    ("train report=1", "report=1 is invalid: it must be true or false"),
    ("train confirm.seeds=5", "confirm.seeds=5 is invalid"),
    ("train published=3", "published=3 is invalid: it is a group of keys"),
    ("train seed=-1", "seed=-1 is invalid"),
    ("train order_seed=99999999999999999999", "order_seed=99999999999999999999 is invalid"),
    ("train confirm.seeds=[9007199254740992]", "confirm.seeds=[9007199254740992] is invalid"),
    ("train data.split_seed=99999999999999999999", "data.split_seed=99999999999999999999 is invalid"),
    ("train optimizer.lr=0", "optimizer.lr=0 is invalid: it must be a number above 0"),
    ("train optimizer.lr=nan", "optimizer.lr=nan is invalid"),
    ("train optimizer.lr=inf", "optimizer.lr=inf is invalid"),
    ("train model.dropout=1", "model.dropout=1 is invalid: it must be a number from 0 to below 1"),
    ("train data.poems=0", "data.poems=0 is invalid: it must be a whole number of at least 1, or null"),
    ("train data.batch_size=0", "data.batch_size=0 is invalid"),
    ("train data.train_fraction=1", "data.train_fraction=1 is invalid: it must be a number between 0 and 1"),
    ("train poems.lines=101", "poems.lines=101 is invalid: it must be a whole number from 1 to 100"),
    ("train trainer.threads=5000", "trainer.threads=5000 is invalid"),
    ("train cell=phased_lstm cell.r_on=0", "cell.r_on=0 is invalid"),
    ("train sweep.name=../x", "sweep.name=../x is invalid"),
    ("train cell=rnn init.forget_bias=1", "init.forget_bias=1 needs a forget gate"),
    ("train trainer.max_epochs=null", "nothing ends the run"),
    ("train trainer.give_up=true", "trainer.give_up=true needs corpus.primary.hopeless"),
    ("train data.split=fixed", "data.split=fixed needs data.pool and data.dev_poems"),
    ("train data.max_chars=10", "data.max_chars=10 is below data.min_chars=20"),
    ("train model.tie_weights=true model.embed_size=8", "model.tie_weights=true needs"),
    ("train corpus=palindromes data=poems", "this corpus goes with data=stream"),
    ("train cell=numpy_lstm optimizer=adamw", "cell=numpy_lstm has no optimizer AdamW"),
    ("train cell=numpy_lstm model.layers=2", "cell=numpy_lstm does not support model.layers=2"),
]
GRAMMAR = [
    ("train optimizer", "cannot read 'optimizer': write key=value"),
    ("train adam sgd", "cannot read 'adam': write key=value"),
    ("train ''", "cannot read '': write key=value"),
    ("train optimizer:adam", "write key=value"),
    ("train optimizer==adam", "cannot read optimizer==adam"),
    (
        "train optimizer.betas=[0.9",
        "cannot read optimizer.betas=[0.9: every bracket and quote must be closed",
    ),
    ('train "seed=\'1"', "cannot read seed='1"),
    ("train optimizer=adam,", "cannot read optimizer=adam,"),
    ("train poems.starts=日", "Hydra wants such text in quotes, \"poems.starts='日'\""),
    ("train --optimizer=adam", "an override has no dashes, optimizer=adam"),
    ("train -optimizer.lr=1", "an override has no dashes, optimizer.lr=1"),
    ("train '+optimizer=adam'", "optimizer appears more than once"),
    ("train '~optimizer'", "optimizer=null is invalid: choose one of conf/optimizer/"),
    ("train '~seed'", "seed is missing"),
    ("train 'optimizer.lr=${nope}'", "optimizer.lr is invalid: Interpolation key 'nope' not found"),
    ("train 'seed=${seed}'", "seed is invalid: Recursive interpolation detected"),
    ("train 'optimizer.lr=${oc.env:NO_SUCH_NAME}'", "Environment variable 'NO_SUCH_NAME' not found"),
    ("train -m 'optimizer.lr=interval(0,1)'", "optimizer.lr=interval(0,1) is a continuous range"),
    ("train -m 'optimizer=glob(x*)'", "the sweep has no run"),
    ("train --cfg", "is followed by nothing"),
    ("train --config-name nope", "Cannot find primary config 'nope'"),
    ("train --config-dir nowhere", "nowhere' not found"),
]
FILES = [
    ("train corpus.root=nowhere", "nowhere/quantangshi/poet.tang.0.json is missing"),
    ("train corpus.root=letters.txt", "letters.txt/quantangshi/poet.tang.0.json is missing"),
    ("train corpus=book corpus.root=letters.txt", "grimms_fairy_tales.txt is missing or not a file"),
    ("train corpus=book corpus.path=no.txt", "no.txt is missing or not a file"),
    ("train corpus=book corpus.path=latin.txt", "is not UTF-8 (at byte 3)"),
    ("train corpus=book corpus.path=empty.txt", "holds no text: name another file"),
    ("train corpus=book corpus.name=hamlet", "corpus.name=hamlet is not a known book"),
    ("train corpus=sample model.pretrained_embeddings=no.txt", "no.txt does not exist: name a word-vector"),
    ("train corpus=sample model.pretrained_embeddings=garbage", "garbage"),
    ("train corpus=sample model.pretrained_embeddings=letters.txt", "letters.txt"),
]
YAML = [
    ("train --config-dir config optimizer=tab", "optimizer/tab.yaml, line 2, is not valid YAML: "),
    ("train --config-dir config optimizer=brace", "optimizer/brace.yaml, line 2, is not valid YAML"),
    ("train --config-dir config optimizer=twice", "found duplicate key lr"),
    ("train --config-dir config optimizer=code", "code.yaml, line 1, is not valid YAML"),
    ("train --config-dir config optimizer=nul", "nul.yaml is not valid YAML"),
    ("train --config-dir config optimizer=latin", "optimizer/latin.yaml is not UTF-8 (at byte 2)"),
    ("train --config-dir config optimizer=number", "optimizer/number.yaml: Invalid loaded object type: int"),
    (
        "train --config-dir config optimizer=list",
        "optimizer=[1, 2] is invalid: choose one of conf/optimizer/",
    ),
    ("train --config-dir config optimizer=empty", "optimizer"),
    ("train --config-dir config optimizer=defaults", "defaults must be a list"),
    ("train --config-dir config optimizer=nodefault", "Could not load 'optimizer/nope'"),
    ("train --config-dir config optimizer=header", "Too many components"),
    ("train --config-dir config optimizer=norate", "optimizer.lr is missing"),
    ("train --config-dir config sweeps=elsewhere", "sweeps=elsewhere is a sweep, not one run: add -m"),
    ("train sweeps=tab", "sweeps/tab.yaml, line 2, is not valid YAML"),
    ("train sweeps=list", "sweeps/list.yaml holds no keys"),
    ("train sweeps=latin", "sweeps/latin.yaml is not UTF-8"),
    ("train sweeps=empty", "sweeps/empty.yaml varies nothing"),
    ("train sweeps=fixed", "sweeps/fixed.yaml varies nothing"),
    ("train sweeps=listed", "In 'sweeps/listed': ConfigTypeError"),
    ("train sweeps=words", "hydra.sweeper.params is keys with their values, hydra.sweeper.grids a list"),
    ("train sweeps=misspelt", "unexpected keyword argument 'parms'"),
    ("train sweeps=unknown", "optimzer does not exist; did you mean optimizer?"),
]
OPTIMIZERS = [
    (
        "train corpus=sample optimizer._target_=torch.optim.Adan",
        "optimizer._target_=torch.optim.Adan does not exist; did you mean torch.optim.Adam?",
    ),
    ("train corpus=sample optimizer._target_=torch.optm.Adam", "did you mean torch.optim.Adam?"),
    ("train corpus=sample optimizer._target_=Adam", "did you mean torch.optim.Adam?"),
    ("train corpus=sample optimizer._target_=math.sqrt", "optimizer: "),
    ("train corpus=sample +optimizer.amsgradd=true", "did you mean optimizer.amsgrad?"),
    (
        "train corpus=sample scheduler=exponential scheduler._target_=torch.optim.lr_scheduler.ExponentalLR",
        "did you mean torch.optim.lr_scheduler.ExponentialLR?",
    ),
    ("train corpus=sample scheduler=exponential +scheduler.gama=1", "did you mean scheduler.gamma?"),
]
GENERATE = [
    ("generate 日", "日 does not exist: name a checkpoint or a run's folder"),
    ("generate garbage --form qijui", "--form qijui is invalid; did you mean qijue? there are: wujue, "),
    ("generate garbage --frm qijue", "--frm does not exist; did you mean --form?"),
    ("generate garbage --tones pinqi", "did you mean pingqi?"),
    ("generate garbage --format jsn", "did you mean json?"),
    ("generate garbage --script simple", "--script simple is invalid; "),
    ("generate garbage --chars five", "--chars five is invalid: it must be a whole number"),
    ("generate garbage --temperature hot", "--temperature hot is invalid: it must be a number"),
    ("generate garbage --chars", "--chars is followed by nothing"),
    ("generate garbage --chars 0", "--chars 0 is invalid: it must be from 1 to 100"),
    ("generate garbage --temperature -1", "--temperature -1.0 is invalid"),
    ("generate garbage --top-p 2", "--top-p 2.0 is invalid"),
    ("generate garbage --samples 9999", "--samples 9999 is invalid"),
    ("generate garbage --start 日 --starts 月", "--starts and --start exclude each other"),
    ("generate garbage --greedy --temperature 1", "exclude each other: leave one out"),
    ("generate garbage --beam 4 --temperature 1", "--beam does not sample, --temperature is for sampling"),
    ("generate garbage --keep 9 --samples 2", "--keep 9 is more than --samples 2"),
    ("generate garbage --form qijue --chars 5", "--form has its own characters and lines"),
    ("generate garbage --length 9 --lines 4", "--length is for running text, --lines is for poems"),
    ("generate garbage 日 月", "日 is one argument too many"),
    ("generate nowhere --start 日", "does not exist: name a checkpoint or a run's folder"),
    ("generate garbage --start 日", "holds no run with a best checkpoint"),
    ("generate letters.txt --start 日", "letters.txt"),
    ("generate binary --start 日", "binary"),
    ("generate empty.txt --start 日", "empty.txt"),
    ("generate garbage --start 日 --out letters.txt", "--out letters.txt exists already"),
    ("generate garbage --start 日 --out no/poem.txt", "does not exist, make it first"),
]
REPORTS = [
    ("report nowhere", "nowhere does not exist: name the folder of a sweep"),
    ("report letters.txt", "letters.txt is a file: name the folder of a sweep"),
    ("report garbage", "garbage holds no run that can be read"),
    ("report garbage/runs", "runs holds no run that can be read"),
    ("report garbage letters.txt --out both", "garbage holds no run that can be read"),
    ("report --wandb pubish", "--wandb pubish is invalid; did you mean publish?"),
    ("report --out both", "name its folder, outputs/NAME"),
    ("report --ot both", "--ot does not exist; did you mean --out?"),
    ("report", "holds no sweep: make one first"),
]
PORTS = [
    ("demo --port 99999", "--port 99999 is invalid: it must be from 0 to 65535"),
    ("demo --port -1", "--port -1 is invalid"),
    ("demo --port http", "--port http is invalid: it must be a whole number"),
    ("demo --prt 5", "--prt does not exist; did you mean --port?"),
]
FAST = [
    *TYPOS,
    *TYPES,
    *RANGES,
    *CONTRADICTIONS,
    *GRAMMAR,
    *FILES,
    *YAML,
    *OPTIMIZERS,
    *GENERATE,
    *REPORTS,
    *PORTS,
]
ALL = [*FAST, *MORE]

CONFIG_FILES = {
    "config/optimizer/tab": b"lr:\n\tx: 1\n",
    "config/optimizer/brace": b"{lr: 1\n",
    "config/optimizer/twice": b"lr: 1\nlr: 2\n",
    "config/optimizer/code": b"lr: !!python/object/apply:os.getcwd []\n",
    "config/optimizer/nul": b"\0\0",
    "config/optimizer/latin": "# é\nlr: 1\n".encode("latin-1"),
    "config/optimizer/number": b"5\n",
    "config/optimizer/list": b"- 1\n- 2\n",
    "config/optimizer/empty": b"",
    "config/optimizer/defaults": b"defaults: adam\nlr: 1\n",
    "config/optimizer/nodefault": b"defaults: [nope]\nlr: 1\n",
    "config/optimizer/header": b"# @package a b\nlr: 1\n",
    "config/optimizer/norate": b"_target_: torch.optim.SGD\n",
    "config/sweeps/elsewhere": b"# @package _global_\nhydra: {sweeper: {params: {seed: '0,1'}}}\n",
    "sweeps/tab": b"hydra:\n\tx: 1\n",
    "sweeps/list": b"- optimizer\n",
    "sweeps/latin": "# é\n".encode("latin-1"),
    "sweeps/empty": b"",
    "sweeps/fixed": b"optimizer: {lr: 0.1}\n",
    "sweeps/listed": b"hydra: {sweeper: {params: [optimizer]}}\n",
    "sweeps/words": b"hydra: {sweeper: {grids: [optimizer, seed]}}\n",
    "sweeps/misspelt": b"hydra: {sweeper: {parms: {optimizer: 'sgd,adam'}}}\n",
    "sweeps/unknown": b"hydra: {sweeper: {params: {optimzer: 'sgd,adam'}}}\n",
}
OTHER_FILES = {
    "letters.txt": b"letters\n",
    "empty.txt": b"",
    "latin.txt": "café ".encode("latin-1") * 50,
    "binary": bytes(range(256)),
    "garbage/notes.txt": b"notes\n",
    "garbage/runs/run/config.yaml": b"services: {web: {image: x}}\n",
    "garbage/runs/run/result.json": b'{"status": 1}\n',
    "garbage/runs/run/metrics.csv": b"\xff\n",
}


@pytest.fixture(autouse=True)
def files(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Wrong files of every kind; `sweeps=` reads home/sweeps."""
    named = {f"{name}.yaml": content for name, content in CONFIG_FILES.items()} | OTHER_FILES
    for name, content in named.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return sorted(home.rglob("*"))


def answer(run_command: RunCommand, line: str) -> str:
    """Return the one line with which a command ends."""
    status, out, err = run_command(line)
    assert status == 2, (out, err)
    [message] = err.splitlines()
    assert message.startswith("error: ")
    assert "Traceback" not in out
    assert "HYDRA_FULL_ERROR" not in err
    return message


def test_at_least_a_hundred_mistakes_are_tried() -> None:
    assert len({line for line, _ in ALL}) == len(ALL)
    assert len(FAST) > 100


@pytest.mark.parametrize(
    ("line", "complaint"),
    [pytest.param(*case, id=case[0], marks=[pytest.mark.slow] if case in MORE else []) for case in ALL],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    home: Path,
    files: list[Path],
    line: str,
    complaint: str,
    run_command: RunCommand,
    request: pytest.FixtureRequest,
) -> None:
    if (line, complaint) in YAML:
        request.getfixturevalue("own_sweeps")
    assert complaint in answer(run_command, line)
    written = [path for path in sorted(home.rglob("*")) if path not in files]
    assert not [path for path in written if (home / "data") not in (path, *path.parents)]


def test_a_home_that_is_a_file(home: Path, run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANGSWEEP_HOME", str(home / "letters.txt"))
    for line in ("train corpus=sample", "train -m seed=0,1 corpus=sample", "report", "generate x"):
        assert "letters.txt is no folder: name one" in answer(run_command, line)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_that_is_taken(run_command: RunCommand, taken_port: int) -> None:
    message = answer(run_command, f"demo --port {taken_port}")
    assert f"port {taken_port} cannot be had (Address already in use): name another with --port" in message
