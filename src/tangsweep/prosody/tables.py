"""Tables of tones and rhymes: learned from the annotated corpus, judged on held-out poems, kept in a cache.

Tones are learned from the annotation. Rhymes are learned from the even lines of regular poems, which rhyme
within a poem: characters are the nodes of a graph, an edge's weight is the number of poems in which both
close an even line, and the graph's communities (Louvain: Blondel et al. 2008, by networkx) are the groups.
"""

import hashlib
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import filelock

from tangsweep.corpora import download, tang, tone_annotation
from tangsweep.corpora.tang import Poem
from tangsweep.corpora.tone_annotation import AnnotatedPoem, ToneAnnotation
from tangsweep.errors import UserError
from tangsweep.files import data_folder, read_with_checksum, write_with_checksum
from tangsweep.progress_bar import counting_bar
from tangsweep.prosody.conformity import conformity_shares
from tangsweep.prosody.form import LINE_END, REGULAR_FORMS, Form
from tangsweep.prosody.lookup import (
    LearnedProsody,
    ModernProsody,
    RhymeErrors,
    TableFacts,
    ToneAgreement,
    mandarin_final,
    mandarin_rhyme,
)
from tangsweep.prosody.pattern import EITHER, LEVEL, OBLIQUE
from tangsweep.prosody.protocol import Prosody

FORMAT = 1  # increase it whenever the same files would give other tables
HELD_OUT = 10  # every tenth poem in the order of ids judges tables learned from the others
CLEAR_MAJORITY = 0.9  # share of a character's annotations that must agree, because some are wrong
RESOLUTION = 6.0  # between 4 and 8, the errors hardly change (docs/poems.md)
RANDOM_PAIRS = 200_000  # pairs of lines of different poems that `rhyme_errors` looks at

Rhyme = Callable[[str], Hashable | None]


def cached_prosody() -> Prosody:
    """Return the learned tables if they were built before, else modern readings; nothing is downloaded."""
    reason = "were changed since they were built" if cache_path().exists() else "have not been built"
    return _read_cache() or ModernProsody(f"the learned tables {reason}")


def load_or_build_prosody(root: str | None = None) -> Prosody:
    """Return the learned tables as `load_or_build_tables` does, or modern readings if that fails."""
    try:
        return load_or_build_tables(root)
    except (download.NetworkUnreachable, UserError, OSError) as error:
        return ModernProsody(str(error))


def load_or_build_tables(root: str | None = None) -> LearnedProsody:
    """Return the learned tables from the cache, or build them from the whole corpus and its annotation.

    The corpus is read from `root`, else TANGSWEEP_DATA, else data/; what is missing there is downloaded
    (45 MB, once). Raises NetworkUnreachable without a network, UserError if the server refuses.
    """
    path = cache_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        prosody = _read_cache()
        if prosody is None:
            with counting_bar("tones and rhymes of 全唐诗") as report_progress:
                paths = tone_annotation.find_or_download_files(root, report_progress)
                annotation = tone_annotation.join_annotation(paths)
                tables = learn_tables(annotation)  # takes as long again; the bar stays
            write_with_checksum(path, json.dumps(tables, ensure_ascii=False).encode())
            path.with_suffix(".json").unlink(missing_ok=True)  # written before there were checksums
            prosody = LearnedProsody(**tables)
    return prosody


def _read_cache() -> LearnedProsody | None:
    """Return the tables from the cache file; None if there is no such file, or it was changed."""
    content = read_with_checksum(cache_path())
    return LearnedProsody(**json.loads(content)) if content else None


def cache_path() -> Path:
    """Return the cache file; its name depends on the published files and on how tables are built."""
    names = [
        f"{folder}/{name}" for folder in (tang.FOLDER, tone_annotation.FOLDER) for name in tang.FILE_NAMES
    ]
    constants = [FORMAT, HELD_OUT, CLEAR_MAJORITY, RESOLUTION, RANDOM_PAIRS]
    described = json.dumps([*constants, *(download.published_checksums()[name] for name in names)])
    key = hashlib.sha256(described.encode()).hexdigest()[:16]
    return data_folder() / "cache" / f"prosody-{key}.tables"


class Tables(TypedDict):
    """Both tables, by character, and the facts about them."""

    tones: Mapping[str, str]
    rhymes: Mapping[str, str]
    facts: TableFacts


def learn_tables(annotation: ToneAnnotation) -> Tables:
    """Learn the tables from all poems; judge tables from nine tenths of them on the last tenth."""
    poems = sorted(annotation.poems, key=lambda annotated: annotated.poem.id)
    training = [poem for position, poem in enumerate(poems) if position % HELD_OUT]
    held_out = poems[::HELD_OUT]
    tones, rhymes = learn_tones(poems), learn_rhymes(_regular_line_ends(poems))
    judged = LearnedProsody(learn_tones(training), learn_rhymes(_regular_line_ends(training)))
    held_out_ends = _regular_line_ends(held_out)
    regular = (split_lines(annotated.poem) for annotated in held_out if line_ends(annotated.poem))
    return {
        "tones": tones,
        "rhymes": rhymes,
        "facts": {
            "poems": len(poems),
            "skipped": annotation.skipped,
            "characters": len(tones),
            "either": sum(tone == EITHER for tone in tones.values()),
            "groups": len(set(rhymes.values())),
            "rhyming": len(rhymes),
            "held_out": {
                "tones": tone_agreement(judged.tones, held_out),
                "learned": rhyme_errors(judged.rhyme, held_out_ends),
                "modern": rhyme_errors(mandarin_rhyme, held_out_ends),
                "finals": rhyme_errors(mandarin_final, held_out_ends),
                "conformity": conformity_shares(regular, judged),
            },
        },
    }


def _regular_line_ends(poems: Iterable[AnnotatedPoem]) -> list[list[str]]:
    return [ends for annotated in poems if (ends := line_ends(annotated.poem)) is not None]


def learn_tones(poems: Iterable[AnnotatedPoem]) -> dict[str, str]:
    """Return character → 平, 仄, or ○ if it is read with either tone.

    Characters whose tone is always annotated as unknown have no entry.
    """
    counts: dict[str, Counter[str]] = {}
    for poem in poems:
        for character, tone in zip(poem.text, poem.tones, strict=True):
            if tone in (LEVEL, OBLIQUE, EITHER):
                counts.setdefault(character, Counter())[tone] += 1
    return {character: _majority_tone(tone_counts) for character, tone_counts in counts.items()}


def _majority_tone(counts: Counter[str]) -> str:
    tone, count = counts.most_common(1)[0]
    return tone if count >= CLEAR_MAJORITY * counts.total() else EITHER


def tone_agreement(table: Mapping[str, str], held_out: Iterable[AnnotatedPoem]) -> ToneAgreement:
    """Judge a table by the annotation of poems that it was not learned from."""
    pairs: Counter[str] = Counter()  # the table's tone and the annotated one, as two characters
    for poem in held_out:
        for character, tone in zip(poem.text, poem.tones, strict=True):
            if tone in (LEVEL, OBLIQUE, EITHER):
                pairs[table.get(character, "missing") + tone] += 1
    missing = sum(pairs["missing" + tone] for tone in (LEVEL, OBLIQUE, EITHER))
    either = sum(pairs[EITHER + tone] for tone in (LEVEL, OBLIQUE, EITHER))
    decided = sum(pairs[ours + theirs] for ours in (LEVEL, OBLIQUE) for theirs in (LEVEL, OBLIQUE))
    return {
        "characters": pairs.total(),
        "known": 1 - missing / pairs.total(),
        "either": either / (pairs.total() - missing),
        "agree": (pairs[LEVEL + LEVEL] + pairs[OBLIQUE + OBLIQUE]) / decided,
    }


def split_lines(poem: Poem) -> list[str]:
    """Return the poem's lines without punctuation."""
    return [line for line in LINE_END.split(poem.text) if line]


def line_ends(poem: Poem) -> list[str] | None:
    """Return the last character of each line, or None if the poem has none of the four regular forms."""
    lines = split_lines(poem)
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        return None
    return [line[-1] for line in lines] if Form(len(lines[0]), len(lines)) in REGULAR_FORMS.values() else None


def learn_rhymes(poems: Iterable[Sequence[str]], resolution: float = RESOLUTION) -> dict[str, str]:
    """Return character → its rhyme group, named after the member that closes most even lines.

    `poems` are line ends. A higher `resolution` gives more and smaller groups.
    """
    import networkx

    pair_counts: Counter[tuple[str, str]] = Counter()
    counts: Counter[str] = Counter()
    for ends in poems:
        rhymed = sorted(set(ends[1::2]))
        counts.update(rhymed)
        pair_counts.update(itertools.combinations(rhymed, 2))
    graph = networkx.Graph()
    for (one, other), count in sorted(pair_counts.items()):
        graph.add_edge(one, other, weight=count)
    communities = networkx.community.louvain_communities(graph, resolution=resolution, seed=0)
    groups: dict[str, str] = {}
    for community in communities:
        name = max(sorted(community), key=lambda character: counts[character])
        groups |= dict.fromkeys(community, name)
    return groups


def rhyme_errors(rhyme: Rhyme, held_out: Sequence[Sequence[str]]) -> RhymeErrors:
    """Return how often `rhyme` is wrong in either direction on the line ends of held-out poems.

    `missed`: share of neighbouring even lines, which rhyme, that are not put into one group.
    `strangers`: share of even lines of two different poems that are put into one group. Such lines seldom
    rhyme, and equally seldom whatever `rhyme` is judged.
    `unrhymed`: share of third and fourth lines of a poem, which do not rhyme, that are put into one group.
    `covered`: share of even lines whose last character has a group.
    Pairs of equal characters are left out, because they say nothing about groups.
    """

    def share_in_one_group(pairs: Iterable[tuple[str, str]]) -> float:
        distinct = [(one, other) for one, other in pairs if one != other]
        same = [rhyme(one) is not None and rhyme(one) == rhyme(other) for one, other in distinct]
        return sum(same) / len(distinct)

    generator = random.Random(0)
    even_ends = [ends[1::2] for ends in held_out]
    random_pairs = []
    for _ in range(RANDOM_PAIRS):
        one_poem, other_poem = generator.sample(even_ends, 2)
        random_pairs.append((generator.choice(one_poem), generator.choice(other_poem)))
    all_even_ends = list(itertools.chain.from_iterable(even_ends))
    return {
        "poems": len(held_out),
        "missed": 1 - share_in_one_group(itertools.chain.from_iterable(map(itertools.pairwise, even_ends))),
        "strangers": share_in_one_group(random_pairs),
        "unrhymed": share_in_one_group((ends[2], ends[3]) for ends in held_out),
        "covered": sum(rhyme(character) is not None for character in all_even_ends) / len(all_even_ends),
    }
