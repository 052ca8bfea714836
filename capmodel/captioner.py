"""Photos in, captions out, each word with a map of where the model looked."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import overload

import numpy as np
import torch
from torch import Tensor

from capmodel import hub, pretrained
from capmodel.caption import Caption, Evidence, Word
from capmodel.decoding.alternatives import Alternatives, word_alternatives
from capmodel.decoding.beam_search import Hypothesis, beam_search
from capmodel.decoding.lexicon import Lexicon
from capmodel.decoding.options import DecodeOptions
from capmodel.decoding.tokenizer import Tokenizer
from capmodel.explain.evidence import grid_evidence, photo_evidence
from capmodel.model.backbone import GridEncoder
from capmodel.model.caption_model import TOKENIZER, CaptionModel, base_folder
from capmodel.model.fast_decoder import FastDecoder
from capmodel.model.fast_encoder import FastEncoder
from capmodel.model.normalizers import NORMALIZERS
from capmodel.photos import PhotoError, PhotoSource, each_photo, is_one_photo, load_square

BATCH_SIZE = 8  # photos per forward pass: on a processor, more are no faster and take more memory
LOADERS = 2  # threads that read photos


class Captioner:
    """A trained model with its tokenizer: loads photos, writes captions, shows where it looked.

    >>> captioner = Captioner.from_pretrained()
    >>> captioner("dog.jpg").text
    >>> [caption.text for caption in captioner(["dog.jpg", "cat.jpg"])]

    Attributes:
        model: the network as it was trained.
        decoder: the model's decoder, in its fast form for the search.
        tokenizer: converts words to tokens and back.
        lexicon: what the search knows of the tokens.

    Args:
        card: the model's description, in Markdown. It is saved with the model; after further training, make a new
            captioner without it, because it describes the old weights.
        precision: of the backbone; see `FastEncoder`. The decoder always computes in fp32.
    """

    def __init__(self, model: CaptionModel, tokenizer: Tokenizer, card: str | None = None, *, precision: str = "auto"):
        if len(tokenizer) != model.config.vocabulary:
            raise ValueError(
                f"The tokenizer has {len(tokenizer)} tokens, the model {model.config.vocabulary}: "
                "they are not of the same training."
            )
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.card = card
        self._encoder = FastEncoder(model.encoder, precision)
        self.decoder = FastDecoder(model.decoder)
        self.lexicon = Lexicon.of(tokenizer)

    @classmethod
    def from_pretrained(cls, source: str | Path = "softmax", *, precision: str = "auto") -> "Captioner":
        """Loads a model.

        Args:
            source: the name of a bundled model, a model's folder, or ``"owner/name"`` on the
                Hugging Face Hub, tried in this order.
            precision: "fp32" writes the same captions everywhere; "bf16" is faster; "auto" uses bf16 where
                the processor supports it.

        Raises:
            FileNotFoundError: no such model was found, or the download failed; the message lists
                the bundled names and says what to do.
            ValueError, RuntimeError: the model's files do not fit together; see `CaptionModel.load`.
        """
        return cls._load(pretrained.find(source), precision=precision)

    @classmethod
    def family(cls, source: str | Path = "softmax", *, precision: str = "auto") -> "list[Captioner]":
        """A model, followed by the models beside it that share its backbone: one for each kind of attention.

        They share the backbone in memory, too.

        Args:
            source, precision, Raises: as for `from_pretrained`.
        """
        folder = pretrained.find(source).resolve()
        first = cls._load(folder, precision=precision)
        others = [cls._load(other, first.model.encoder, precision) for other in pretrained.siblings(folder)]
        kinds = list(NORMALIZERS)
        return [first, *sorted(others, key=lambda other: kinds.index(other.attention_kind))]

    @classmethod
    def _load(cls, folder: Path, encoder: GridEncoder | None = None, precision: str = "auto") -> "Captioner":
        card = folder / hub.CARD
        return cls(
            CaptionModel.load(folder, encoder),
            Tokenizer(base_folder(folder) / TOKENIZER),
            card.read_text(encoding="utf-8") if card.is_file() else None,
            precision=precision,
        )

    @property
    def attention_kind(self) -> str:
        """How its attention scores become weights: a name in `NORMALIZERS`."""
        return self.model.config.normalizer

    def save_pretrained(self, folder: str | Path, repo_id: str | None = None) -> None:
        """Writes a folder that `from_pretrained` can load, with the backbone and the card.

        Args:
            repo_id: where it will be published. If given, a model without a card gets a short one.
        """
        folder = Path(folder)
        self.model.save(folder)
        (folder / TOKENIZER).write_bytes(self.tokenizer.path.read_bytes())
        card = self.card or (hub.short_card(repo_id, self.attention_kind) if repo_id else None)
        if card:
            (folder / hub.CARD).write_text(card, encoding="utf-8")

    def push_to_hub(self, repo_id: str, *, private: bool | None = None, token: str | None = None) -> str:
        """Publishes the model on the Hugging Face Hub, as `save_pretrained` writes it, in one commit.

        Args:
            repo_id: ``"owner/name"``; created if it does not exist.
            private: whether only its owner can see a new repository; None: the owner's default.
            token: of an account that may write there; None: from ``hf auth login`` or ``HF_TOKEN``.

        Returns:
            The address of the repository's page.

        Raises:
            HubError: the upload failed; the message says why and what to do.
        """
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder, repo_id)
            files = {file.name: file for file in Path(folder).iterdir()}
            return hub.upload(files, repo_id, private=private, token=token)

    @overload
    def __call__(
        self, photos: PhotoSource, options: DecodeOptions | None = None, *, evidence: bool = False, **overrides
    ) -> Caption: ...

    @overload
    def __call__(
        self,
        photos: Iterable[PhotoSource],
        options: DecodeOptions | None = None,
        *,
        evidence: bool = False,
        **overrides,
    ) -> list[Caption]: ...

    def __call__(
        self,
        photos: PhotoSource | Iterable[PhotoSource],
        options: DecodeOptions | None = None,
        *,
        evidence: bool = False,
        **overrides,
    ) -> Caption | list[Caption]:
        """The best caption of a photo, or of each of many.

        Args:
            photos: a source for `load_photo`, or any iterable of them. An array or tensor of four dimensions, (photos,
                height, width, channels) or (photos, channels, height, width), is many photos.
            options: how to search; `overrides` replace individual values, such as ``beam=1``.
            evidence: whether captions come with evidence; see `evidence`.

        Returns:
            A caption for one photo, a list for many, even if they are one or none.

        Raises:
            PhotoError: a photo cannot be used.
        """
        captions = []
        for result in self.stream(photos, replace(options or DecodeOptions(), **overrides), evidence=evidence):
            if isinstance(result, PhotoError):
                raise result
            captions.append(result)
        return captions[0] if is_one_photo(photos) else captions

    def stream(
        self,
        photos: PhotoSource | Iterable[PhotoSource],
        options: DecodeOptions = DecodeOptions(),
        batch_size: int = BATCH_SIZE,
        evidence: bool = False,
    ) -> Iterator[Caption | PhotoError]:
        """Yields the best caption of each photo, in order, as batches finish; a `PhotoError` for a bad photo.

        Takes one photo or many, as a call does. The next batch is loaded while the current one is captioned; no more
        than these two are held in memory.
        """
        sources = each_photo(photos)
        with ThreadPoolExecutor(LOADERS) as pool:
            ahead = pool.map(self._try_prepare, islice(sources, batch_size))
            while squares := list(ahead):
                ahead = pool.map(self._try_prepare, islice(sources, batch_size))
                good = [square for square in squares if not isinstance(square, PhotoError)]
                grid = self.encode(good)
                captions = [best for best, *_ in self.describe(grid, options)]
                if evidence:
                    captions = self.add_evidence(grid, captions)
                found = iter(captions)
                yield from (square if isinstance(square, PhotoError) else next(found) for square in squares)

    def _try_prepare(self, photo: PhotoSource) -> np.ndarray | PhotoError:
        try:
            return self.load_square(photo)
        except PhotoError as error:
            return error

    def load_square(self, photo: PhotoSource) -> np.ndarray:
        """The photo as the model sees it: RGB uint8 (S, S, 3), squashed to a square."""
        return load_square(photo, self.model.config.image_size, self.model.encoder.interpolation)

    @torch.inference_mode()
    def encode(self, squares: Sequence[np.ndarray]) -> Tensor:
        """Squares from `load_square` -> grid (B, L, D), for any number of calls to `describe`."""
        if not squares:
            return torch.empty(0, self.model.encoder.grid_size**2, self.model.encoder.channels)
        return self._encoder(torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2))

    @torch.inference_mode()
    def describe(
        self,
        grid: Tensor,
        options: DecodeOptions = DecodeOptions(),
        prefixes: Sequence[str] | None = None,
    ) -> list[list[Caption]]:
        """Searches captions of B photos, given their grid (B, L, D).

        Args:
            options: how to search, and how many captions to return for each photo.
            prefixes: for each photo, the words with which its captions must begin.

        Returns:
            For each photo, its captions, best first.
        """
        if not len(grid):
            return []
        tokens = [self.tokenizer.encode(prefix) for prefix in prefixes] if prefixes else None
        memory = self.decoder.prepare(grid)
        found = beam_search(self.decoder, memory, options, tokens, self.lexicon)
        alternatives = word_alternatives(self.decoder, self.tokenizer, memory, found, options.alternatives)
        return [
            [self._caption(hypothesis, others) for hypothesis, others in zip(*of_photo, strict=True)]
            for of_photo in zip(found, alternatives, strict=True)
        ]

    def evidence(self, grid: Tensor, captions: Sequence[Caption], alone: bool = False) -> list[Evidence]:
        """What mattered for each word of B captions, given their photos' grid (B, L, D): each cell is hidden in turn.

        Args:
            alone: show each cell alone instead, with all others hidden.
        """
        return [grid_evidence(self, each, caption, alone) for each, caption in zip(grid, captions, strict=True)]

    def add_evidence(self, grid: Tensor, captions: Sequence[Caption]) -> list[Caption]:
        """The same captions, with `evidence`."""
        found = self.evidence(grid, captions)
        return [replace(caption, evidence=each) for caption, each in zip(captions, found, strict=True)]

    def photo_evidence(self, square: np.ndarray, caption: Caption, alone: bool = False) -> Evidence:
        """As `evidence`, but squares are hidden in the photo from `load_square`: truer, and as slow as L photos."""
        return photo_evidence(self, square, caption, alone)

    def _caption(self, hypothesis: Hypothesis, alternatives: list[Alternatives]) -> Caption:
        side = self.model.encoder.grid_size
        words = [
            Word(
                text=text,
                probability=hypothesis.logprobs[start:stop].sum().exp().item(),
                # A copy: small tensors left between the search's large ones fragment the memory, by half a gigabyte
                # per thousand captions.
                weights=hypothesis.weights[start:stop].mean(0).view(side, side).cpu().numpy().copy(),
                alternatives=others,
            )
            for (text, start, stop), others in zip(
                self.tokenizer.word_spans(hypothesis.tokens), alternatives, strict=True
            )
        ]
        return Caption(" ".join(word.text for word in words), words, hypothesis.score)
