"""The field's caption metrics, from pycocoevalcap.

BLEU (Papineni et al. 2002), METEOR (Banerjee & Lavie 2005), ROUGE-L (Lin 2004), CIDEr (Vedantam et al. 2015)
and SPICE (Anderson et al. 2016). All values are times 100, as papers give them.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from statistics import fmean

from pycocoevalcap.cider.cider import Cider

from capmodel.decoding.tokenizer import normalize_caption
from train.data.datasets import DataSet

# Articles, prepositions that need an object, and conjunctions. Not "on", "in", "up": "a woman with a hat on" is whole.
OPEN_WORDS = frozenset((
    "a", "an", "the", "of", "with", "at", "from", "to", "into", "onto", "for", "by", "and", "or", "while", "as",
    "his", "her", "their", "its", "is", "are",
))  # fmt: skip

Keyed = dict[int, list[str]]  # pycocoevalcap's form: the captions of each photo


class NoJavaError(SystemExit):
    """Java is not installed; the message says what it is needed for."""


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


def score_captions(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> dict[str, float | None]:
    """Scores a caption of each photo against what people said of it.

    Returns:
        BLEU-1 to BLEU-4, METEOR, ROUGE-L, CIDEr, and SPICE, which is None where the models that
        it downloads cannot be had.

    Raises:
        NoJavaError: the tokenizer and METEOR are Java programs.
    """
    if shutil.which("java") is None:
        raise NoJavaError("The metrics need Java (the PTB tokenizer and METEOR run on it): please install a JRE.")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge

    expected, written = _tokenize(references), _tokenize([[text] for text in candidates])
    bleu, _ = Bleu(4).compute_score(expected, written, verbose=0)
    scores = {f"BLEU-{n}": value for n, value in enumerate(bleu, 1)}
    for name, scorer in (("METEOR", Meteor()), ("ROUGE-L", Rouge()), ("CIDEr", Cider())):
        scores[name], _ = scorer.compute_score(expected, written)
    scores = {name: 100 * float(value) for name, value in scores.items()}
    return {**scores, "SPICE": _spice(expected, written)}


def metric_versions() -> dict[str, str]:
    """What a reported figure depends on."""
    return {"pycocoevalcap": version("pycocoevalcap"), "tokenizer": "PTB (Stanford CoreNLP 3.4.1)", "METEOR": "1.5"}


def _tokenize(captions: Sequence[Sequence[str]]) -> Keyed:
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    return PTBTokenizer().tokenize(
        {index: [{"caption": text} for text in texts] for index, texts in enumerate(captions)}
    )


def _spice(expected: Keyed, written: Keyed) -> float | None:
    from pycocoevalcap.spice.spice import Spice

    try:
        with redirect_stdout(sys.stderr):  # it reports its download on stdout
            return 100 * float(Spice().compute_score(expected, written)[0])
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SPICE is left out: its models could not be downloaded or run ({error}).", file=sys.stderr)
        return None
