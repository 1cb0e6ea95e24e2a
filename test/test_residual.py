"""The residual of an alignment, and its checks, as scene.yaml holds them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campose_core.errors import SceneError
from campose_core.geometry import Similarity
from campose_core.residual import Check, Residual
from campose_core.scene.alignment import Alignment
from campose_core.scene.scene import Scene

numbers = st.none() | st.floats(0, 1e3)


@given(median_m=numbers, near=numbers, frames=numbers, tilt_deg=st.none() | st.floats(0, 180), agree=st.booleans())
def test_an_alignment_reads_back_what_was_written(median_m, near, frames, tilt_deg, agree):
    residual = Residual(frames=frames, median_m=median_m, near=near)
    alignment = Alignment(Similarity.identity(), "test", residual, (Check("odometry", tilt_deg=tilt_deg, agree=agree),))
    written = alignment.to_dict()
    again = Alignment.from_dict(written)
    assert (again.residual, again.checks) == (residual, alignment.checks)
    assert again.to_dict() == written
    assert ("median_m" in written["residual"]) == (median_m is not None)


def test_keys_of_an_earlier_version():
    saved = {"frames": 235.0, "median_m": 0.0023, "of another version": 1.0}
    assert Residual.from_dict(saved) == Residual(frames=235.0, median_m=0.0023)
    check = {"method": "walls and floors", "scale_ratio": None, "tilt_deg": 1.9, "rotation_deg": None,
             "translation_m": None, "agree": True}  # fmt: skip
    assert Check.from_dict(check).to_dict() == check
    assert Check.from_dict({"method": "odometry"}).agree is None


def test_people_read_what_is_known_alone():
    assert str(Residual(near=0.8426, median_m=0.010871)) == "median_m 0.01087, near 0.8426"
    assert str(Residual()) == ""


def test_a_residual_that_is_no_number_is_a_damaged_scene(tmp_path):
    scene = Scene(tmp_path / "s", "s", alignment=Alignment(Similarity.identity(), "test", Residual(median_m=0.5)))
    scene.save()
    file = scene.path / "scene.yaml"
    file.write_text(file.read_text().replace("0.5", "much"))
    with pytest.raises(SceneError, match=r"scene\.yaml is damaged"):
        Scene.open(scene.path)


@pytest.mark.parametrize(("degrees", "said"), [(0.123, "0.12"), (1.96, "2"), (87.84, "88"), (178.39, "178")])
def test_differences_are_numbers_that_people_read(degrees, said):
    assert Check("a", tilt_deg=degrees).difference() == f"level by {said} deg"
