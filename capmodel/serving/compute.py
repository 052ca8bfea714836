"""What the model computes for the page. Functions, arguments and results can be pickled; `zero_gpu` says why."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from capmodel.caption import Caption
from capmodel.captioner import Captioner
from capmodel.decoding.options import DecodeOptions
from capmodel.explain.occlusion import Occlusion, occlude_word

Captioners = Mapping[str, Captioner]  # by attention kind; they share a backbone


def describe(
    captioners: Captioners,
    squares: Sequence[np.ndarray],
    grids: Sequence[np.ndarray],
    wanted: Sequence[tuple[int, str]],
    options: DecodeOptions = DecodeOptions(),
    prefix: str | None = None,
) -> tuple[list[list[Caption]], list[np.ndarray]]:
    """Captions photos: one pass of the backbone for all squares, then one of each decoder.

    Args:
        squares: photos without a grid, from `Captioner.load_square`.
        grids: of photos that have one, fp32 (L, D). Photos are numbered across both lists, squares first.
        wanted: pairs of a photo's number and a kind of attention.
        prefix: words that every caption begins with.

    Returns:
        For each pair its captions, best first; and the grid of each square.
    """
    first = next(iter(captioners.values()))
    device = next(first.model.parameters()).device
    made = first.encode(squares).to(device)
    all_grids = torch.cat([made, *(torch.from_numpy(grid)[None].to(device) for grid in grids)])
    found: dict[int, list[Caption]] = {}
    for kind, captioner in captioners.items():
        rows = [row for row, (_, each) in enumerate(wanted) if each == kind]
        photos = all_grids[[wanted[row][0] for row in rows]]
        prefixes = None if prefix is None else [prefix] * len(rows)
        found.update(zip(rows, captioner.describe(photos, options, prefixes), strict=True))
    # Copies, because a view would keep the grids of the whole batch in memory.
    return [found[row] for row in range(len(wanted))], [grid.copy() for grid in made.cpu().numpy()]


def add_evidence(
    captioners: Captioners, kind: str, square: np.ndarray | None, grid: np.ndarray | None, caption: Caption
) -> tuple[Caption, np.ndarray]:
    """The caption with its evidence, and the photo's grid, which is computed from the square if it is None."""
    captioner = captioners[kind]
    if grid is None:
        assert square is not None
        seen = captioner.encode([square])
    else:
        seen = torch.from_numpy(grid)[None].to(next(captioner.model.parameters()).device)
    return captioner.add_evidence(seen, [caption])[0], seen[0].cpu().numpy()


def occlude(
    captioners: Captioners,
    kind: str,
    square: np.ndarray,
    grid: np.ndarray | None,
    words: Sequence[str],
    index: int,
    cells: Sequence[int],
) -> Occlusion:
    """`occlude_word` with a kind of attention; the photo's grid, fp32 (L, D), is computed if it is None."""
    known = None if grid is None else torch.from_numpy(grid)[None]
    return occlude_word(captioners[kind], square, words, index, cells, grid=known)
