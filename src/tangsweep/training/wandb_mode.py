"""Whether runs go to W&B's servers: offline unless somebody says otherwise."""

import contextlib
import io
import os

from tangsweep.errors import UserError, first_line

MODES = ("online", "offline", "disabled")


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
