"""Keyframes left out of a map and found again."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from campose_core.capture.recording import open_recording
from campose_core.evaluation.metrics import evaluate
from campose_core.evaluation.run import localize_recording
from campose_core.geometry import Similarity
from campose_core.landmark_map.held_out import NOTHING, HeldOut, HeldOutReport
from campose_core.localization.calibration import UNCALIBRATED, CovarianceCalibration
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.scene.alignment import Alignment
from campose_core.scene.scene import Scene
from campose_core.sfm.cross_validation import (
    FOLDS,
    MIN_KEYFRAMES,
    SEEN_ACROSS,
    SHARE,
    Links,
    gaps,
    removable,
    shortened,
)
from campose_core.trajectory import read_tum


@given(st.integers(MIN_KEYFRAMES, 500), st.floats(0.03, 2.0))
def test_gaps_are_stretches_of_a_fifth_and_others_in_each_fold(count, step_s):
    sequence = [f"{i:04d}" for i in range(count)]
    seconds = {name: i * step_s for i, name in enumerate(sequence)}
    folds = [gaps(sequence, seconds, fold) for fold in range(FOLDS)]
    for blocks in folds:
        assert all(len(block) > 0 for block in blocks)
        for block in blocks:
            first = sequence.index(block[0])
            assert block == sequence[first : first + len(block)]
        left_out = [name for block in blocks for name in block]
        assert len(left_out) == len(set(left_out))
        assert abs(len(left_out) - SHARE * count) <= len(blocks)
    names = [name for blocks in folds for block in blocks for name in block]
    assert len(names) == len(set(names))
    longest = max(len(block) for blocks in folds for block in blocks)
    if SHARE * count * step_s > 8:
        assert 2.0 < longest * step_s < 7.0 or longest == 1


def test_a_short_source_keeps_all_its_keyframes():
    sequence = [f"{i:04d}" for i in range(MIN_KEYFRAMES - 1)]
    assert gaps(sequence, {name: float(i) for i, name in enumerate(sequence)}, 0) == []


NAMES = [f"{i:04d}" for i in range(30)]


def chain(loop: bool, length: int = 2) -> Links:
    """So many keyframes in a row show the same SEEN_ACROSS landmarks; a loop closes the chain."""
    count = len(NAMES)
    shown = np.zeros((count, count, SEEN_ACROSS), dtype=int)
    for first in range(count if loop else count - length + 1):
        shown[[(first + i) % count for i in range(length)], first] = 1
    return Links(NAMES, [csr_matrix(shown.reshape(count, -1))])


def test_what_holds_the_map_together_stays_in_it():
    one, other = NAMES[5:9], NAMES[20:24]
    assert removable([one, other], chain(loop=False)) == []
    assert removable([one, other], chain(loop=True)) == one  # without both, two parts would be left
    assert removable([NAMES[:4], NAMES[26:]], chain(loop=False)) == NAMES[:4] + NAMES[26:]


def test_of_a_stretch_that_no_image_looks_across_a_shorter_part_is_left_out():
    bridged = chain(loop=False, length=5)
    part = shortened(NAMES[4:12], NAMES, bridged)
    assert 1 < len(part) < 8
    assert set(part) < set(NAMES[4:12])
    assert shortened(NAMES[4:7], NAMES, bridged) == NAMES[4:7]
    few = Links(NAMES, [bridged.shown[0][:, ::2]])  # half of these landmarks: from neighbours of the gap alone
    assert len(shortened(NAMES[4:7], NAMES, few)) < 3
    assert len(shortened(NAMES[4:12], NAMES, chain(loop=False))) == 1  # a single one may always go


def test_a_map_too_small_to_leave_anything_out_says_so(tmp_path):
    nothing = HeldOut(np.array([], dtype=np.str_), np.zeros((0, 6)), np.zeros((0, 6, 6)), np.zeros(0))
    nothing.save(tmp_path / "sfm" / "held_out.npz")
    read = HeldOut.load(tmp_path / "sfm" / "held_out.npz")
    assert read.summary() == NOTHING
    assert read.report() == HeldOutReport(keyframes=0, found=0)
    scene = Scene(tmp_path, "tiny", alignment=Alignment(Similarity.identity(), "given"))
    assert CovarianceCalibration.load(scene) == UNCALIBRATED


@pytest.mark.slow
def test_a_rendered_drive_is_found_again_without_its_own_keyframes(small_scene, small_world):
    scene = Scene.open(small_scene)
    held_out = HeldOut.load(scene.sfm_dir / "held_out.npz")
    in_map = held_out.transformed(scene.alignment.map_from_sfm)
    keyframes = {frame.name for frame in scene.posed_frames()}
    assert set(held_out.names.tolist()) <= keyframes
    assert 0.1 * len(keyframes) < len(held_out.names) <= FOLDS * SHARE * len(keyframes) + 2
    assert held_out.found.mean() > 0.7
    assert 1e-5 < in_map.median_position < 0.03
    assert 1e-3 < in_map.median_deg < 0.5
    report = json.loads((scene.sfm_dir / "report.json").read_text())["held_out"]
    assert report["keyframes"] == len(held_out.names)
    assert report["found"] == held_out.found.sum()
    # Percent of the depth does not depend on the unit of length.
    assert in_map.report().median_percent_of_depth == pytest.approx(report["median_percent_of_depth"])
    assert f"{report['found']} of {report['keyframes']} keyframes found again" in in_map.summary()


@pytest.mark.slow
def test_covariances_of_a_rendered_scene_hold_on_another_drive(small_scene, small_world):
    scene = Scene.open(small_scene)
    assert CovarianceCalibration.load(scene).factor != UNCALIBRATED.factor
    later = open_recording(small_world / "later.mp4", None)
    estimates = localize_recording(scene, later, StructureEstimator.load(scene))
    metrics = evaluate(estimates, read_tum(small_world / "later.tum"))
    assert metrics.reliability is not None
    assert metrics.reliability.frames == metrics.answered
    pose = metrics.reliability.parts["pose"]
    assert pose.coverage["90 %"] > 0.7
    assert 0.3 < pose.error_ratio < 1.5
