"""Products are what they should be, by whomever they are computed, and no setting is left behind."""

import pytest
import torch

from tangsweep import gemm


@pytest.fixture(params=[True, False], ids=["onednn", "default"])
def routed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Every product as a large one, on a machine that prefers oneDNN and on one that does not."""
    monkeypatch.setattr(gemm, "LARGE", 1)
    monkeypatch.setattr(gemm, "onednn", lambda: request.param)
    return request.param


def test_values(routed: bool) -> None:
    a, b, bias = torch.randn(64, 70), torch.randn(80, 70).t(), torch.randn(80)
    exact = a.double() @ b.double()
    out = torch.ones(64, 80)
    for ours, theirs in (
        (gemm.product(a, b), exact),
        (gemm.product(a, b, bias), exact + bias),
        (gemm.product(a, b, bias, out=torch.empty(64, 80)), exact + bias),
        (gemm.product(a, b, out=out, add=True), exact + 1),
        (gemm.product(b.t(), a.t()), exact.t()),
    ):
        assert ((ours - theirs).norm() / theirs.norm()).item() < gemm.ACCURATE
    assert out.data_ptr() == gemm.product(a, b, out=out).data_ptr()
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_wrong_shape_leaves_no_setting_behind(routed: bool) -> None:
    with pytest.raises(RuntimeError):
        gemm.product(torch.randn(3, 4), torch.randn(5, 6))
    assert torch.get_float32_matmul_precision() == "highest"


def test_lower_precision_rounds_the_factors_and_keeps_the_type() -> None:
    a, b, bias = torch.randn(9, 8), torch.randn(8, 7), torch.randn(7)
    low = torch.bfloat16
    exact = (a.to(low) @ b.to(low)).float()
    torch.testing.assert_close(gemm.product(a, b, precision=low), exact)
    torch.testing.assert_close(gemm.product(a, b, bias, precision=low), exact + bias)
    out = torch.ones(9, 7)
    torch.testing.assert_close(gemm.product(a, b, out=out, add=True, precision=low), exact + 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert gemm.precision(a) == low
    assert gemm.precision(a) == torch.float32


def test_where_sums_are_not_of_single_precision_nothing_is_routed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemm, "_processor", lambda: "AuthenticAMD")
    monkeypatch.setattr(gemm, "_error", lambda: 1e-3)
    gemm.onednn.cache_clear()
    assert not gemm.onednn()
    assert gemm.path(torch.device("cpu"), torch.float32) == "default"
    gemm.onednn.cache_clear()


def test_the_error_is_measured() -> None:
    assert 1e-8 < gemm._error() < 1e-2
    assert gemm.path(torch.device("cpu"), torch.float64) == "default"
