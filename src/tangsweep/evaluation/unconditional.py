"""Text that a model of poems writes when nothing is asked of it: no form, no start."""

import torch

from tangsweep.corpora.vocabulary import BOS, EOS, MARKS, Vocabulary
from tangsweep.generation.decoding import Decoding, choose, log_probabilities
from tangsweep.language_model import LanguageModel
from tangsweep.prosody.conformity import Kept
from tangsweep.prosody.form import END, NAMED
from tangsweep.randomness import derive

MOST = 100  # characters of a text; a poem of the longest form has 64 with its marks
CHARS = {form.chars for form in NAMED.values()}


@torch.no_grad()
def write(
    model: LanguageModel, vocabulary: Vocabulary, texts: int, temperature: float, seed: int
) -> list[str]:
    """Each as far as the model ends it, at most MOST characters; marks such as `<oov>` are never written."""
    device = next(model.parameters()).device
    allowed = torch.tensor([t not in MARKS or t == MARKS[EOS] for t in vocabulary.tokens], device=device)
    generator = torch.Generator().manual_seed(derive(seed, "freely"))
    uniform = torch.rand(MOST, texts, generator=generator).to(device)
    ids = torch.full((texts,), BOS, device=device)
    written, carry = [], None
    for draw in uniform:
        logits, carry = model(ids[:, None], None, carry)
        ids = choose(log_probabilities(logits[:, -1]), allowed, draw, Decoding(temperature))
        written.append(ids)
        if (torch.stack(written) == EOS).any(0).all():
            break
    columns = torch.stack(written, 1).tolist()
    return [vocabulary.decode(row[: row.index(EOS)] if EOS in row else row) for row in columns]


def right_lines(texts: list[str]) -> Kept:
    """Lines of 5 or 7 characters that are as long as their text's first line, of all that were closed."""
    lengths = [[len(line) for line in END.split(text)[:-1]] for text in texts]
    right = sum(length in CHARS and length == found[0] for found in lengths for length in found)
    return Kept(right, sum(map(len, lengths)))
