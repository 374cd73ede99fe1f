"""Rhyme groups, learned from which characters close the even lines of the same regular poem.

Those lines rhyme. Characters are nodes, an edge weighs as many poems as the two close together, and the
communities of the graph (Louvain: Blondel et al. 2008, by networkx) are the groups.
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from tangsweep.corpora.tang import Poem
from tangsweep.prosody.form import END, NAMED, Form

RESOLUTION = 6.0  # from 4 to 8 the errors hardly move (docs/poems.md)
STRANGERS = 200_000  # pairs from different poems that `errors` looks at

Rhyme = Callable[[str], Hashable | None]


def lines(poem: Poem) -> list[str]:
    """Without punctuation."""
    return [line for line in END.split(poem.text) if line]


def line_ends(poem: Poem) -> list[str] | None:
    """The last character of each line; None where the poem has none of the four regular forms."""
    found = lines(poem)
    if not found or any(len(line) != len(found[0]) for line in found):
        return None
    return [line[-1] for line in found] if Form(len(found[0]), len(found)) in NAMED.values() else None


def learn(poems: Iterable[Sequence[str]], resolution: float = RESOLUTION) -> dict[str, str]:
    """Character → its group, named by the member that closes most lines. `poems` are line ends.

    A higher `resolution` gives more and smaller groups.
    """
    import networkx

    together: Counter[tuple[str, str]] = Counter()
    closes: Counter[str] = Counter()
    for ends in poems:
        rhymed = sorted(set(ends[1::2]))
        closes.update(rhymed)
        together.update(itertools.combinations(rhymed, 2))
    graph = networkx.Graph()
    for (one, other), count in sorted(together.items()):
        graph.add_edge(one, other, weight=count)
    communities = networkx.community.louvain_communities(graph, resolution=resolution, seed=0)
    groups: dict[str, str] = {}
    for community in communities:
        name = max(sorted(community), key=lambda character: closes[character])
        groups |= dict.fromkeys(community, name)
    return groups


def errors(rhyme: Rhyme, held_out: Sequence[Sequence[str]]) -> dict[str, Any]:
    """How often `rhyme` is wrong on poems that it was not learned from, in both directions.

    `missed`: of neighbouring even lines (which rhyme) those put into different groups, or into none.
    `strangers`: of even lines of different poems (which seldom rhyme, and equally seldom for every
    `rhyme`) those put into one group. `unrhymed`: of the third and fourth lines of a poem (which do not
    rhyme) those put into one group. `covered`: of even lines those with a group. Pairs of one and the same
    character say nothing of groups and are left out.
    """

    def same(one: str, other: str) -> bool:
        return rhyme(one) is not None and rhyme(one) == rhyme(other)

    def share(pairs: Sequence[tuple[str, str]]) -> float:
        apart = [pair for pair in pairs if pair[0] != pair[1]]
        return sum(same(*pair) for pair in apart) / len(apart)

    draw = random.Random(0)
    even = [ends[1::2] for ends in held_out]
    strangers = [tuple(map(draw.choice, draw.sample(even, 2))) for _ in range(STRANGERS)]
    closing = list(itertools.chain.from_iterable(even))
    return {
        "poems": len(held_out),
        "missed": 1 - share([pair for ends in even for pair in itertools.pairwise(ends)]),
        "strangers": share(strangers),  # type: ignore[arg-type]
        "unrhymed": share([(ends[2], ends[3]) for ends in held_out]),
        "covered": sum(rhyme(character) is not None for character in closing) / len(closing),
    }
