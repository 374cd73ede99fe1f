"""Learning-rate schedules that torch does not have; conf/scheduler/ names them."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

SHAPES = ("cosine", "linear")


def warmup_decay(
    optimizer: Optimizer, steps: int, warmup_steps: int = 200, shape: str = "cosine", end: float = 0.0
) -> LambdaLR:
    """Return a schedule that is stepped with the optimizer: a linear rise, then a fall to `end` times lr.

    The rate of step t, from 0, is lr · (t + 1) / `warmup_steps` while that is below lr; from there it falls
    over the rest of `steps`, as half a cosine (Loshchilov and Hutter 2017) or in a straight line. A run that
    is shorter than the rise never reaches lr. Raises ValueError for other shapes and numbers out of range.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape={shape} does not exist; there are: {', '.join(SHAPES)}")
    if warmup_steps < 0 or steps < 1 or not 0 <= end <= 1:
        raise ValueError("warmup_steps must be at least 0, steps at least 1, and end from 0 to 1")

    def factor(step: int) -> float:
        if step + 1 < warmup_steps:
            return (step + 1) / warmup_steps
        progress = min(1.0, (step + 1 - warmup_steps) / max(1, steps - warmup_steps))
        fall = (1 + math.cos(math.pi * progress)) / 2 if shape == "cosine" else 1 - progress
        return end + (1 - end) * fall

    return LambdaLR(optimizer, factor)
