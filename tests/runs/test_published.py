"""Published figures beside those of a run."""

from pathlib import Path

import pytest

from tangsweep.config.groups import PublishedOptions
from tangsweep.config.options import validate_group
from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.runs.published import (
    DIFFERENCES,
    RECORD_FIELDS,
    compare_with_published,
    format_published,
)
from tangsweep.runs.record import PublishedFigure
from tangsweep.runs.record_file import parse_record
from tests.conftest import configured

RECORD, _ = parse_record(
    {
        "status": "done",
        "corpus": {"vocabulary": 2558},
        "last": {"train_windows": {"loss": 0.998, "accuracy": 0.682}, "dev": {"perplexity": 9.0}},
        "dev": {"perplexity": 3.75, "nats_per_sequence": 130.0},
    }
)


def test_ours_stands_beside_each_published_figure() -> None:
    published = PublishedOptions(vocabulary=2558, train_windows_loss=1.2, dev_perplexity=4)
    assert format_published(compare_with_published(published, RECORD)) == (
        "published / ours: vocabulary 2,558 / 2,558, train_windows_loss 1.2 / 0.998, dev_perplexity 4 / 3.75"
    )


def test_what_leaves_the_published_setting_is_named_beside_the_figures() -> None:
    figures = {"dev_perplexity": PublishedFigure(published=90.0, ours=80.0)}
    own = ["experiment=tang_500", "seed=3", "sweep.name=x", "trainer.max_epochs=2", "data.poems=12"]
    assert format_published(figures, own) == (
        "published / ours: dev_perplexity 90 / 80; ours with trainer.max_epochs=2, data.poems=12"
    )
    assert format_published(figures, own[:3]) == "published / ours: dev_perplexity 90 / 80"


def test_a_run_without_scores() -> None:
    empty, _ = parse_record({"status": "diverged", "last": None, "dev": None})
    figures = compare_with_published(PublishedOptions(train_windows_loss=1.2, dev_perplexity=90), empty)
    assert {figure.ours for figure in figures.values()} == {None}
    assert "train_windows_loss 1.2 / none" in format_published(figures)


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "conf" / "experiment").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_published_figure_has_a_field_of_the_record(path: Path) -> None:
    values = configured(f"experiment={path.stem}")["published"]
    validate_group(PublishedOptions, values, "published")
    assert set(values) <= {*RECORD_FIELDS, DIFFERENCES}
    assert not values or values[DIFFERENCES]  # no figure without how its setting differs


def test_every_figure_that_may_be_published_has_a_field_of_the_record() -> None:
    assert set(PublishedOptions.model_fields) == {*RECORD_FIELDS, DIFFERENCES}


def test_a_figure_that_no_record_has() -> None:
    with pytest.raises(UserError, match=r"published\.beauty does not exist"):
        validate_group(PublishedOptions, {"beauty": 1}, "published")
    with pytest.raises(UserError, match=r"published\.vocabulary=many is invalid: it must be a number"):
        validate_group(PublishedOptions, {"vocabulary": "many"}, "published")


def test_figures_that_are_no_numbers_are_shown() -> None:
    figures = {"dev_perplexity": PublishedFigure(published=90.0, ours=float("inf"))}
    assert format_published(figures).endswith("90 / inf")
