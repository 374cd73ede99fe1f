"""`src/report.py FOLDER --optuna FILE`: a search as Optuna studies, for optuna-dashboard.

Each value that is compared is a study of its own. The file is made anew each time: Optuna's journal cannot be
read any more once a line was torn, so no search lives in one.
"""

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tangsweep.errors import UserError
from tangsweep.files import display_path
from tangsweep.runs.search_log import FILE_NAME, Step, read_search
from tangsweep.sweep.proposals import check_optuna, make_study
from tangsweep.sweep.search_state import SearchState

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

ENDED_EPOCH = 1_000_000  # Optuna's step of a value at a run's end: after every pause


def export_search(sweep: Path, path: Path) -> list[str]:
    """Write the studies of a sweep's search to a new file, and return their names.

    Raises UserError where the sweep was no search, and where Optuna is not installed or the file cannot be
    written.
    """
    check_optuna("tpe")
    if not (sweep / FILE_NAME).exists():
        raise UserError(f"--optuna: {display_path(sweep)} is of no search: it holds no {FILE_NAME}")
    header, lines = read_search(sweep / FILE_NAME)
    if header is None:
        raise UserError(f"--optuna: {display_path(sweep / FILE_NAME)} holds no decision yet")
    try:
        state = SearchState.from_header(header, trials=1)
    except (KeyError, ValueError):
        raise UserError(f"--optuna: {display_path(sweep / FILE_NAME)} is damaged in line 1") from None
    for line in lines:
        state.add_line(line)
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its journal experimental
        try:
            storage = JournalStorage(JournalFileBackend(str(path)))
            return [_export_arm(state, name, f"{sweep.name} {name}", storage) for name in state.arms]
        except OSError as error:
            raise UserError(
                f"--optuna {path} cannot be written ({error.strerror}): name another file"
            ) from None


def _export_arm(state: SearchState, name: str, study_name: str, storage: "JournalStorage") -> str:
    """Write one study; settings that are paused are pruned trials with their values at each pause."""
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name=study_name, storage=storage)
    past = state.past_trials(name)
    for trial, frozen in zip(state.trials_of(name), make_study(state.arms[name], past).trials, strict=True):
        rungs = state.ladders[name]
        values = {rung: state.value_at(Step(trial, rung)) for rung in range(len(rungs))}
        reached = {
            rung: value for rung, value in values.items() if value is not None and math.isfinite(value)
        }
        for rung, value in reached.items():
            frozen.intermediate_values[rungs[rung].epochs or ENDED_EPOCH + rung] = value
        is_paused = bool(reached) and rungs[max(reached)].epochs is not None
        if is_paused and frozen.state is TrialState.COMPLETE:
            frozen.state, frozen.values = TrialState.PRUNED, None
        frozen.set_user_attr("overrides", " ".join(state.settings[trial].overrides()))
        study.add_trial(frozen)
    return study_name
