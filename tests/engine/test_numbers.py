"""What the engine in the browser computes itself is what Python computes."""

import base64

import numpy as np
import pytest
import torch
from PIL import Image
from support.node import call

from capmodel.browser.description import NORMALIZATION
from capmodel.decoding.beam_search import beam_search
from capmodel.decoding.lexicon import Lexicon
from capmodel.decoding.options import DecodeOptions
from capmodel.explain.agreement import compare_maps
from capmodel.explain.draws import draw, generator
from capmodel.model.decoder import Memory, State
from capmodel.output.player import PLAYER, player_constants
from capmodel.output.sentences import sentence
from capmodel.photos import errors, loading, squash

ENGINE = "engines/browser"


@pytest.mark.parametrize(
    "size", [(256, 256), (300, 200), (511, 512), (512, 511), (513, 900), (1024, 341), (1300, 1025), (40, 700), (1, 1)]
)
def test_photos_are_squashed_to_the_same_pixels(size):
    random = np.random.default_rng(size)
    photo = Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), np.uint8))
    factor = min(size) // 256
    expected = squash(np.asarray(photo.reduce(factor) if factor > 1 else photo), 256)
    found = call(
        f"{ENGINE}/photos/squash.js",
        """
        const rgba = new Uint8ClampedArray(Buffer.from(value.rgba, 'base64'));
        const { width, height } = value, factor = own.reduction(width, height, 256);
        const out = { width: Math.ceil(width / factor), height: Math.ceil(height / factor) };
        out.data = new Uint8Array(3 * out.width * out.height);
        const cut = factor * Math.ceil(height / factor / 2); // in two parts, as large photos are read
        own.reduceInto(rgba.subarray(0, 4 * width * cut), width, Math.min(cut, height), factor, out, 0, 0);
        if (cut < height)
            own.reduceInto(rgba.subarray(4 * width * cut), width, height - cut, factor, out, 0, cut / factor);
        return Buffer.from(own.squash(out, 256)).toString('base64');
        """,
        {
            "rgba": base64.b64encode(photo.convert("RGBA").tobytes()).decode(),
            "width": size[0],
            "height": size[1],
        },
    )
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(found), np.uint8).reshape(256, 256, 3), expected)


def test_words_become_the_same_tokens(captioner):
    texts = [
        "a brown dog runs through the tall grass",
        "Two people ride bicycles down a street .",
        "the woman 's hat is blue, and her dog's is not",
        "A black-and-white dog — it catches a frisbee!",
        "zyzzyva qwertz Straße ÉCOLE ﬁre ½ ２３ 42nd x_y",
        "日本語 и слово 😀 a\u0301",
        "skateboarder skateboarding snowboarders",
        "",
        " . ",
    ]
    words = sorted({captioner.tokenizer.decode([token]) for token in range(4, len(captioner.tokenizer), 7)})
    pieces, scores = captioner.tokenizer.pieces()
    found = call(
        f"{ENGINE}/decoding/tokenizer.js",
        """
        const own_ = new own.Tokenizer(value);
        return {
            tokens: value.texts.map(text => own_.encode(text)),
            content: value.pieces.map((_, token) => own_.beginsContent(token)),
            gendered: own_.gendered,
        };
        """,
        {
            "pieces": pieces,
            "scores": scores,
            "normalization": NORMALIZATION,
            "constants": player_constants(),
            "texts": [*texts, *words],
        },
    )
    assert found["tokens"] == [captioner.tokenizer.encode(text) for text in (*texts, *words)]
    assert found["content"] == captioner.tokenizer.begins_content
    assert found["gendered"] == captioner.tokenizer.gendered


class _Table:
    """A decoder of few tokens whose log-probabilities are looked up by the last two tokens that it read."""

    def __init__(self, vocabulary: int, seed: int):
        random = np.random.default_rng(seed)
        self.logits = torch.tensor(random.normal(size=(vocabulary, vocabulary, vocabulary)) * 2, dtype=torch.float32)
        self.logits = self.logits.log_softmax(-1)

    def start(self, memory: Memory, captions: int) -> State:
        return State(torch.zeros(1, captions, 1), torch.zeros(1, captions, 1))

    def step(self, tokens: torch.Tensor, state: State, memory: Memory):
        logits = self.logits[state.hidden[..., 0].long(), tokens]
        weights = torch.stack([tokens.float(), state.hidden[..., 0]], -1)
        return logits, State(tokens[..., None].float(), state.hidden), weights


LEXICON = Lexicon(torch.tensor([False] * 4 + [True] * 4 + [False] * 3), torch.tensor([[4, 5, 6], [7, 8, 9]]))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("options", "prefix"),
    [
        (DecodeOptions(max_tokens=12), []),
        (DecodeOptions(beam=1, max_tokens=9), []),
        (DecodeOptions(beam=4, candidates=4, length_penalty=0.0, max_tokens=15, alternatives=2), []),
        (DecodeOptions(beam=3, candidates=3, max_tokens=12, no_repeated_trigram=False), [5, 6]),
        (DecodeOptions(max_tokens=4), [5, 6, 5, 6]),
        # Without hedging, since captions that only go round in another order may differ in the last digit of its sums.
        (DecodeOptions(max_tokens=12, no_repeated_trigram=False, repetition_cost=0.5, hedging=0.0), [5, 6, 6]),
        (DecodeOptions(max_tokens=12, hedging=0.4), []),
    ],
)
def test_the_search_finds_the_same_captions(seed, options, prefix):
    table = _Table(11, seed)
    [expected] = beam_search(table, Memory(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1)), options, [prefix], LEXICON)  # type: ignore[arg-type]
    found = call(
        f"{ENGINE}/decoding/beam_search.js",
        """
        const size = value.table.length;
        const read = async (tokens, { hidden }) => {
            const row = k => value.table[hidden[k]][tokens[k]];
            return {
                logprobs: Float32Array.from([...tokens.keys()].flatMap(row)),
                weights: Float32Array.from([...tokens.keys()].flatMap(k => [tokens[k], hidden[k]])),
                hidden: Float32Array.from(tokens),
                cell: hidden.slice(),
            };
        };
        const found = await own.beamSearch(
            read, 1, value.options, value.prefix,
            { beginsContent: (token) => value.content[token], gendered: value.gendered });
        return found.map(({ tokens, score, logprobs, weights, topK, states }) => ({
            tokens, score, logprobs, weights: weights.map(each => [...each]),
            top: topK.map(({ tokens }) => tokens), states: states.map(({ hidden, cell }) => [hidden[0], cell[0]]),
        }));
        """,
        {
            "table": table.logits.tolist(),
            "options": vars(options),
            "prefix": prefix,
            "content": LEXICON.content.tolist(),
            "gendered": LEXICON.gendered.tolist(),
        },
    )
    assert [each["tokens"] for each in found] == [each.tokens for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["score"] == pytest.approx(other.score, rel=1e-6)
        np.testing.assert_allclose(one["logprobs"], other.logprobs, rtol=1e-6)
        np.testing.assert_array_equal(one["weights"], other.weights)
        np.testing.assert_array_equal(one["top"], other.top_k[0])
        states = torch.stack([other.states.hidden[:, 0], other.states.cell[:, 0]], 1)
        np.testing.assert_array_equal(one["states"], states)


def test_maps_are_compared_in_the_same_words():
    random = np.random.default_rng(0)
    maps = []
    for side in (2, 7, 8):
        for scale in (0.01, 0.05, 0.3):
            weights = random.dirichlet(np.full(side**2, 0.2), 40).astype(np.float32)
            weights[weights < 1e-3] = 0
            nats = (scale * random.normal(size=(40, side**2))).astype(np.float32)
            nats[::3] += weights[::3]
            nats[5] = -abs(nats[5])
            maps += [
                {"weights": w.tolist(), "nats": n.tolist(), "kept": float(k), "first": bool(number % 2)}
                for number, (w, n, k) in enumerate(zip(weights, nats, random.uniform(0, 1.2, 40)))
            ]
    found = call(
        f"{ENGINE}/explain/agreement.js",
        "return value.maps.map(each => "
        "own.sentence(own.compareMaps(each.weights, each.nats, each.kept, value.limits), each.first));",
        {"maps": maps, "limits": player_constants()["agreement"]},
    )

    def square(values: list[float]) -> np.ndarray:
        return np.array(values, np.float32).reshape(round(len(values) ** 0.5), -1)

    expected = [
        sentence(compare_maps(square(each["weights"]), square(each["nats"]), each["kept"]), each["first"])
        for each in maps
    ]
    assert found == expected
    assert len(set(expected)) > 10


def test_the_same_cells_are_drawn():
    body = (
        "const random = own.generator(value); return [0, 1].map(() => own.draw([3, 5, 7, 9, 11, 13, 15], 4, random));"
    )
    for seed in (0, 1, 12345):
        random = generator(seed)
        values = [3, 5, 7, 9, 11, 13, 15]
        assert call(f"{ENGINE}/explain/random.js", body, seed) == [draw(values, 4, random) for _ in range(2)]


def test_every_order_is_equally_likely():
    random = generator(0)
    first = [draw(range(6), 2, random) for _ in range(6000)]
    for place in (0, 1):
        counts = np.bincount([each[place] for each in first], minlength=6)
        assert abs(counts - 1000).max() < 5 * np.sqrt(1000)
    assert all(a != b for a, b in first)


def test_bad_photos_are_refused_in_the_same_words():
    source = (PLAYER / ENGINE / "photos" / "photo.js").read_text()
    assert f"const MAX_PIXELS = {loading.MAX_PIXELS:_};" in source
    for said in (errors.EMPTY, errors.NOT_A_PHOTO, loading.DAMAGED):
        assert f"'{said}'" in source
    assert loading._too_large() == "This photo has more than 100 million pixels; please make it smaller."
    assert "`This photo has more than ${MAX_PIXELS / 1e6} million pixels; please make it smaller.`" in source
