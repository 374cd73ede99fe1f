import pytest

from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.runs import published
from tests.conftest import configured

RESULT = {
    "corpus": {"vocabulary": 2558},
    "last": {"train_windows": {"loss": 0.998, "accuracy": 0.682}, "dev": {"perplexity": 9.0}},
    "dev": {"perplexity": 3.75, "nats_per_sequence": 130.0},
}


def test_ours_stands_beside_each_published_figure() -> None:
    figures = published.beside({"vocabulary": 2558, "train_windows_loss": 1.2, "dev_perplexity": 4}, RESULT)
    assert published.line(figures) == (
        "published / ours: vocabulary 2,558 / 2,558, train_windows_loss 1.2 / 0.998, dev_perplexity 4 / 3.75"
    )


def test_a_run_without_scores() -> None:
    figures = published.beside({"train_windows_loss": 1.2, "dev_perplexity": 90}, {"last": None, "dev": None})
    assert {f["ours"] for f in figures.values()} == {None}
    assert "train_windows_loss 1.2 / none" in published.line(figures)


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "conf" / "experiment").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_published_figure_has_its_place(path) -> None:  # type: ignore[no-untyped-def]
    named = configured(f"experiment={path.stem}")["published"]
    published.check(named)
    assert set(named) <= {*published.WHERE, published.DIFFERENCES}
    assert not named or named[published.DIFFERENCES]  # no figure without how its setting differs


def test_a_figure_that_no_record_has() -> None:
    with pytest.raises(UserError, match=r"published\.beauty is no figure"):
        published.check({"beauty": 1})
    with pytest.raises(UserError, match=r"published\.vocabulary=many makes no sense: it must be a number"):
        published.check({"vocabulary": "many"})


def test_figures_that_are_no_numbers_are_shown() -> None:
    figures = {"dev_perplexity": {"published": 90.0, "ours": float("inf")}}
    assert published.line(figures).endswith("90 / inf")
