# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
"""
# From a photo to a word, by hand

One pass through the captioner, one step a cell: photo, grid, keys, query, scores, weights, context, LSTM, word. Each
equation stands just above the line that computes it, and the results are compared with the library's.

Read it here, run it with `python -m train.walkthrough`, or open it as a notebook, from the root of the repository:

    pip install jupytext notebook
    jupytext --to ipynb train/walkthrough.py
    jupyter notebook train/walkthrough.ipynb

The idea of attention is from Bahdanau et al. (2015), "Neural Machine Translation by Jointly Learning to Align and
Translate"; Xu et al. (2015), "Show, Attend and Tell", used it to caption photos.

The letters: $L$ cells of the grid, $D$ numbers a cell, $H$ numbers in the LSTM's state, $A$ numbers in the space where
cells and state are compared, $V$ tokens in the vocabulary. The comment `# (L, D)` says that a tensor has $L$ rows and
$D$ columns.
"""

# %%
import sys
import warnings
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F
from torch.testing import assert_close

sys.path.extend([".", ".."])  # where the package is, seen from the repository's root and from train/
with warnings.catch_warnings(action="ignore"):  # of a progress bar that we do not use
    from capmodel import Captioner
from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN
from capmodel.explain.evidence import grid_evidence
from capmodel.model.normalizers import make_normalizer
from capmodel.output.overlay import (
    CLEAR,
    evidence_top,
    overlay,
    overlay_evidence,
    scale_top,
    smooth_evidence,
    smooth_map,
    times_uniform,
)
from capmodel.photos import load_photo, squash
from capmodel.resources import PHOTOS

torch.set_grad_enabled(False)  # nothing is trained here
torch.set_printoptions(precision=3, sci_mode=False)
plt.rcParams.update({"figure.dpi": 100, "figure.constrained_layout.use": True, "axes.titlesize": 11})
warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")  # a script without a screen shows no plots
BLUE, GREY = "#1d4ed8", "#c3c8d4"

# %% [markdown]
# ## 1. The photo
#
# The network takes squares only. So the whole photo is squashed: nothing is cut off, but things become thinner or
# thicker.

# %%
PHOTO = PHOTOS / "dachshund-in-snow.jpg"

captioner = Captioner.from_pretrained(precision="fp32")  # as we compute below
tokenizer, encoder, decoder = captioner.tokenizer, captioner.model.encoder, captioner.model.decoder

photo = load_photo(PHOTO, at_least=encoder.image_size)  # a large photo is shrunk to what the network needs
square = squash(photo, encoder.image_size, encoder.interpolation)
print(f"{PHOTO.name}: {photo.shape} becomes {square.shape}: height, width, and red, green and blue")

figure, axes = plt.subplots(1, 2, figsize=(7.5, 3))
for axis, image, title in zip(axes, (photo, square), ("the photo", "what the network gets")):
    axis.imshow(image)
    axis.set_title(title)
    axis.axis("off")
plt.show()

# %% [markdown]
# ## 2. The grid
#
# A convolutional network that has learned what things look like turns the square into a grid of 8 x 8 cells. (To name
# the one thing in a photo, it would now average over all cells. We keep them apart.) Each cell $t$ is a vector of $D$
# numbers, $\mathbf{h}^e_t$ (e for encoder), that describes what is there. It has also seen something of its
# surroundings, since convolutions mix neighbours.
#
# $$\mathbf{h}^e_0, \dots, \mathbf{h}^e_{L-1} = \mathrm{CNN}(\text{photo})$$
#
# Here $t$ counts cells, row by row from the top left. It is not time.

# %%
pixels = torch.from_numpy(square).permute(2, 0, 1)[None]  # (1, 3, 256, 256): a batch of one photo

grid = encoder(pixels)[0]  # (L, D)

L, D = grid.shape
side = encoder.grid_size
print(f"{encoder.name}: {L} cells of {D} numbers. The first numbers of cell 0: {grid[0, :5]}")

# %% [markdown]
# The numbers themselves say little to us. But we can ask how alike two cells are: the cosine of the angle between
# their vectors. It is 1 where they point the same way.

# %%
row, column = 4, 3
alike = F.cosine_similarity(grid, grid[side * row + column], dim=-1)  # (L,)

figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.5))
axes[0].imshow(square, extent=(-0.5, side - 0.5, side - 0.5, -0.5))
axes[0].set_title(f"cell {side * row + column}: row {row}, column {column}")
image = axes[1].imshow(alike.view(side, side), vmin=min(0, alike.min()), vmax=1)
axes[1].set_title("how alike each cell is to it")
figure.colorbar(image, ax=axes[1], shrink=0.85)
for axis in axes:
    axis.set(xticks=range(side), yticks=range(side))
    axis.set_xticks(np.arange(side - 1) + 0.5, minor=True)
    axis.set_yticks(np.arange(side - 1) + 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=0.7)
    axis.tick_params(which="both", length=0)
    axis.add_patch(
        plt.Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#e11d48", linewidth=3, zorder=3)
    )
plt.show()

# %% [markdown]
# ## 3. The keys
#
# The grid's cells and the LSTM's state are vectors of different kinds, so they cannot be compared as they are. A linear
# layer takes each cell into a space of $A$ numbers that both can reach. The result is the cell's *key*. Keys do not
# depend on the words, so they are computed once a photo.
#
# $$\mathrm{key}_t = \mathrm{linear}_e(\mathbf{h}^e_t) = W_e \, \mathbf{h}^e_t + \mathbf{b}_e$$

# %%
attention = decoder.attention
W_e, b_e = attention.linear_e.weight, attention.linear_e.bias  # (A, D), (A,)

keys = grid @ W_e.T + b_e  # (L, A)

print(f"A = {len(b_e)}. Keys: {tuple(keys.shape)}")
assert_close(keys, attention.project(grid), rtol=1e-4, atol=1e-4)

# %% [markdown]
# ## 4. The query
#
# The LSTM has written nothing yet: its hidden state $\mathbf{h}^d$ (d for decoder) is all zeros. Another linear layer
# takes it into the same space. The result is the *query*, the question that the LSTM asks of every cell.
#
# $$\mathrm{query} = \mathrm{linear}_d(\mathbf{h}^d) = W_d \, \mathbf{h}^d + \mathbf{b}_d$$
#
# While $\mathbf{h}^d$ is zero, only $\mathbf{b}_d$ is left. So for its first word the network asks the same question
# of every photo.

# %%
W_d, b_d = attention.linear_d.weight, attention.linear_d.bias  # (A, H), (A,)
H = W_d.shape[1]
h_d = torch.zeros(H)

query = W_d @ h_d + b_d  # (A,)

print(f"H = {H}. Query: {tuple(query.shape)}. Is it the bias? {torch.equal(query, b_d)}")

# %% [markdown]
# ## 5. The scores
#
# Key and query are added (so this attention is called *additive*), squeezed into -1..1 by tanh, and weighed to a
# single number: the score of the cell. The higher, the better it suits the question.
#
# $$a_t = \mathrm{linear}_{out}\big(\tanh(\mathrm{linear}_e(\mathbf{h}^e_t) + \mathrm{linear}_d(\mathbf{h}^d))\big)
#       = \mathbf{w}_{out} \cdot \tanh(\mathrm{key}_t + \mathrm{query}) + b_{out}$$

# %%
w_out, b_out = attention.linear_out.weight[0], attention.linear_out.bias  # (A,), (1,)

scores = torch.tanh(keys + query) @ w_out + b_out  # (L,)

print(f"{len(scores)} scores, from {scores.min():.2f} to {scores.max():.2f}")

# %% [markdown]
# ## 6. The weights
#
# Softmax makes the scores positive and lets them sum to 1. Now they are the *attention weights*: how much of the
# LSTM's look falls on each cell.
#
# $$\alpha_t = \frac{\exp(a_t)}{\sum_{j} \exp(a_j)}$$

# %%
weights = scores.exp() / scores.exp().sum()  # (L,)

print(f"sum: {weights.sum():.4f}, largest: {weights.max():.4f}, if all were equal: {1 / L:.4f}")
assert_close(weights, torch.softmax(scores, 0))


def show_map(axis, weights, top, title):
    """The square under a dark overlay, which lifts where there is attention: fully at `top` times the uniform weight."""
    axis.imshow(overlay(square, smooth_map(weights.view(side, side).numpy(), *square.shape[:2]), top))
    axis.set_title(title)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


figure, axes = plt.subplots(1, 3, figsize=(10, 3.1))
for axis, numbers, title in zip(axes, (scores, weights), ("scores", "weights")):
    image = axis.imshow(numbers.view(side, side))
    axis.set_title(title)
    axis.axis("off")
    figure.colorbar(image, ax=axis, shrink=0.85)
show_map(axes[2], weights, top=weights.max().item() * L, title="weights, over the photo")
plt.show()

# %% [markdown]
# **Why tanh?** Without it, key and query would fall apart into two sums:
# $\mathbf{w}_{out} \cdot \mathrm{key}_t + \mathbf{w}_{out} \cdot \mathrm{query}$. The second is the same for every
# cell, and softmax does not change when all scores grow by the same amount. So the LSTM could ask what it likes: the
# map would be the same for every word.

# %%
another_query = torch.randn_like(query)

assert_close(torch.softmax((keys + another_query) @ w_out, 0), torch.softmax(keys @ w_out, 0), rtol=1e-3, atol=1e-5)
print("Without tanh, any query gives the same map.")

# %% [markdown]
# ## 7. The context
#
# What the LSTM sees is the weighted sum of the cells, one vector, called the *context*. (Xu et al. call this soft
# attention.)
#
# $$\mathbf{z} = \sum_t \alpha_t \, \mathbf{h}^e_t$$

# %%
context = weights @ grid  # (D,)

nearest = F.cosine_similarity(grid, context, dim=-1).argmax().item()
print(f"Context: {tuple(context.shape)}. Most alike to cell {nearest}: row {nearest // side}, column {nearest % side}")

# %% [markdown]
# ## 8. The LSTM
#
# The long short-term memory (Hochreiter & Schmidhuber 1997) carries two vectors from step to step: the cell state
# $\mathbf{c}$, its memory, and the hidden state $\mathbf{h}^d$, what it shows of it. (This cell is not a cell of the
# grid.) It reads the last token's vector, its *embedding*, and the context, one after the other in one long vector
# $\mathbf{x}$. At the beginning the last token is a special one, START.
#
# $$\mathbf{x} = [\,\mathrm{embedding}(\text{last token});\ \mathbf{z}\,]$$

# %%
embedding, lstm = decoder.embedding.weight, decoder.lstm  # (V, H), and the weights of the LSTM
V = len(embedding)
c_d = torch.zeros(H)

x = torch.cat([embedding[START], context])  # (H + D,)

print(f"V = {V}. Input: {tuple(x.shape)}")

# %% [markdown]
# Four layers read $\mathbf{x}$ and the old $\mathbf{h}^d$. Three are *gates*, numbers from 0 (closed) to 1 (open), with
# $\sigma(u) = 1 / (1 + e^{-u})$:
#
# $$\begin{aligned}
# \mathbf{i} &= \sigma(W_i \mathbf{x} + U_i \mathbf{h}^d + \mathbf{b}_i) && \text{input gate: how much is written} \\
# \mathbf{f} &= \sigma(W_f \mathbf{x} + U_f \mathbf{h}^d + \mathbf{b}_f) && \text{forget gate: how much is kept} \\
# \mathbf{g} &= \tanh(W_g \mathbf{x} + U_g \mathbf{h}^d + \mathbf{b}_g) && \text{what might be written} \\
# \mathbf{o} &= \sigma(W_o \mathbf{x} + U_o \mathbf{h}^d + \mathbf{b}_o) && \text{output gate: how much is shown}
# \end{aligned}$$
#
# (The forget gate came later: Gers et al. (2000), "Learning to Forget".) PyTorch keeps the four $W$ in one matrix, one
# below the other, and the four $U$ in another; the bias is the sum of two.

# %%
W, U, b = lstm.weight_ih, lstm.weight_hh, lstm.bias_ih + lstm.bias_hh  # (4H, H + D), (4H, H), (4H,)

W_i, W_f, W_g, W_o = W.chunk(4)
U_i, U_f, U_g, U_o = U.chunk(4)
b_i, b_f, b_g, b_o = b.chunk(4)

i = torch.sigmoid(W_i @ x + U_i @ h_d + b_i)  # (H,)
f = torch.sigmoid(W_f @ x + U_f @ h_d + b_f)  # (H,)
g = torch.tanh(W_g @ x + U_g @ h_d + b_g)  # (H,)
o = torch.sigmoid(W_o @ x + U_o @ h_d + b_o)  # (H,)

print(f"open on average: input gate {i.mean():.2f}, forget gate {f.mean():.2f}, output gate {o.mean():.2f}")

# %% [markdown]
# The memory keeps a part of what it held, and takes in something new. At this first step it held nothing.
#
# $$\mathbf{c} \leftarrow \mathbf{f} \odot \mathbf{c} + \mathbf{i} \odot \mathbf{g}
# \qquad \mathbf{h}^d \leftarrow \mathbf{o} \odot \tanh(\mathbf{c})$$
#
# ($\odot$: number by number.)

# %%
c_d = f * c_d + i * g  # (H,)
h_d = o * torch.tanh(c_d)  # (H,)

print(f"hidden state: {h_d[:5]} ...")

# %% [markdown]
# ## 9. The probabilities
#
# Each token of the vocabulary gets a number, its *logit*: how well its embedding $E_v$ agrees with the hidden state,
# and a bias. The same embeddings are read at the input and used here: they are *tied* (Press & Wolf 2017). Softmax once
# more, and we have probabilities.
#
# $$y_v = E_v \cdot \mathbf{h}^d + b^y_v \qquad p(v) = \frac{\exp(y_v)}{\sum_{u} \exp(y_u)}$$

# %%
b_y = decoder.output_bias  # (V,)

logits = embedding @ h_d + b_y  # (V,)
probabilities = torch.softmax(logits, 0)  # (V,)


def name(token):
    """A token as we show it; one that goes on with the word before it begins with a hyphen."""
    if token == END:
        return "(end)"
    return tokenizer.decode([token]) if tokenizer.begins_word(token) else "-" + tokenizer.decode([token])


def show_bars(axis, logits, count=5):
    """The most probable tokens and their probabilities."""
    best = torch.softmax(logits, 0).topk(count)
    bars = axis.barh([name(token) for token in best.indices.tolist()], best.values, color=[BLUE] + [GREY] * (count - 1))
    axis.bar_label(bars, [f"{value:.0%}" for value in best.values.tolist()], padding=3, fontsize=9)
    axis.invert_yaxis()
    axis.set(xlim=(0, 1.12), xticks=[])
    axis.tick_params(length=0)
    axis.spines[["top", "right", "bottom"]].set_visible(False)


figure, axis = plt.subplots(figsize=(4.5, 2))
show_bars(axis, logits)
axis.set_title("the first token")
plt.show()

# %% [markdown]
# ## 10. The word
#
# We take the most probable token; this is *greedy* decoding. (Beam search, `capmodel/decoding/beam_search.py`, keeps several
# captions alive, and often finds a more probable one.)
#
# A token is not always a word. Rare words are made of *sub-words* (Sennrich et al. 2016), so that a small vocabulary
# can write almost any word. A word is complete when the next token begins a new one.

# %%
token = probabilities.argmax().item()
print(f"the first token: {name(token)}")
for word in ("dog", "wakeboarder", "walkthrough"):
    print(f"{word}:", " ".join(name(token) for token in tokenizer.encode(word)))

# %% [markdown]
# ## 11. Is this what the library computes?
#
# `decoder.step` does sections 4 to 9 for many photos and many captions at once; so its tensors have two more axes, here
# both of size 1. (The tolerance is for rounding: the additions come in another order.)

# %%
memory = decoder.prepare(grid[None])
library_logits, library_state, library_weights = decoder.step(
    torch.tensor([[START]]), decoder.start(memory, captions=1), memory
)

assert_close(logits, library_logits[0, 0], rtol=1e-3, atol=1e-3)
assert_close(weights, library_weights[0, 0], rtol=1e-3, atol=1e-5)
assert_close(h_d, library_state.hidden[0, 0], rtol=1e-3, atol=1e-4)
assert_close(c_d, library_state.cell[0, 0], rtol=1e-3, atol=1e-4)
print("One step: the same logits, weights and state.")

# %% [markdown]
# ## 12. Three words
#
# The same lines again, as functions. Note the order: the LSTM looks first, with the state from before; only then does
# it read the last token, together with what it saw. Two things are forbidden, as in the library: tokens that are no
# part of a text (PAD, UNKNOWN, START), and to end before the first word.


# %%
def score(h_d):
    """Section 4 and 5: h_d (H,) -> scores (L,)."""
    query = W_d @ h_d + b_d
    return torch.tanh(keys + query) @ w_out + b_out


def look(h_d):
    """Section 6 and 7: h_d (H,) -> context (D,), weights (L,)."""
    weights = torch.softmax(score(h_d), 0)
    return weights @ grid, weights


def read(x, h_d, c_d):
    """Section 8: the LSTM, x (H + D,), h_d (H,), c_d (H,) -> the new h_d, c_d."""
    i, f, g, o = (W @ x + U @ h_d + b).chunk(4)
    c_d = torch.sigmoid(f) * c_d + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c_d), c_d


class Step(NamedTuple):
    """What we keep of a step."""

    token: int  # the one that was chosen
    logits: torch.Tensor  # (V,)
    weights: torch.Tensor  # (L,)
    h_d: torch.Tensor  # (H,), the state that asked


def write(words):
    """Greedy decoding by hand, until so many words are complete or the caption ends -> steps."""
    steps, token = [], START
    h_d, c_d = torch.zeros(H), torch.zeros(H)
    while True:
        asked = h_d
        context, weights = look(h_d)
        h_d, c_d = read(torch.cat([embedding[token], context]), h_d, c_d)
        logits = embedding @ h_d + b_y
        forbidden = [PAD, UNKNOWN, START] if steps else [PAD, UNKNOWN, START, END]
        token = logits.index_fill(0, torch.tensor(forbidden), -torch.inf).argmax().item()
        complete = len(tokenizer.word_spans([step.token for step in steps]))
        if token == END or (complete == words and tokenizer.begins_word(token)):
            return steps
        steps.append(Step(token, logits, weights, asked))


steps = write(words=3)
tokens = [step.token for step in steps]
spans = tokenizer.word_spans(tokens)  # of each word: its text, and from which to which of its tokens
print("by hand:", " ".join(text for text, _, _ in spans))
print("tokens: ", " ".join(map(name, tokens)))

# %% [markdown]
# Where it looked for each word, and which tokens it chose from. All maps share one scale. Where a word has several
# tokens, the map is the mean of theirs, and the bars are those of the first.

# %%
maps = [torch.stack([step.weights for step in steps[start:stop]]).mean(0) for _, start, stop in spans]
top = min(CLEAR, max(2.0, torch.stack(maps).max().item() * L))  # where the overlay is lifted wholly, in times uniform

figure, axes = plt.subplots(2, len(spans), figsize=(3.2 * len(spans), 4.9), height_ratios=(3, 1.7), squeeze=False)
for (text, start, _), weights, (above, below) in zip(spans, maps, axes.T):
    show_map(above, weights, top, text)
    show_bars(below, steps[start].logits)
plt.show()

# %% [markdown]
# **What a map does not say.** It shows where the LSTM looked, not why it wrote the word. It remembers what it saw at
# earlier steps, and often it knows the next word from the words before. Then it may look somewhere else.
# Section 14 asks whether the place mattered.

# %% [markdown]
# ## 13. The library's three words
#
# Three comparisons. First, `decoder` as training calls it: the right words so far are given, and it predicts the next
# token at every place at once (*teacher forcing*).

# %%
library_logits, library_weights = decoder(grid[None], torch.tensor([[[START, *tokens[:-1]]]]))

assert_close(torch.stack([step.logits for step in steps]), library_logits[0, 0], rtol=1e-3, atol=1e-3)
assert_close(torch.stack([step.weights for step in steps]), library_weights[0, 0], rtol=1e-3, atol=1e-5)
print(f"{len(steps)} steps: the same logits and weights.")

# %% [markdown]
# Then the whole captioner, from the photo's file to the words: with a beam of 1, which is greedy decoding, and without
# the search's rules: no three tokens come twice, naming a content word again costs something, and "person" gets what "man"
# and "woman" have in common.

# %%
[caption] = captioner([PHOTO], beam=1, no_repeated_trigram=False, repetition_cost=0, hedging=0)

print("by hand:    ", " ".join(text for text, _, _ in spans))
print("the library:", caption.text)
assert [text for text, _, _ in spans] == [word.text for word in caption.words[: len(spans)]]

# %% [markdown]
# Last, the map and the probability of each word. A word's probability is the product of its tokens'.

# %%
for (text, start, stop), weights, word in zip(spans, maps, caption.words):
    chances = [torch.softmax(step.logits, 0)[step.token] for step in steps[start:stop]]
    assert_close(torch.stack(chances).prod().item(), word.probability, rtol=1e-3, atol=1e-4)
    assert_close(weights.view(side, side), torch.from_numpy(word.weights), rtol=1e-3, atol=1e-5)
    print(f"{text}: probability {word.probability:.3f}, strongest cell {word.weights.max():.3f}; the same by hand")

# %% [markdown]
# ## 14. Looked and mattered
#
# Where it looked is one question, what mattered is another: how much less probable does a word $w$ become if the LSTM
# cannot see a cell? So we hide one cell $t$ after the other, by giving it the mean of all cells, and read the same
# words again. The fall of the log-probability is the cell's *evidence* for the word, in nats:
#
# $$\mathrm{evidence}_t(w) = \log p(w \mid \mathbf{h}^e_0, \dots, \mathbf{h}^e_{L-1})
# - \log p(w \mid \mathbf{h}^e_0, \dots, \bar{\mathbf{h}}^e, \dots, \mathbf{h}^e_{L-1})$$
#
# Here $\bar{\mathbf{h}}^e$ stands in cell $t$'s place. Evidence has a sign: below 0, the cell speaks against the word.


# %%
def read_words(grid):
    """Sections 3 to 9 for words that are given: grid (L, D) -> the log-probability of each of them, (words,)."""
    keys, h_d, c_d, logprobs = grid @ W_e.T + b_e, torch.zeros(H), torch.zeros(H), []
    for last, token in zip([START, *tokens], tokens):
        weights = torch.softmax(torch.tanh(keys + W_d @ h_d + b_d) @ w_out + b_out, 0)
        h_d, c_d = read(torch.cat([embedding[last], weights @ grid]), h_d, c_d)
        logprobs.append(torch.log_softmax(embedding @ h_d + b_y, 0)[token])
    return torch.stack([sum(logprobs[start:stop]) for _, start, stop in spans])


def without(t):
    """The grid (L, D) with cell t hidden."""
    hidden = grid.clone()
    hidden[t] = grid.mean(0)
    return hidden


evidence = torch.stack([read_words(grid) - read_words(without(t)) for t in range(L)], 1)  # (words, L)

by_library = grid_evidence(captioner, grid, caption)
assert_close(evidence.view(-1, side, side), torch.from_numpy(by_library.nats[: len(spans)]), rtol=1e-3, atol=1e-4)
print("Evidence: the library finds the same.")

# %% [markdown]
# Above, where it looked. Below, what mattered: clear cells speak for the word, tinted ones against it. The number is
# how many times less probable the word is without its strongest cell, $e^{\mathrm{evidence}}$.

# %%
scale = evidence_top(by_library)  # one for all words of the caption, in nats

figure, axes = plt.subplots(2, len(spans), figsize=(3.2 * len(spans), 6.6), squeeze=False)
for (text, _, _), weights, nats, (above, below) in zip(spans, maps, evidence, axes.T):
    show_map(above, weights, scale_top(caption), text)
    below.imshow(overlay_evidence(square, smooth_evidence(nats.view(side, side).numpy(), *square.shape[:2]), scale))
    below.set(xticks=[], yticks=[], xlabel=f"{nats.max().exp():.2f} times less probable without it")
    below.spines[:].set_visible(False)
axes[0, 0].set_ylabel("looked")
axes[1, 0].set_ylabel("mattered")
plt.show()

# %% [markdown]
# ## 15. How to read a map: "x uniform"
#
# If the LSTM looked everywhere alike, each cell would have the weight $1/L$: *uniform* attention. We measure in this
# unit: 1x is what a cell would have then, 5x is five times as much.
#
# $$\text{x uniform} = L \, \alpha_t$$
#
# And we draw all maps of a caption on one scale, from 0 to its strongest cell (`capmodel/output/overlay.py`), in the upper
# row. Many programs stretch each map from its own smallest to its own largest weight instead, as in the lower row. The
# map in the middle is 97% uniform, and 3% the map on the left. Stretched, the two are the same picture (they differ by
# a factor and a constant, and stretching removes both), and the reader is misled. Uniform attention cannot be
# stretched.

# %%
uniform = torch.full((L,), 1 / L)
focused = maps[-1]
almost = 0.97 * uniform + 0.03 * focused
top = scale_top(caption)  # the strongest cell of the caption's words, but from 2x to 8x


def stretched(weights):
    """From 0 to `top`, whatever the weights."""
    return (weights - weights.min()) / (weights.max() - weights.min()) * top / L


figure, axes = plt.subplots(2, 3, figsize=(8.5, 6.2))
for axis, weights, title in zip(axes[0], (focused, almost, uniform), (f'"{spans[-1][0]}"', "97% uniform", "uniform")):
    show_map(axis, weights, top, title)
    peak = times_uniform(weights.view(side, side).numpy()).max()
    axis.set_xlabel(f"strongest cell: {peak:.2f}x uniform")
for axis, weights in zip(axes[1], (focused, almost)):
    show_map(axis, stretched(weights), top, "")
axes[1, 2].axis("off")
axes[0, 0].set_ylabel("one scale")
axes[1, 0].set_ylabel("each stretched")
plt.show()

# %% [markdown]
# ## 16. Other ways from scores to weights
#
# Softmax never gives a weight of exactly 0: a little of every cell gets into the context. Two others
# (`capmodel/model/normalizers.py`), on the scores of section 5:
#
# - **Sparsemax** (Martins & Astudillo 2016) takes the point nearest to the scores among all weights that are not
#   negative and sum to 1. With one threshold $\tau$ for all cells,
#   $\alpha_t = \max(0, a_t - \tau)$, so that low scores give exactly 0.
# - **Hard** attention (Xu et al. 2015) looks at one cell only; here at the one with the highest score. In training the
#   cell is drawn at random instead.
#
# This model was trained with softmax. One that is trained with another would learn other scores, so this shows what the
# functions do, not what such a model would see. Each map has its own scale here, up to its strongest cell.

# %%
ways = {way: make_normalizer(way).eval()(scores) for way in ("softmax", "sparsemax", "hard")}

figure, axes = plt.subplots(1, len(ways), figsize=(9, 3.4))
for axis, (way, weights) in zip(axes, ways.items()):
    peak = weights.max().item() * L
    show_map(axis, weights, peak, way)
    axis.set_xlabel(f"cells above 0: {(weights > 0).sum()}\nstrongest cell: {peak:.1f}x uniform")
    print(f"{way}: sum {weights.sum():.4f}, largest {weights.max():.4f}")
plt.show()

# %% [markdown]
# ## 17. Your turn
#
# 1. **Another photo.** Change `PHOTO` in section 1 to another file of `assets/photos`, or to your own. Before you run
#    the rest, write down where you would look for each word. Where do you and the network differ?
#
# For the others, add cells below. A function that is defined again replaces the first one, also inside `write`.
#
# 2. **No attention.** Let `look` return `grid.mean(0), torch.full((L,), 1 / L)`: the LSTM sees only the average cell.
#    Write ten words with and without. Which words change? Which did not need the places, and why?
# 3. **Sharper and flatter.** Divide the scores in `look` by a *temperature*: 0.5, 2, 10. What happens to the maps, and
#    from where on to the words? What do you get as it goes to 0, and as it grows without end?
# 4. **Chance.** Let `write` draw each token by its probability (softmax and `torch.multinomial`) instead of taking the
#    best. Write five captions. What is better than with greedy decoding, what is worse?
# 5. **What does a cell see?** Paint the 32 x 32 pixels of one cell of `square` grey, and compute the grid again. How
#    much does each of the 64 vectors change? Draw it as in section 2. Then hide the strongest cell of a word: does the
#    word change? (`capmodel/explain/occlusion.py` does this with controls.) Compare with section 14, which hides it in
#    the grid: what do the other cells still know of it?
# 6. **It looked right and did not care.** Find a word in the example photos whose map lies where you would look, but
#    which is as probable without the photo. `captioner(sorted(PHOTOS.glob("*.jpg")), evidence=True)` gives captions
#    whose `evidence.kept` says which share of its probability each word keeps when all cells are hidden. How did the
#    LSTM know the word? Change the words before it, and test your guess.
