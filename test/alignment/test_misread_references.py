"""`align --reference` with a trajectory of another clock, direction or hand, which fits a map somehow."""

import numpy as np
import pytest
from recorded_walks import Walk, path_errors
from scipy.spatial.transform import Rotation
from walks import reconstructed

from campose_core.cli.main import main
from campose_core.geometry import Pose
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory, write_tum

MIRROR, SWAP = np.diag([1.0, -1.0, 1.0]), np.eye(3)[[1, 0, 2]]
OTHER_AXES = Pose(Rotation.from_matrix(np.diag([1.0, -1.0, -1.0])), np.zeros(3))  # OpenGL's


class Carried(Walk):
    """By hand, up and down and tilted: of a robot's flat path the mirror image is the path of one upside down."""

    def __init__(self, folder, seed: int) -> None:
        super().__init__(folder, seed)
        phases = 0.9 * np.arange(len(self.truth)) * 0.2
        tilts = Rotation.from_euler("xz", 20.0 * np.column_stack([np.sin(phases), np.cos(0.7 * phases)]), degrees=True)
        positions = self.truth.positions + np.outer(0.2 * np.sin(1.3 * phases), [0.0, 0.0, 1.0])
        self.truth = Trajectory(self.truth.stamps_ns, positions, self.truth.rotations * tilts)
        self.sfm = reconstructed(self.truth, self.map_from_sfm, seed)


def aligned(tmp_path, capsys, walk: Walk, read, late_ns: int = 0) -> tuple[int, Scene, str]:
    """Align the walk's map by its truth, each pose changed by `read`."""
    scene, reference = walk.scene(), tmp_path / "reference.tum"
    poses = [read(pose) for _, pose in walk.truth]
    write_tum(reference, Trajectory.from_poses(walk.truth.stamps_ns + late_ns, poses))
    code = main(["align", str(scene.path), "--reference", str(reference)])
    return code, Scene.open(scene.path), capsys.readouterr().err


def through(mirror):
    return lambda pose: Pose(
        Rotation.from_matrix(mirror @ pose.rotation.as_matrix() @ mirror), mirror @ pose.translation
    )


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (Pose.inverse, "camera_from_map: give their inverse"),
        (through(MIRROR), "of a left-handed frame, or two of its axes are swapped"),
        (through(SWAP), "of a left-handed frame, or two of its axes are swapped"),
        (lambda pose: Pose(pose.rotation, MIRROR @ pose.translation), "of a left-handed frame"),
    ],
    ids=["inverse", "mirrored", "swapped", "places mirrored"],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_no_map_from_cam_is_refused_by_name(tmp_path, capsys, seed, read, said):
    code, scene, error = aligned(tmp_path, capsys, Carried(tmp_path, seed), read)
    assert code == 1
    assert said in error
    assert scene.alignment is None


@pytest.mark.parametrize("late_s", [0.4, -1.7])
def test_another_clock_is_refused_with_the_difference(tmp_path, capsys, late_s):
    """The camera is somewhere near all the same: the map would be too small, and turned."""
    code, scene, error = aligned(tmp_path, capsys, Carried(tmp_path, 3), lambda pose: pose, round(late_s * 1e9))
    assert code == 1
    said = float(error.split("its clock is ")[1].split(" s from")[0])
    assert said == pytest.approx(late_s, abs=0.1)
    assert "--tracker" in error
    assert scene.alignment is None


@pytest.mark.parametrize("read", [lambda pose: pose, lambda pose: pose * OTHER_AXES], ids=["its own", "OpenGL's"])
def test_a_camera_with_other_axes_is_no_mirror_image(tmp_path, capsys, read):
    walk = Walk(tmp_path, 4)
    code, scene, _ = aligned(tmp_path, capsys, walk, read)
    assert code == 0
    assert max(path_errors(scene, walk.truth)) < 0.05
