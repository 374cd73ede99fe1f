"""The figures on a run's poems, as columns of the comparison."""

from collections.abc import Mapping
from typing import Any

# Column → its heading in Markdown; comparison.csv has all of `row`.
HEADINGS = {
    "run": "run",
    "dev_perplexity": "dev ppl",
    "right_lines": "lines",
    "free_rhyme": "rhyme",
    "free_tones": "tones",
    "constrained_rhyme": "rhyme*",
    "constrained_tones": "tones*",
    "free_distinct_1": "dist-1",
    "free_distinct_2": "dist-2",
    "free_distinct_3": "dist-3",
    "free_longest_copy": "copy",
    "free_copied_line": "copied",
}
WIDE = ("free_distinct_1", "free_distinct_3", "free_longest_copy")  # not on the console
CONSOLE = {key: heading for key, heading in HEADINGS.items() if key not in WIDE}
SHARES = frozenset(HEADINGS) - {"run", "dev_perplexity", "free_longest_copy"}
KEYS = (
    "rhyme",
    "tones",
    "rhyme_shuffled",
    "tones_shuffled",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "longest_copy",
    "copied_line",
)
COLUMNS = (
    "right_lines",
    "prosody",
    *(f"{asked}_{key}" for asked in ("free", "constrained") for key in KEYS),
)
CAPTION = (
    "poems, 100 a run (docs/poems.md): right lines when nothing is asked; neighbouring even lines that rhyme "
    "and positions with the right tone when the form is asked, and * when they are too; distinct n-grams; "
    "poems with a line copied from training. Tones and rhymes: "
)


def row(result: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of one run; empty where its poems were not measured."""
    quality = result.get("quality")
    if not quality:
        return {}
    found = {"right_lines": quality["right_lines"], "prosody": quality["prosody"]}
    for asked in ("free", "constrained"):
        found |= {f"{asked}_{key}": (quality[asked] or {}).get(key) for key in KEYS}
    return found


def caption(sources: list[str]) -> str:
    """What the table counts, and by whose tones and rhymes."""
    which = {"learned": "the corpus's own", "modern": "modern Mandarin"}
    return CAPTION + " and ".join(which.get(source, source) for source in sources)
