"""Which mirrors a run has, and whether they can be had; W&B is offline unless somebody says otherwise."""

import contextlib
import io
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import yaml

from tangsweep.config.run_config import AnyConfig
from tangsweep.errors import UserError, did_you_mean, first_line
from tangsweep.files import CONFIG_FOLDER

OWN_MIRRORS = (
    "tangsweep.training.wandb_mirror.WandbMirror",
    "tangsweep.training.tensorboard_mirror.TensorboardMirror",
)
MODES = ("online", "offline", "disabled")


def mirror_settings(config: AnyConfig) -> list[dict[str, Any]]:
    """Return what each mirror is instantiated from: `logger`, and the files that `logger.also` names.

    Raises UserError where there is no such file.
    """
    settings = [dict(config.plain["logger"])]
    files = {path.stem: path for path in (CONFIG_FOLDER / "logger").glob("*.yaml")}
    for name in config.logger.also:
        if name not in files:
            names = ", ".join(sorted(files))
            raise UserError(
                f"logger.also={name} does not exist; {did_you_mean(name, files)}there are: {names}"
            )
        settings.append(yaml.safe_load(files[name].read_text(encoding="utf-8")))
    named = [{key: value for key, value in s.items() if key != "also"} for s in settings]
    return list({s["_target_"]: s for s in named if s["_target_"] is not None}.values())


def mirror_name(settings: Mapping[str, object]) -> str:
    """Return the name of a mirror in messages and records: wandb, tensorboard."""
    return str(settings["_target_"]).rpartition(".")[2].removesuffix("Mirror").lower()


def check_mirror(settings: Mapping[str, Any]) -> None:
    """Raise UserError where a mirror cannot be had: its class, W&B's account, TensorBoard's package."""
    _check_class(str(settings["_target_"]))
    if settings["_target_"].endswith(".WandbMirror") and wandb_mode(settings.get("mode")) == "online":
        check_account("W&B is set to online")
    if settings["_target_"].endswith(".TensorboardMirror") and find_spec("tensorboard") is None:
        raise UserError(
            "logger=tensorboard needs TensorBoard: pip install -c constraints.txt -e '.[tensorboard]'"
        )


def _check_class(target: str) -> None:
    """Raise UserError where `logger._target_` names no mirror."""
    if target in OWN_MIRRORS:  # need no look, and W&B takes long to import
        return
    mirror, (module, _, name) = None, target.rpartition(".")
    with contextlib.suppress(Exception):  # of whatever is imported here; Hydra's get_object would print it
        mirror = getattr(import_module(module), name)
    methods = ("replay", "log", "log_table", "summarize", "finish")
    if not all(callable(getattr(mirror, method, None)) for method in methods):
        names = ", ".join(sorted(path.stem for path in (CONFIG_FOLDER / "logger").glob("*.yaml")))
        raise UserError(
            f"logger._target_={target} is no mirror, which has the methods {', '.join(methods)}: choose one "
            f"of conf/logger/ instead ({names})"
        )


def wandb_mode(configured: str | None) -> str:
    """Return the configured mode, else WANDB_MODE, else offline, which needs no account.

    Raises UserError for a mode that W&B does not have.
    """
    mode = configured or os.environ.get("WANDB_MODE") or "offline"
    if mode not in MODES:
        raise UserError(f"logger.mode or WANDB_MODE is {mode}: it must be one of {', '.join(MODES)}")
    return mode


def check_account(purpose: str) -> None:
    """Raise UserError, which begins with the `purpose`, where W&B does not let this user in."""
    import wandb

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            logged_in, reason = wandb.login(prompt=False), "no key is known here"
    except Exception as error:  # the server refuses, or cannot be reached
        logged_in, reason = False, first_line(error)
    if not logged_in:
        raise UserError(f"{purpose}, but {reason}: run `wandb login`, or stay offline")
