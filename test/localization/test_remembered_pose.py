"""The last sure pose over a restart: offered, and given out only when images confirm it."""

from pathlib import Path

import numpy as np
import pytest
from scripted_estimator import CAMERA, ScriptedEstimator, at, frame, stamp

from campose_core.camera import Camera
from campose_core.errors import LocalizationError
from campose_core.frame import Frame
from campose_core.geometry import pose_error
from campose_core.localization.estimators.base import PoseEstimate, PosePrior
from campose_core.localization.localizer import Localizer
from campose_core.localization.remembered_pose import remember, remembered


def test_it_comes_back_in_the_same_map_alone(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    assert remembered(path, "abc") is None
    remember(path, at(3.0, yaw=0.4), 5, "abc")
    found = remembered(path, "abc")
    assert found is not None
    assert pose_error(found.pose, at(3.0, yaw=0.4)) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert remembered(path, "abd") is None


@pytest.mark.parametrize(
    "text",
    ["", "speed: 0.3", "[]", "{}", '{"scene_digest": "abc"}', '{"scene_digest": "abc", "map_from_base": [1, 2]}',
     '{"scene_digest": "abc", "map_from_base": [1, 2, 3, 0, 0, 0, NaN]}'],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "last.json"
    path.write_text(text)
    for map_digest in ("abc", "abd"):
        with pytest.raises(LocalizationError, match=r"last\.json .* left alone: remove it, or name another file$"):
            remembered(path, map_digest)


def test_a_folder_is_no_file_to_remember_in(tmp_path: Path) -> None:
    with pytest.raises(LocalizationError, match="is no file"):
        remembered(tmp_path, "abc")


class Asked(ScriptedEstimator):
    """Keeps the priors that it was asked with."""

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        self.priors = [*getattr(self, "priors", []), prior]
        return super().estimate(frame, camera, prior)


def test_an_offered_pose_is_where_to_look_and_no_answer(tmp_path: Path) -> None:
    remember(tmp_path / "last.json", at(3.0), 5, "abc")
    offered = remembered(tmp_path / "last.json", "abc")
    estimator = Asked({stamp(i): at(3.1) for i in range(2, 8)})
    localizer = Localizer(estimator)
    localizer.reset(offered=offered)
    results = [localizer.localize(frame(stamp(i)), CAMERA) for i in range(8)]
    assert [r.map_from_base is not None for r in results] == [False] * 4 + [True] * 4
    for prior in estimator.priors[:5]:
        np.testing.assert_allclose(prior.map_from_cam.translation, at(3.0).translation)
    assert pose_error(results[-1].map_from_base, at(3.1))[0] < 1e-6
    elsewhere = Localizer(ScriptedEstimator({stamp(i): at(40.0) for i in range(8)}))
    elsewhere.reset(offered=offered)
    found = [elsewhere.localize(frame(stamp(i)), CAMERA) for i in range(8)]
    assert found[-1].map_from_base.translation[0] == pytest.approx(40.0)
