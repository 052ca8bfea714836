"""One plain sentence for each word: did it look where it mattered?"""

from capmodel.caption import Caption
from capmodel.explain.agreement import Agreement, Answer, Place, compare_maps


def agreements(caption: Caption) -> list[Agreement]:
    """How the two maps of each word of a caption with evidence agree."""
    if not caption.evidence:
        raise ValueError("this caption comes without evidence")
    maps = zip(caption.words, caption.evidence.nats, caption.evidence.kept, strict=True)
    return [compare_maps(word.weights, nats, float(kept)) for word, nats, kept in maps]


def sentence(agreement: Agreement, first: bool = False) -> str:
    """Says how a word's two maps agree.

    Args:
        first: it is the caption's first word, before which there are no others.
    """
    match agreement.answer:
        case Answer.SAME_PLACE:
            return "It looked where it mattered."
        case Answer.OTHER_PLACE if agreement.mattered:
            return f"It looked at the {name(agreement.looked)}, but the {name(agreement.mattered)} mattered."
        case Answer.WHOLE_PHOTO:
            return "No single place mattered, but the photo as a whole did."
    if first:
        return "No place mattered: it would have begun like this anyway."
    return "No place mattered: the words before it were enough."


def name(place: Place) -> str:
    """A ninth of the photo in words: "lower left", "top", "centre"."""
    row, column = place
    if column == "centre":
        return "centre" if row == "middle" else row
    return {"top": f"upper {column}", "middle": f"{column} side", "bottom": f"lower {column}"}[row]
