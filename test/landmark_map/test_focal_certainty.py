"""What a reconstruction tells of a focal length that nobody measured, and what it leaves open."""

from dataclasses import replace

import numpy as np
import pytest
from landmark_rooms import looking
from posed_models import OWN, reconstructed, room

from campose_core.camera import Camera
from campose_core.landmark_map.focal_certainty import focal_sigmas, focal_texts

ASSUMED = Camera.from_field_of_view(640, 480, 60.0)


def test_who_turns_in_a_room_tells_it_and_who_passes_a_wall_does_not():
    turning = [looking(0.15 * n, np.array([1.0 + 0.15 * n, 2.5, 1.4])) for n in range(12)]
    wall = np.random.default_rng(0).uniform([4.0, -4.0, -2.0], [4.02, 8.0, 5.0], (800, 3))
    passing = [looking(0.0, np.array([1.0, 0.2 * n, 1.4])) for n in range(12)]
    assert focal_sigmas(reconstructed(turning, room()))["walk"] < 0.02
    assert focal_sigmas(reconstructed(passing, wall))["walk"] > 0.1


def test_more_noise_leaves_it_less_sure():
    turning = [looking(0.15 * n, np.array([1.0 + 0.15 * n, 2.5, 1.4])) for n in range(12)]
    fine, coarse = (focal_sigmas(reconstructed(turning, room(), noise))["walk"] for noise in (0.3, 1.2))
    assert 2 * fine < coarse < 8 * fine


@pytest.mark.parametrize(
    ("given_px", "guessed", "sigma", "said"),
    [
        (None, ["walk"], 0.004, ["guessed before, is 520.0 +- 2.1 pixels"]),
        (None, ["walk"], 0.4, ["stays open"]),
        (530.0, ["walk"], 0.004, ["guessed before"]),
        (364.0, ["walk"], 0.004, ["guessed before", "says 364 pixels, which does not fit"]),
        (525.0, [], 0.004, []),
        (364.0, [], 0.004, ["say 364 pixels, the map 520"]),
    ],
)
def test_people_are_told(given_px, guessed, sigma, said):
    given = ASSUMED if given_px is None else replace(OWN, params=(given_px, *OWN.params[1:]))
    texts = focal_texts({"walk": given}, guessed, {"walk": OWN}, {"walk": sigma})
    assert len(texts) == len(said)
    assert all(words in text for words, text in zip(said, texts, strict=True))
