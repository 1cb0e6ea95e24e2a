"""What the log says of a camera."""

from campose_core.camera import Camera
from campose_ros.scene_log import in_words


def test_a_camera_is_told_by_its_size_and_the_names_of_its_parameters() -> None:
    camera = Camera("SIMPLE_RADIAL", 640, 480, (523.0652712943901, 319.5, 239.5, -0.030368), focal_sigma=0.01)
    assert in_words(camera) == "SIMPLE_RADIAL, 640x480, f 523.065, cx 319.5, cy 239.5, k1 -0.030368"
