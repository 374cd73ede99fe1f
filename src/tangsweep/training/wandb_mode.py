"""Whether runs go to W&B's servers: offline unless somebody says otherwise."""

import contextlib
import io
import os

from tangsweep.errors import UserError, first_line

MODES = ("online", "offline", "disabled")


def chosen(configured: str | None) -> str:
    """The config's word, else WANDB_MODE, else offline: no account is needed.

    Raises UserError for a mode that W&B does not have.
    """
    mode = configured or os.environ.get("WANDB_MODE") or "offline"
    if mode not in MODES:
        raise UserError(f"logger.mode or WANDB_MODE is {mode}: it must be one of {', '.join(MODES)}")
    return mode


def check_account(wanted: str) -> None:
    """Raises UserError, which begins with what `wanted` it, where W&B does not let this user in."""
    import wandb

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            known, reason = wandb.login(prompt=False), "no key is known here"
    except Exception as error:  # the server refuses, or cannot be reached
        known, reason = False, first_line(error)
    if not known:
        raise UserError(f"{wanted}, but {reason}: run `wandb login`, or stay offline")
