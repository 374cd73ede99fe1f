"""Products have the right values, whichever library computes them, and no setting is left behind."""

import pytest
import torch

from tangsweep.kernels import matmul


@pytest.fixture(params=[True, False], ids=["onednn", "default"])
def any_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Every product as a large one, on a machine that prefers oneDNN and on one that does not."""
    monkeypatch.setattr(matmul, "MIN_OPERATIONS", 1)
    monkeypatch.setattr(matmul, "uses_onednn", lambda: request.param)
    return request.param


def test_values(any_library: bool) -> None:
    a, b, bias = torch.randn(64, 70), torch.randn(80, 70).t(), torch.randn(80)
    exact = a.double() @ b.double()
    out = torch.ones(64, 80)
    for ours, theirs in (
        (matmul.matmul(a, b), exact),
        (matmul.matmul(a, b, bias), exact + bias),
        (matmul.matmul(a, b, bias, out=torch.empty(64, 80)), exact + bias),
        (matmul.matmul(a, b, out=out, add=True), exact + 1),
        (matmul.matmul(b.t(), a.t()), exact.t()),
    ):
        assert ((ours - theirs).norm() / theirs.norm()).item() < matmul.MAX_ERROR
    assert out.data_ptr() == matmul.matmul(a, b, out=out).data_ptr()
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_wrong_shape_leaves_no_setting_behind(any_library: bool) -> None:
    with pytest.raises(RuntimeError):
        matmul.matmul(torch.randn(3, 4), torch.randn(5, 6))
    assert torch.get_float32_matmul_precision() == "highest"


def test_lower_precision_rounds_the_factors_and_keeps_the_type() -> None:
    a, b, bias = torch.randn(9, 8), torch.randn(8, 7), torch.randn(7)
    low = torch.bfloat16
    exact = (a.to(low) @ b.to(low)).float()
    torch.testing.assert_close(matmul.matmul(a, b, precision=low), exact)
    torch.testing.assert_close(matmul.matmul(a, b, bias, precision=low), exact + bias)
    out = torch.ones(9, 7)
    torch.testing.assert_close(matmul.matmul(a, b, out=out, add=True, precision=low), exact + 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert matmul.matmul_dtype(a) == low
    assert matmul.matmul_dtype(a) == torch.float32


def test_onednn_is_not_used_where_it_is_inaccurate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "is_intel", lambda: False)
    monkeypatch.setattr(matmul, "_largest_error", lambda: 1e-3)
    matmul.uses_onednn.cache_clear()
    assert not matmul.uses_onednn()
    assert matmul.matmul_backend(torch.device("cpu"), torch.float32) == "default"
    matmul.uses_onednn.cache_clear()


def test_the_error_is_measured() -> None:
    assert 1e-8 < matmul._largest_error() < 1e-2
    assert matmul.matmul_backend(torch.device("cpu"), torch.float64) == "default"
