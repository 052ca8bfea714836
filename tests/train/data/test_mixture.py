"""Photos of several data sets in one stream: each in its share, everywhere, and always the same."""

from collections import Counter

import numpy as np
import pytest

from train.data.batches import PhotoBatches
from train.data.mixture import Mixture

SIZES = (12, 5, 3)


def stream(mixture: Mixture, count: int, seed: int = 0, start: int = 0) -> list[int]:
    return [mixture(position, seed) for position in range(start, start + count)]


def sets_of(photos: list[int]) -> list[int]:
    """The data set that each photo is from."""
    return np.searchsorted(np.cumsum(SIZES), photos, side="right").tolist()


def test_by_default_an_epoch_shows_every_photo_once_in_another_order_each_time():
    epochs = [stream(Mixture(SIZES), 20, start=20 * epoch) for epoch in range(4)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 4


@pytest.mark.parametrize("weights", [(1, 1, 1), (4, 1, 5), (0.5, 0.25, 0.25), (1, 1000, 3), (0.1, 0.2, 0.7), None])
def test_every_stretch_has_the_data_sets_in_the_proportion_of_their_weights(weights):
    drawn = np.eye(3)[sets_of(stream(Mixture(SIZES, weights), 600))]
    shares = np.array(weights or SIZES) / sum(weights or SIZES)
    so_far = np.concatenate([np.zeros((1, 3)), drawn.cumsum(0)])
    for length in (1, 10, 37, 100, 600):
        found = so_far[length:] - so_far[:-length]
        assert np.abs(found - length * shares).max() < 3  # where it begins does not matter
    assert so_far[-1] == pytest.approx(600 * shares, abs=1)


def test_shares_are_exact_wherever_they_can_be():
    drawn = sets_of(stream(Mixture(SIZES, (4, 1, 5)), 200))
    assert [Counter(drawn[first : first + 10]) for first in range(0, 200, 10)] == [{0: 4, 1: 1, 2: 5}] * 20


def test_a_data_set_is_shuffled_anew_when_all_of_its_photos_were_drawn():
    photos = stream(Mixture(SIZES, (1, 1, 2)), 240)
    for index, size in enumerate(SIZES):
        own = [photo for photo, of in zip(photos, sets_of(photos)) if of == index]
        rounds = [tuple(own[first : first + size]) for first in range(0, len(own) - size + 1, size)]
        assert len(rounds) >= 5
        assert len({tuple(sorted(each)) for each in rounds}) == 1  # each time all of them, once
        assert len(set(rounds)) > 1


def test_it_depends_on_the_position_and_the_seed_alone():
    forwards = stream(Mixture(SIZES, (1, 2, 3)), 100)
    other = Mixture(SIZES, (1, 2, 3))
    assert [other(position, 0) for position in reversed(range(100))] == forwards[::-1]
    assert stream(other, 100, seed=1) != forwards
    assert sets_of(stream(other, 100, seed=1)) == sets_of(forwards)


@pytest.mark.parametrize("weights", [(1,), (1, 2, 3, 4), (1, 0, 1), (1, -1, 1)])
def test_other_weights_are_refused(weights):
    with pytest.raises(ValueError, match="3 data sets need as many positive weights"):
        Mixture(SIZES, weights)


def test_batches_draw_from_it():
    views = [np.zeros((20, 1, 1), np.float16)]
    batches = PhotoBatches(views=views, batch_size=10, seed=0, mixture=Mixture(SIZES, (1, 1, 8)))
    for step in range(3):
        assert Counter(sets_of(batches(step)["photo"].tolist())) == {0: 1, 1: 1, 2: 8}
    whole = PhotoBatches(views=views, batch_size=20, seed=0)  # without one: all photos as one data set
    assert sorted(whole(0)["photo"].tolist()) == list(range(20))
