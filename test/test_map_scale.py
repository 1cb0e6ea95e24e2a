"""What a scale that nothing measured does to what is given out, and that it decides nothing."""

import json
import math

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scripted_estimator import CAMERA, ScriptedEstimator, at, frame, stamp
from two_rooms import drive, mapped, scene_at

from campose_core.cli.main import main
from campose_core.cli.show_place import facts_of, in_words
from campose_core.doctor.diagnosis import diagnose
from campose_core.doctor.diagnosis_picture import picture_of
from campose_core.doctor.diagnosis_text import text_of
from campose_core.errors import GeometryError, SceneError
from campose_core.evaluation.estimates import Estimates, FrameOutcome, read_estimates, write_estimates
from campose_core.floor import FREE, FloorMap
from campose_core.localization.estimators.base import Kind
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import LocalizationResult
from campose_core.map_scale import MEASURED, UNKNOWN, MapScale, ScaleBasis
from campose_core.scene.scene import Scene
from campose_core.walkable import WalkableMap

ASSUMED = MapScale(ScaleBasis.ASSUMED, 0.15, (0.5, -1.0, 1.4))
coordinates, seeds = st.floats(-50, 50), st.integers(0, 10**6)
EASTWARDS = mapped(drive(np.arange(0.6, 9.5, 0.2), 0), per_m2=30)


def walk_with_jumps(seed: int) -> list:
    """Steps, misses, jumps that are confirmed and such that are not, and a long silence."""
    generator = np.random.default_rng(seed)
    script, x = [], 1.0
    while len(script) < 60:
        what = generator.choice(["walk", "miss", "jump", "stray", "gone"], p=[0.5, 0.15, 0.1, 0.15, 0.1])
        if what == "jump":
            x = float(generator.uniform(0.5, 9.0))
        for _ in range({"gone": 17, "stray": 1}.get(what, 5)):
            x += 0.05
            stray = float(generator.uniform(0.5, 9.0))
            script.append(None if what in ("miss", "gone") else at(stray if what == "stray" else x % 10))
    return script


def run(script: list, scale: MapScale, kind: Kind, sigma_m: float, odometry: bool) -> list[LocalizationResult]:
    cells = np.full((60, 220), FREE, np.int8)
    walkable = WalkableMap.from_floor(FloorMap(cells, 0.05), radius_m=0.1, max_snap_m=0.5)
    poses = {stamp(i): pose for i, pose in enumerate(script) if pose is not None}
    localizer = Localizer(ScriptedEstimator(poses, sigma_m, kind), walkable=walkable, scale=scale)
    return [
        localizer.localize(frame(stamp(i)), CAMERA, odom_from_base=at(0.05 * i) if odometry else None)
        for i in range(len(script))
    ]


@settings(max_examples=12, deadline=None)
@given(seeds, st.sampled_from([Kind.TRACKED, Kind.LEARNED]), st.sampled_from([0.005, 0.2]), st.booleans())
def test_an_assumed_scale_widens_what_comes_out_and_decides_nothing(seed, kind, sigma_m, odometry):
    script = walk_with_jumps(seed)
    plain, wider = (run(script, scale, kind, sigma_m, odometry) for scale in (MEASURED, ASSUMED))
    assume(any(result.map_from_base is not None for result in plain))
    for a, b in zip(plain, wider, strict=True):
        assert (a.status, a.reason, a.kind, a.support, a.off_map, a.snap_distance_m) == (
            b.status, b.reason, b.kind, b.support, b.off_map, b.snap_distance_m,
        )  # fmt: skip
        for name in ("map_from_base", "map_from_cam", "on_floor"):
            one, other = getattr(a, name), getattr(b, name)
            assert (one is None) == (other is None)
            assert one is None or (one.matrix() == other.matrix()).all()
        assert (a.covariance is None) == (b.covariance is None)
        if a.covariance is not None:
            off = 0.15 * (b.map_from_base.translation - ASSUMED.anchor)
            expected = a.covariance.copy()
            expected[:3, :3] += np.outer(off, off)
            assert (b.covariance == expected).all()
            assert (b.within_map_covariance == a.covariance).all()


@given(st.tuples(coordinates, coordinates, coordinates), st.floats(0.01, 0.5))
def test_off_by_its_share_of_the_way_from_the_first_keyframe_and_in_no_other_direction(position, sigma):
    scale = MapScale(ScaleBasis.ASSUMED, sigma, (1.0, 2.0, 3.0))
    added = scale.widened(np.eye(6), position) - np.eye(6)
    way = np.subtract(position, scale.anchor)
    assert np.trace(added) == pytest.approx((sigma * np.linalg.norm(way)) ** 2, abs=1e-9)
    assert added @ np.concatenate([np.cross(way, [0.3, 0.2, 0.9]), [1, 1, 1]]) == pytest.approx(np.zeros(6), abs=1e-6)
    for other in (MEASURED, UNKNOWN):
        assert (other.widened(np.eye(6), position) == np.eye(6)).all()


def test_odometry_is_left_alone_where_the_unit_is_not_the_metre():
    script = [at(0.02 * i) for i in range(20)]
    poses = {stamp(i): pose for i, pose in enumerate(script)}
    metres = [at(0.2 * i) for i in range(20)]
    told = Localizer(ScriptedEstimator(poses, 0.05, Kind.LEARNED), scale=UNKNOWN)
    alone = Localizer(ScriptedEstimator(poses, 0.05, Kind.LEARNED))
    for i in range(20):
        a = told.localize(frame(stamp(i)), CAMERA, odom_from_base=metres[i])
        b = alone.localize(frame(stamp(i)), CAMERA)
        assert (a.map_from_base is None) == (b.map_from_base is None)
        assert a.map_from_base is None or (a.map_from_base.matrix() == b.map_from_base.matrix()).all()


@pytest.mark.parametrize("scale", [MEASURED, ASSUMED, UNKNOWN])
def test_estimates_on_disk_say_what_their_metres_rest_on(tmp_path, scale):
    covariance = np.diag([1e-4] * 6)
    outcomes = [FrameOutcome(i, at(float(i)), "TRACKING", 1.0, covariance) for i in range(3)] + [FrameOutcome(9, None)]
    plain = Estimates("structure", tuple(outcomes))
    write_estimates(tmp_path / "est.tum", plain.in_map_of(scale))
    summary = json.loads((tmp_path / "est.json").read_text())
    assert summary["scale"] == scale.basis.value
    assert summary.keys() - {"scale"} == {"estimator", "frames", "answered", "latency_ms", "statuses", "per_frame"}
    read = read_estimates(tmp_path / "est.tum")
    assert read.scale is scale.basis
    assert (read.trajectory.positions == plain.trajectory.positions).all()
    for outcome in read.outcomes[:3]:
        expected = scale.widened(covariance, outcome.map_from_cam.translation)
        np.testing.assert_allclose(outcome.covariance, expected, rtol=1e-9, atol=1e-15)
    del summary["scale"]  # as an older version wrote it
    (tmp_path / "est.json").write_text(json.dumps(summary))
    assert read_estimates(tmp_path / "est.tum").scale is ScaleBasis.MEASURED


def with_scale(scene: Scene, scale: MapScale) -> Scene:
    header = yaml.safe_load((scene.path / "scene.yaml").read_text())
    header["alignment"]["scale_basis"] = scale.to_dict()
    (scene.path / "scene.yaml").write_text(yaml.safe_dump(header))
    return Scene.open(scene.path)


def test_a_scene_that_does_not_say_was_measured_and_stays_as_it_is(tmp_path):
    scene = scene_at(tmp_path, EASTWARDS)
    assert scene.scale == MEASURED
    scene.save()
    assert "scale_basis" not in (tmp_path / "scene.yaml").read_text()
    for scale in (ASSUMED, UNKNOWN):
        opened = with_scale(scene, scale)
        assert opened.scale == scale
        opened.save()
        assert Scene.open(tmp_path).alignment.to_dict() == opened.alignment.to_dict()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"basis": "guessed"},
        {"basis": "assumed"},
        {"basis": "assumed", "relative_sigma": math.nan, "anchor": [0, 0, 0]},
        {"basis": "assumed", "relative_sigma": 0.1, "anchor": [0, 0]},
        None,
        "assumed",
    ],
)
def test_a_damaged_mark_is_told_in_one_line(tmp_path, fields):
    scene_at(tmp_path, EASTWARDS)
    header = yaml.safe_load((tmp_path / "scene.yaml").read_text())
    header["alignment"]["scale_basis"] = fields
    (tmp_path / "scene.yaml").write_text(yaml.safe_dump(header))
    with pytest.raises(SceneError, match=r"scene\.yaml is damaged"):
        Scene.open(tmp_path)


@pytest.mark.parametrize(("sigma", "anchor"), [(0, (0, 0, 0)), (-1, (0, 0, 0)), (0.1, (0, 0, math.inf)), (0.1, (0, 0))])
def test_a_scale_that_cannot_be(sigma, anchor):
    with pytest.raises(GeometryError):
        MapScale(ScaleBasis.ASSUMED, sigma, anchor)
    with pytest.raises(GeometryError):
        MapScale(ScaleBasis.UNKNOWN, 0.1)


@pytest.mark.parametrize("scale", [MEASURED, ASSUMED, UNKNOWN])
def test_doctor_says_it_in_text_json_and_picture(tmp_path, capsys, scale):
    scene = with_scale(scene_at(tmp_path, EASTWARDS, floor=False), scale)
    found = diagnose(scene)
    text = text_of(found)
    facts = found.to_dict()
    assert facts["scale"] == scale.basis.value
    assert facts["unit"] == ("units" if scale is UNKNOWN else "m")
    assert (f"scale {scale.basis.value}" in text) == (scale is not MEASURED)
    assert ("campose align" in text) == (scale is not MEASURED)
    assert (" m2" in text, "square units" in text) == (scale is not UNKNOWN, scale is UNKNOWN)
    assert (" cm" in text) == (scale is not UNKNOWN)
    assert picture_of(found) is not None
    assert main(["doctor", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scale"] == scale.basis.value


def test_doctor_draws_no_floor_map_that_lies_elsewhere(tmp_path):
    assert diagnose(with_scale(scene_at(tmp_path, EASTWARDS), UNKNOWN)).walkable is None


@pytest.mark.parametrize("scale", [MEASURED, ASSUMED, UNKNOWN])
def test_the_place_of_a_picture_is_told_with_its_unit(scale):
    result = run([at(2.0)] * 4, scale, Kind.RELOCALIZED, 0.005, odometry=False)[-1]
    assert facts_of(result)["scale"] == scale.basis.value
    words = in_words(result)
    assert (scale.caution() in words) if scale is not MEASURED else "scale" not in words
    assert (" units" in words, " mm" in words) == (scale is UNKNOWN, scale is not UNKNOWN)
