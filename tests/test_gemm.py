"""Products are what they should be, by whomever they are computed, and no setting is left behind."""

import pytest
import torch

from tangsweep.kernels import matmul


@pytest.fixture(params=[True, False], ids=["onednn", "default"])
def routed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Every product as a large one, on a machine that prefers oneDNN and on one that does not."""
    monkeypatch.setattr(matmul, "LARGE", 1)
    monkeypatch.setattr(matmul, "onednn", lambda: request.param)
    return request.param


def test_values(routed: bool) -> None:
    a, b, bias = torch.randn(64, 70), torch.randn(80, 70).t(), torch.randn(80)
    exact = a.double() @ b.double()
    out = torch.ones(64, 80)
    for ours, theirs in (
        (matmul.product(a, b), exact),
        (matmul.product(a, b, bias), exact + bias),
        (matmul.product(a, b, bias, out=torch.empty(64, 80)), exact + bias),
        (matmul.product(a, b, out=out, add=True), exact + 1),
        (matmul.product(b.t(), a.t()), exact.t()),
    ):
        assert ((ours - theirs).norm() / theirs.norm()).item() < matmul.ACCURATE
    assert out.data_ptr() == matmul.product(a, b, out=out).data_ptr()
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_wrong_shape_leaves_no_setting_behind(routed: bool) -> None:
    with pytest.raises(RuntimeError):
        matmul.product(torch.randn(3, 4), torch.randn(5, 6))
    assert torch.get_float32_matmul_precision() == "highest"


def test_lower_precision_rounds_the_factors_and_keeps_the_type() -> None:
    a, b, bias = torch.randn(9, 8), torch.randn(8, 7), torch.randn(7)
    low = torch.bfloat16
    exact = (a.to(low) @ b.to(low)).float()
    torch.testing.assert_close(matmul.product(a, b, precision=low), exact)
    torch.testing.assert_close(matmul.product(a, b, bias, precision=low), exact + bias)
    out = torch.ones(9, 7)
    torch.testing.assert_close(matmul.product(a, b, out=out, add=True, precision=low), exact + 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert matmul.precision(a) == low
    assert matmul.precision(a) == torch.float32


def test_where_sums_are_not_of_single_precision_nothing_is_routed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "_processor", lambda: "AuthenticAMD")
    monkeypatch.setattr(matmul, "_error", lambda: 1e-3)
    matmul.onednn.cache_clear()
    assert not matmul.onednn()
    assert matmul.path(torch.device("cpu"), torch.float32) == "default"
    matmul.onednn.cache_clear()


def test_the_error_is_measured() -> None:
    assert 1e-8 < matmul._error() < 1e-2
    assert matmul.path(torch.device("cpu"), torch.float64) == "default"
