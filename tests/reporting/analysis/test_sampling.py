"""The interval of a loss over other seeds and other texts: by hand, and by simulated sweeps."""

import itertools
import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tangsweep.reporting.analysis.sampling import (
    MIN_AUTHORS,
    Advice,
    LossSample,
    Units,
    advise,
    sample_loss,
    satterthwaite,
)
from tangsweep.reporting.analysis.statistics import (
    PRELIMINARY_TEST_FACTOR,
    TextVariances,
    compare_groups,
    confidence_interval,
)

T1, T2, T4 = 12.706204736432095, 4.302652729911275, 2.7764451051977987  # 97.5 % quantiles of Student's t


def single(*characters: int) -> Units:
    """Units that are one document each."""
    return Units.of_documents(np.array(characters), np.full(len(characters), ""))


class TestUnits:
    def poets(self, count: int) -> np.ndarray:
        """The poets of fifty documents, in turn."""
        return np.array([f"poet {number % count}" for number in range(50)])

    def test_twenty_poets_are_units(self) -> None:
        characters = np.arange(20, 70)
        units = Units.of_documents(characters, self.poets(20))
        assert MIN_AUTHORS == 20
        assert (units.units, units.kind) == (20, "poets")
        assert units.characters.tolist() == characters.tolist()
        for one, other in itertools.product(range(50), repeat=2):
            assert (units.number[one] == units.number[other]) == (one % 20 == other % 20)
        assert sorted(set(units.number.tolist())) == list(range(20))

    def test_nineteen_poets_are_not(self) -> None:
        units = Units.of_documents(np.arange(20, 70), self.poets(19))
        assert (units.units, units.kind, units.number.tolist()) == (50, "documents", list(range(50)))

    def test_nor_are_they_where_a_poet_is_unknown(self) -> None:
        authors = self.poets(30)
        assert Units.of_documents(np.arange(20, 70), authors).kind == "poets"
        authors[7] = ""
        assert Units.of_documents(np.arange(20, 70), authors)[2:] == (50, "documents")
        assert Units.of_documents(np.arange(20, 70), np.full(50, ""))[2:] == (50, "documents")


class TestVariances:
    def test_one_seed_by_hand(self) -> None:
        """Loss 120/40 = 3; residuals 20 − 30 and 100 − 90; variance 2/1 · 200/1600."""
        sample = sample_loss(np.array([[20.0, 100.0]]), single(10, 30))
        assert sample == LossSample(3.0, 0.0, 1, 0.25, 2)

    def test_two_seeds_by_hand(self) -> None:
        """Losses 3 and 4; mean nats 25 and 115 against 3.5 per character: residuals −10 and 10."""
        sample = sample_loss(np.array([[20.0, 100.0], [30.0, 130.0]]), single(10, 30))
        assert sample == LossSample(3.5, 0.25, 2, 0.25, 2)
        assert sample.degrees_of_freedom == 2.0

    def test_documents_of_a_unit_are_summed_before_they_are_squared(self) -> None:
        """Residuals of the two units are 1 + 2 = 3 and −4 + 1 = −3, of four documents they are 1, 2, −4, 1."""
        characters, nats = np.array([10, 10, 10, 10]), np.array([[31.0, 32.0, 26.0, 31.0]])
        paired = Units(characters.astype(float), np.array([0, 0, 1, 1]), 2, "poets")
        assert sample_loss(nats, paired) == LossSample(3.0, 0.0, 1, 2 / 1 * 18 / 1600, 2)
        alone = sample_loss(nats, single(10, 10, 10, 10))
        assert alone == LossSample(3.0, 0.0, 1, pytest.approx(4 / 3 * 22 / 1600), 4)

    @pytest.mark.parametrize("poets", [19, 20, 33])
    @pytest.mark.parametrize("seeds", [1, 2, 7])
    @pytest.mark.parametrize("kind", ["losses", "differences"])
    def test_equals_the_formula_in_plain_loops(self, poets: int, seeds: int, kind: str) -> None:
        random = np.random.default_rng(poets * 100 + seeds)
        characters = random.integers(5, 90, 60)
        authors = [f"poet {number}" for number in [*range(poets), *random.integers(0, poets, 60 - poets)]]
        nats = random.gamma(2.0, 3.0, (seeds, 60)) * characters
        if kind == "differences":
            nats -= random.gamma(2.0, 3.0, (seeds, 60)) * characters
        sample = sample_loss(nats, Units.of_documents(characters, np.array(authors)))

        units = sorted(set(authors)) if poets >= 20 else list(range(60))
        unit_of = authors if poets >= 20 else list(range(60))
        total = sum(int(count) for count in characters)
        losses = [sum(float(x) for x in row) / total for row in nats]
        mean = sum(losses) / seeds
        squares = 0.0
        for unit in units:
            residual = 0.0
            for document in range(60):
                if unit_of[document] == unit:
                    of_document = sum(float(nats[seed, document]) for seed in range(seeds)) / seeds
                    residual += of_document - mean * int(characters[document])
            squares += residual**2
        text = len(units) / (len(units) - 1) * squares / total**2
        spread = sum((loss - mean) ** 2 for loss in losses) / (seeds - 1) / seeds if seeds > 1 else 0.0
        assert (sample.seeds, sample.units) == (seeds, len(units))
        assert sample.mean == pytest.approx(mean, rel=1e-12)
        assert sample.text_variance == pytest.approx(text, rel=1e-10)
        assert sample.seed_variance == pytest.approx(spread, rel=1e-9)

    def test_it_is_the_variance_of_a_ratio_that_is_drawn_again(self) -> None:
        """Against the variance of the loss over 4,000 sets of 300 documents."""
        random = np.random.default_rng(2)
        drawn = [
            sample_loss((count * random.gamma(2.0, 1.0, 300))[None, :], single(*count))
            for count in random.integers(20, 121, (4000, 300))
        ]
        variance = np.var([sample.mean for sample in drawn])
        assert np.mean([sample.text_variance for sample in drawn]) == pytest.approx(variance, rel=0.08)


class TestDegreesOfFreedom:
    @pytest.mark.parametrize(
        ("parts", "expected"),
        [
            ([(1.0, 2), (1.0, 2)], 4.0),
            ([(4.0, 3), (1.0, 1)], 75 / 19),  # 25 / (16/3 + 1)
            ([(2.0, 7), (0.0, 1)], 7.0),
            ([(0.0, 4), (3.0, 499)], 499.0),
            ([(1.0, 4), (2.0, 9), (3.0, 19)], 36 / (1 / 4 + 4 / 9 + 9 / 19)),
            ([(0.0, 4), (0.0, 9)], 9.0),
        ],
    )
    def test_by_hand(self, parts: list[tuple[float, float]], expected: float) -> None:
        assert satterthwaite(*parts) == pytest.approx(expected)

    def test_of_a_loss_they_are_of_seeds_and_of_units(self) -> None:
        assert LossSample(5.0, 4.0, 4, 1.0, 2).degrees_of_freedom == pytest.approx(75 / 19)
        assert LossSample(5.0, 0.0, 1, 3.0, 500).degrees_of_freedom == 499.0
        assert LossSample(5.0, 2.0, 5, 0.0, 500).degrees_of_freedom == 4.0


class TestIntervals:
    def test_of_one_seed_is_over_texts_alone(self) -> None:
        sample = sample_loss(np.array([[20.0, 100.0, 60.0]]), single(10, 30, 20))
        assert sample.interval is not None
        by_hand = T2 * math.sqrt(3 / 2 * (10**2 + 10**2) / 60**2)
        assert (sample.interval.mean, sample.interval.n) == (3.0, 1)
        assert sample.interval.half == pytest.approx(by_hand)

    def test_of_several_seeds_adds_the_variances(self) -> None:
        interval = LossSample(5.0, 0.04, 5, 0.0, 300).interval
        assert interval is not None
        assert interval == (5.0, pytest.approx(T4 * 0.2), 5)
        both = LossSample(5.0, 0.02, 3, 0.04, 2).interval  # 0.06² / (0.02²/2 + 0.04²/1) = 2 degrees
        assert both == (5.0, pytest.approx(4.302652729749464 * math.sqrt(0.06)), 3)
        # With 3 degrees it would be narrower than over seeds alone, as if texts made it surer.
        guarded = LossSample(5.0, 0.04, 3, 0.02, 2).interval
        assert guarded == (5.0, pytest.approx(4.302652729749464 * 0.2), 3)

    def test_it_is_at_least_as_wide_as_that_over_seeds_by_hand(self) -> None:
        """With 2 degrees of freedom it would be 4.30 · √0.5 = 3.0; over seeds it is 12.7 · 0.5 = 6.4."""
        interval = LossSample(3.5, 0.25, 2, 0.25, 2).interval
        assert interval is not None and interval.half == pytest.approx(T1 * 0.5)
        three = LossSample(3.5, 0.25, 3, 0.25, 3).interval
        assert three is not None and three.half == pytest.approx(T2 * 0.5)  # and not T4 · √0.5
        text_alone = LossSample(3.5, 0.25, 2, 100.0, 500).interval
        assert text_alone is not None and text_alone.half == pytest.approx(
            1.9647 * math.sqrt(100.25), rel=1e-3
        )

    @given(
        losses=st.lists(st.floats(1, 9, allow_subnormal=False), min_size=2, max_size=2),
        text=st.floats(0, 2, allow_subnormal=False),
        units=st.integers(2, 600),
    )
    def test_of_two_seeds_is_at_least_as_wide_as_that_over_seeds(
        self, losses: list[float], text: float, units: int
    ) -> None:
        over_seeds = confidence_interval(losses)
        assert over_seeds is not None and over_seeds.half is not None
        sample = LossSample(over_seeds.mean, float(np.var(losses, ddof=1)) / 2, 2, text, units)
        assert sample.interval is not None and sample.interval.half is not None
        assert sample.interval.half >= over_seeds.half * (1 - 1e-9)

    def test_none_is_made_up(self) -> None:
        single_unit = sample_loss(np.array([[30.0], [40.0]]), single(10))
        assert single_unit.interval is None
        assert (single_unit.mean, single_unit.text_variance) == (3.5, math.inf)
        assert LossSample(0.0, 0.0, 3, 0.0, 9).interval == (0.0, 0.0, 3)


class TestAdvice:
    def test_seeds_alone_by_hand(self) -> None:
        """δ = 1 and S_s² = 2.2: 11 seeds need 2.228² · 2.2 = 10.92, and 10 would need 2.262² · 2.2 = 11.26."""
        difference = LossSample(1.0, 2.2 / 5, 5, 0.0, 500)
        assert advise(difference) == Advice(11, 1.0)
        assert advise(difference._replace(mean=-1.0)) == Advice(11, 1.0)

    def test_texts_take_their_part_of_the_difference(self) -> None:
        """S_d²/m = 0.1: 18 seeds need 2.110² · 2.2 / (1 − 2.110² · 0.1) = 17.7, and 17 would need 18.0."""
        assert advise(LossSample(1.0, 2.2 / 5, 5, 0.1, 500)) == Advice(18, 1.0)
        assert enough(18, 1.0, 2.2, 0.1) and not enough(17, 1.0, 2.2, 0.1)

    def test_no_number_of_seeds_is_enough_where_texts_alone_hide_the_difference(self) -> None:
        """1.96² · 0.5 = 1.92 times the squared difference: so many times as many documents."""
        assert advise(LossSample(1.0, 0.2, 5, 0.5, 500)) == Advice(None, pytest.approx(1.9207294103470678))
        assert advise(LossSample(2.0, 0.2, 5, 4.0, 500)) == Advice(None, pytest.approx(3.8414588206941356))

    def test_none_where_there_is_no_difference_or_no_spread(self) -> None:
        assert advise(LossSample(0.0, 0.2, 5, 0.1, 500)) is None
        assert advise(LossSample(1.0, 0.0, 1, 0.1, 500)) is None
        assert advise(LossSample(1.0, 0.2, 5, math.inf, 1)) is None

    def test_two_seeds_at_least(self) -> None:
        assert advise(LossSample(1.0, 1e-9, 5, 1e-9, 500)) == Advice(2, 1.0)

    @pytest.mark.parametrize(
        ("difference", "least"),
        [
            (LossSample(1.0, 1 / 3, 3, 0.0, 500), 7),  # 6 would ask for 6.6
            (LossSample(2.0, 1 / 4, 4, 0.0, 500), 4),  # 5 would ask for 2, and 2 for 41
            (
                LossSample(1.0, 0.1, 2, 0.05, 500),
                5,
            ),  # with t of the two seeds that there are, no number would do
            (LossSample(1.0, 0.1, 3, 0.06, 500), 5),
        ],
    )
    def test_the_advised_number_is_the_least_that_is_enough(self, difference: LossSample, least: int) -> None:
        spread = difference.seed_variance * difference.seeds
        assert enough(least, difference.mean, spread, difference.text_variance)
        assert not enough(least - 1, difference.mean, spread, difference.text_variance)
        assert advise(difference) == Advice(least, 1.0)

    def test_so_it_is_for_every_difference(self) -> None:
        """Above fifty it may be 5 % more. Texts alone hide a difference where even infinitely many seeds would."""
        for mean, spread, text, seeds in itertools.product(
            (0.5, 1.0, 2.5), (0.01, 0.3, 1.0, 4.0), (0.0, 0.01, 0.05, 0.1, 0.5), (2, 3, 5, 10)
        ):
            case, advice = (
                (mean, spread, text, seeds),
                advise(LossSample(mean, spread / seeds, seeds, text, 500)),
            )
            assert advice is not None, case
            if advice.seeds is None:
                assert mean**2 <= float(stats.norm.ppf(0.975)) ** 2 * text, case
                assert advice.documents_factor > 1, case
            else:
                fewer = advice.seeds - 1 if advice.seeds <= 50 else math.floor(advice.seeds / 1.05) - 1
                assert enough(advice.seeds, mean, spread, text), case
                assert advice.seeds == 2 or not enough(fewer, mean, spread, text), case


def enough(seeds: int, mean: float, spread: float, text: float) -> bool:
    """Whether so many seeds fulfil n ≥ t² S_s² / (δ² − t² S_d²/m) with their own quantile."""
    t = float(stats.t.ppf(0.975, seeds - 1))
    room = mean**2 - t**2 * text
    return room > 0 and seeds >= t**2 * spread / room * (1 - 1e-9)


class Effects(NamedTuple):
    """Standard deviations of effects on a loss in nats per character."""

    document: float = 0.5  # skewed: a gamma distribution of shape 1/2
    group_document: float = 0.3  # of a group on a document
    seed: float = 0.02  # of a seed in all groups
    group_seed: float = 0.02
    seed_document: float = 0.2  # of a seed of a group on a document


LOSS, SHAPE = 5.0, 0.5


class Drawn(NamedTuple):
    """The nats of groups (groups, seeds, documents) on documents of so many characters."""

    nats: np.ndarray
    units: Units


def draw_sweep(
    random: np.random.Generator,
    groups: int,
    seeds: int,
    documents: int,
    effects: Effects,
    shifts: np.ndarray | float = 0.0,
) -> Drawn:
    """Draw a sweep whose true loss is LOSS + shift in every group.

    Documents have 20 to 120 characters. Their own effects are skewed, and larger on short documents: the loss
    is a ratio of expectations, and no mean of the documents' own losses.
    """
    characters = random.integers(20, 121, documents)
    skewed = (random.gamma(SHAPE, 1.0, documents) - SHAPE) / math.sqrt(SHAPE) * 70 / characters
    of_document = effects.document * skewed + effects.group_document * random.standard_normal(
        (groups, 1, documents)
    )
    of_seed = effects.seed * random.standard_normal((1, seeds, 1))
    of_both = effects.group_seed * random.standard_normal((groups, seeds, 1))
    rest = effects.seed_document * random.standard_normal((groups, seeds, documents))
    means = LOSS + np.broadcast_to(shifts, groups).reshape(groups, 1, 1)
    nats = characters * (means + of_document + of_seed + of_both + rest)
    return Drawn(nats, single(*characters))


def coverage(seeds: int, documents: int, effects: Effects = Effects()) -> float:  # noqa: B008
    """The share of 2,000 sweeps whose interval holds the true loss.

    That is E(nats) / E(characters) = LOSS: given its length, the mean effect of a document is zero.
    """
    random, draws = np.random.default_rng([seeds, documents]), 2000
    covered = 0
    for _ in range(draws):
        drawn = draw_sweep(random, 1, seeds, documents, effects)
        interval = sample_loss(drawn.nats[0], drawn.units).interval
        assert interval is not None and interval.low is not None and interval.high is not None
        covered += interval.low <= LOSS <= interval.high
    print(f"coverage with {seeds} seeds and {documents} documents: {covered / draws:.3f}")
    return covered / draws


@pytest.mark.slow
class TestCoverage:
    """Of 95 % intervals of skewed documents, over seeds and texts."""

    @pytest.mark.parametrize("seeds", [5, 10])
    def test_with_five_seeds_and_more_and_five_hundred_documents(self, seeds: int) -> None:
        assert coverage(seeds, 500) >= 0.93

    @pytest.mark.parametrize(
        ("seeds", "documents", "least"),
        [(1, 500, 0.93), (2, 500, 0.95), (3, 500, 0.93), (5, 100, 0.92), (5, 20, 0.91)],
    )
    def test_with_fewer_seeds_or_documents(self, seeds: int, documents: int, least: float) -> None:
        effects = Effects(seed=0.0, group_seed=0.0, seed_document=0.0) if seeds == 1 else Effects()
        assert coverage(seeds, documents, effects) >= least

    @pytest.mark.parametrize(("documents", "least"), [(500, 0.93), (100, 0.91), (20, 0.87)])
    def test_where_nothing_but_skewed_documents_matters(self, documents: int, least: float) -> None:
        few = Effects(document=1.0, group_document=0.0, seed=0.005, group_seed=0.0)
        assert coverage(5, documents, few) >= least

    @pytest.mark.parametrize("seeds", [2, 3, 5])
    def test_where_seeds_vary_more_than_texts(self, seeds: int) -> None:
        assert coverage(seeds, 500, Effects(document=0.1, group_document=0.0, seed=0.2)) >= 0.93

    def test_poets_whose_poems_are_alike(self) -> None:
        """Twenty-five poets of twenty poems each: as single documents they would cover far too seldom."""
        random, draws = np.random.default_rng(9), 2000
        authors = np.repeat([f"poet {number:02}" for number in range(25)], 20)
        covered = np.zeros(2)
        for _ in range(draws):
            characters = random.integers(20, 121, 500)
            effects = 0.3 * np.repeat(random.standard_normal(25), 20) + 0.3 * random.standard_normal(500)
            nats = characters * (LOSS + effects + 0.02 * random.standard_normal((5, 1)))
            for number, units in enumerate((Units.of_documents(characters, authors), single(*characters))):
                interval = sample_loss(nats, units).interval
                assert interval is not None and interval.half is not None
                covered[number] += abs(interval.mean - LOSS) <= interval.half
        print(f"coverage with 25 poets: {covered[0] / draws:.3f} by poets, {covered[1] / draws:.3f} by poems")
        assert covered[0] / draws >= 0.92
        assert covered[1] / draws < 0.7


GRID = np.linspace(0, 1 / 2, 31)  # of 1 / degrees of freedom
STUDENTIZED_RANGE = stats.studentized_range


@cache
def critical_values(groups: int) -> np.ndarray:
    """Of the 5 % level, at the degrees of freedom of GRID."""
    level = 1 - 0.05 / PRELIMINARY_TEST_FACTOR
    values: np.ndarray = STUDENTIZED_RANGE.ppf(level, groups, 1 / np.maximum(GRID, 1e-5))
    return values


@pytest.fixture
def decisions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide by critical values, between those of GRID: thousands of p-values would take scipy minutes."""

    class Decisions:
        @staticmethod
        def sf(q: np.ndarray, groups: int, df: np.ndarray) -> np.ndarray:
            return np.where(q > np.interp(1 / df, GRID, critical_values(groups)), 0.0, 1.0)

    monkeypatch.setattr(stats, "studentized_range", Decisions)


class Claims(NamedTuple):
    """What a ranking claims of a sweep."""

    first: int  # the group with the best mean
    is_best: bool  # it is better than all others
    any_differs: bool  # it differs from one of them


def claims_of(drawn: Drawn) -> Claims:
    """Test the groups in the steps of a ranking."""
    scores = drawn.nats.sum(axis=2) / drawn.units.characters.sum()
    order = np.argsort(scores.mean(axis=1))
    nats = drawn.nats[order]
    differences = [sample_loss(of_group - nats[0], drawn.units) for of_group in nats[1:]]
    text = TextVariances(np.array([d.text_variance for d in differences]), drawn.units.units - 1)
    tests = compare_groups(scores[order], text)
    assert tests is not None
    return Claims(int(order[0]), tests.p_best < 0.05, min(tests.p_values) < 0.05)


def at_most_one_of_twenty(claims: list[bool], name: str) -> None:
    share = sum(claims) / len(claims)
    print(f"false claims, {name}: {share:.3f}")
    assert share < 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(claims))


@pytest.mark.slow
@pytest.mark.usefixtures("decisions_only")
class TestComparisons:
    """On documents which suit some of the groups by chance, the same for all seeds."""

    @pytest.mark.parametrize(("groups", "draws"), [(2, 1000), (6, 400)])
    @pytest.mark.parametrize("seeds", [3, 5, 10])
    def test_equal_groups_are_told_apart_in_one_of_twenty_at_most(
        self, groups: int, draws: int, seeds: int
    ) -> None:
        random = np.random.default_rng([groups, seeds])
        claims = [claims_of(draw_sweep(random, groups, seeds, 500, Effects())) for _ in range(draws)]
        at_most_one_of_twenty([c.is_best for c in claims], f"best of {groups} with {seeds} seeds")
        at_most_one_of_twenty([c.any_differs for c in claims], f"any of {groups} differs with {seeds} seeds")

    def test_two_tied_leaders_are_told_apart_in_one_of_twenty_at_most(self) -> None:
        """The others are far behind, so that only the two can be mistaken: the hardest case for `is_best`."""
        random, shifts = np.random.default_rng(7), np.array([0.0, 0.0, 9.0, 9.0, 9.0, 9.0])
        claims = [claims_of(draw_sweep(random, 6, 5, 500, Effects(), shifts)) for _ in range(400)]
        at_most_one_of_twenty([c.is_best for c in claims], "best of 6, of which two lead, with 5 seeds")

    def test_without_the_variance_over_texts_they_are_told_apart_far_too_often(self) -> None:
        """So the tests above would notice if it were forgotten."""
        random, claims = np.random.default_rng(2), 0
        for _ in range(200):
            drawn = draw_sweep(random, 2, 5, 500, Effects())
            scores = drawn.nats.sum(axis=2) / drawn.units.characters.sum()
            tests = compare_groups(scores[np.argsort(scores.mean(axis=1))])
            assert tests is not None
            claims += tests.p_best < 0.05
        assert claims / 200 > 0.1

    def test_four_standard_errors_are_seen(self) -> None:
        """One of six groups is better by four standard errors of a difference, five seeds."""
        effects, random, draws = Effects(), np.random.default_rng(8), 400
        shares = 2 * effects.group_seed**2 / 5
        # Σ C² / (Σ C)² of 500 documents, for the effects of each document on a difference
        weight = (70**2 + (101**2 - 1) / 12) / 70**2 / 500
        shares += weight * 2 * (effects.group_document**2 + effects.seed_document**2 / 5)
        shifts = np.array([0.0, *[4 * math.sqrt(shares)] * 5])
        claims = [claims_of(draw_sweep(random, 6, 5, 500, effects, shifts)) for _ in range(draws)]
        seen = sum(c.is_best and c.first == 0 for c in claims) / draws
        print(f"power with 6 groups, 5 seeds and four standard errors: {seen:.3f}")
        assert seen >= 0.8


def test_text_variances_widen_a_test_by_hand() -> None:
    """Differences 1, 2, 3: t = 2 / √(1/3 + 1/3) with (2/3)² / ((1/9)/2 + (1/9)/4) = 16/3 degrees."""
    scores = np.array([[10.0, 20.0, 30.0], [11.0, 22.0, 33.0]])
    tests = compare_groups(scores, TextVariances(np.array([1 / 3]), 4))
    assert tests is not None
    expected = 2 * stats.t.sf(2 / math.sqrt(2 / 3), 16 / 3)
    assert (tests.p_values, tests.p_best) == ([pytest.approx(expected)], pytest.approx(expected))
