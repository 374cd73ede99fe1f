import pytest

from tangsweep import places
from tangsweep.runs import published
from tests.conftest import configured

RESULT = {
    "corpus": {"vocabulary": 2558},
    "last": {"train": {"loss": 0.998, "accuracy": 0.682, "perplexity": 2.7}, "dev": {"perplexity": 9.0}},
    "dev": {"perplexity": 3.75, "nats_per_sequence": 130.0},
}


def test_ours_stands_beside_each_published_figure() -> None:
    figures = published.beside({"vocabulary": 2558, "train_loss": 1.2, "dev_perplexity": 4}, RESULT)
    assert published.line(figures) == (
        "published / ours: vocabulary 2,558 / 2,558, train_loss 1.2 / 0.998, dev_perplexity 4 / 3.75"
    )


def test_a_run_without_scores() -> None:
    figures = published.beside({"train_loss": 1.2, "dev_perplexity": 90}, {"last": None, "dev": None})
    assert {f["ours"] for f in figures.values()} == {None}
    assert "train_loss 1.2 / none" in published.line(figures)


@pytest.mark.parametrize(
    "path", sorted((places.REPOSITORY / "conf" / "experiment").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_published_figure_has_its_place(path) -> None:  # type: ignore[no-untyped-def]
    assert set(configured(f"experiment={path.stem}")["published"]) <= set(published.WHERE)
