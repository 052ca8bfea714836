"""The field's caption metrics, from pycocoevalcap.

BLEU (Papineni et al. 2002), METEOR (Banerjee & Lavie 2005), ROUGE-L (Lin 2004), CIDEr (Vedantam et al. 2015)
and SPICE (Anderson et al. 2016). All values are times 100, as papers give them.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from statistics import fmean

from pycocoevalcap.cider.cider import Cider

from capmodel.command_line import UserError
from capmodel.decoding.tokenizer import normalize_caption
from train.data.datasets import DataSet
from train.metrics.java import JavaError, Meteor, tokenize

# Articles, prepositions that need an object, and conjunctions. Not "on", "in", "up": "a woman with a hat on" is whole.
OPEN_WORDS = frozenset((
    "a", "an", "the", "of", "with", "at", "from", "to", "into", "onto", "for", "by", "and", "or", "while", "as",
    "his", "her", "their", "its", "is", "are",
))  # fmt: skip

Keyed = dict[int, list[str]]  # pycocoevalcap's form: the captions of each photo


def quick_cider(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> float:
    """CIDEr on our own plain tokens: needs no Java, and serves to choose a checkpoint, not to report."""
    expected = {index: [normalize_caption(text) for text in texts] for index, texts in enumerate(references)}
    written = {index: [normalize_caption(text)] for index, text in enumerate(candidates)}
    return 100 * float(Cider().compute_score(expected, written)[0])


def quick_ciders(sets: Sequence[DataSet], captions: Sequence[Sequence[str]]) -> dict[str, float]:
    """`quick_cider` of the captions for each data set, under its name, and as ``"score"`` their mean."""
    found = {data.name: quick_cider(data.captions, written) for data, written in zip(sets, captions, strict=True)}
    return {"score": fmean(found.values()), **found}


def count_tails(captions: Sequence[str]) -> int:
    """How many captions stop in the middle, as "a dog with a": their last word asks for another one.

    Captions trained on CIDEr without the end as a word are known for it.
    """
    return sum(caption.split()[-1] in OPEN_WORDS for caption in captions if caption)


def score_captions(
    references: Sequence[Sequence[str]], candidates: Sequence[str], *, spice: bool = False
) -> dict[str, float]:
    """Scores a caption of each photo against what people said of it.

    Args:
        spice: also SPICE; call `prepare_spice` first.

    Returns:
        BLEU-1 to BLEU-4, METEOR, ROUGE-L and CIDEr, and SPICE if asked for.

    Raises:
        JavaError: Java is missing, or one of its programs failed: the tokenizer, METEOR or SPICE.
    """
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.rouge.rouge import Rouge

    expected, written = tokenize(references), tokenize([[text] for text in candidates])
    bleu, _ = Bleu(4).compute_score(expected, written, verbose=0)
    scores = {f"BLEU-{n}": value for n, value in enumerate(bleu, 1)}
    for name, scorer in (("METEOR", Meteor()), ("ROUGE-L", Rouge()), ("CIDEr", Cider())):
        scores[name], _ = scorer.compute_score(expected, written)
    if spice:
        scores["SPICE"] = _spice(expected, written)
    return {name: 100 * float(value) for name, value in scores.items()}


def prepare_spice() -> None:
    """Downloads the models that SPICE needs, unless they are there.

    Raises:
        UserError: they cannot be downloaded, or not be kept.
    """
    from pycocoevalcap.spice import get_stanford_models as models

    try:
        with redirect_stdout(sys.stderr):  # it reports its download on stdout
            models.get_stanford_models()
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"SPICE needs Stanford's CoreNLP models (400 MB), which could not be downloaded ({reason}); "
            "try again, or leave --spice out."
        ) from error


def metric_versions() -> dict[str, str]:
    """What a reported figure depends on."""
    return {"pycocoevalcap": version("pycocoevalcap"), "tokenizer": "PTB (Stanford CoreNLP 3.4.1)", "METEOR": "1.5"}


def _spice(expected: Keyed, written: Keyed) -> float:
    from pycocoevalcap.spice.spice import Spice

    try:
        with redirect_stdout(sys.stderr):
            return Spice().compute_score(expected, written)[0]
    except (OSError, subprocess.CalledProcessError) as error:
        raise JavaError(f"SPICE failed: {error}.") from error
