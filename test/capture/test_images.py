"""Folders of images as recordings."""

import math

import numpy as np
import pytest
from PIL import Image as PillowImage
from recordings import jpeg, picture

from campose_core.capture.sources.image_folder import ImageFolder
from campose_core.errors import CaptureError

ORIENTATION, EXIF_IFD, FOCAL_35MM = 0x0112, 0x8769, 0xA405


def exif(orientation=1, focal_35mm=None):
    tags = PillowImage.Exif()
    tags[ORIENTATION] = orientation
    if focal_35mm is not None:
        tags[EXIF_IFD] = {FOCAL_35MM: focal_35mm}
    return tags


def test_pictures_come_in_the_natural_order_of_their_names(tmp_path):
    names = ["b.png", "frame_2.png", "frame_10.png", "Frame_1.PNG", "frame_0003.png"]
    for i, name in enumerate(names):
        PillowImage.fromarray(picture(i)).save(tmp_path / name)
    for other in (".hidden.png", "notes.txt"):
        (tmp_path / other).write_text("no image")
    (tmp_path / "folder.png").mkdir()
    recording = ImageFolder(tmp_path)
    assert [file.name for file in recording.files] == [
        "b.png", "Frame_1.PNG", "frame_2.png", "frame_0003.png", "frame_10.png",
    ]  # fmt: skip
    frames = list(recording.frames())
    for frame, index in zip(frames, (0, 3, 1, 4, 2), strict=True):
        np.testing.assert_array_equal(frame.image, picture(index))
    assert [frame.stamp_ns for frame in frames] == [i * 100_000_000 for i in range(5)]
    assert [frame.name for frame in frames] == [f"{i:06d}" for i in range(5)]
    assert recording.camera is None
    assert recording.describe() == {"kind": "images", "path": str(tmp_path)}
    assert recording.name == tmp_path.name


# EXIF orientation -> what makes the stored pixels upright (EXIF 2.3, 4.6.4 A)
UPRIGHT = {
    1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud,
    5: lambda p: p.transpose(1, 0, 2), 6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2), 8: lambda p: np.rot90(p, 1),
}  # fmt: skip


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_rotation_is_applied_to_the_pixels(tmp_path, orientation):
    PillowImage.fromarray(picture(3)).save(tmp_path / "a.png", exif=exif(orientation))
    (frame,) = ImageFolder(tmp_path).frames()
    np.testing.assert_array_equal(frame.image, UPRIGHT[orientation](picture(3)))
    assert frame.jpeg is None


def test_the_jpeg_file_is_kept_only_where_it_shows_the_same_pixels(tmp_path):
    upright, turned = jpeg(picture(1)), jpeg(picture(1), exif=exif(6))
    (tmp_path / "a.jpg").write_bytes(upright)
    (tmp_path / "b.jpg").write_bytes(turned)
    first, second = ImageFolder(tmp_path).frames()
    assert first.jpeg == upright
    assert second.jpeg is None
    assert second.image.shape == (64, 48, 3)


@pytest.mark.parametrize(("orientation", "size"), [(1, (64, 48)), (6, (48, 64))])
def test_the_focal_length_in_exif_gives_a_first_camera(tmp_path, orientation, size):
    (tmp_path / "a.jpg").write_bytes(jpeg(picture(0), exif=exif(orientation, focal_35mm=26)))
    recording = ImageFolder(tmp_path)
    camera = recording.camera
    assert (camera.width, camera.height) == size
    assert recording.calibrated is False
    # Equal angle over the diagonal as the lens of 26 mm on 36 mm x 24 mm film.
    assert math.atan(40 / camera.focal[0]) == pytest.approx(math.atan(math.hypot(18, 12) / 26))
    assert camera.centre == ((size[0] - 1) / 2, (size[1] - 1) / 2)


@pytest.mark.parametrize("focal", [None, 0])
def test_an_unknown_focal_length_gives_no_camera(tmp_path, focal):
    (tmp_path / "a.jpg").write_bytes(jpeg(picture(0), exif=exif(1, focal)))
    assert ImageFolder(tmp_path).camera is None


def test_damaged_pictures_are_dropped_and_only_all_of_them_are_an_error(tmp_path, capsys):
    good = jpeg(picture(0))
    (tmp_path / "0.jpg").write_bytes(good[: len(good) // 2])
    (tmp_path / "1.jpg").write_bytes(b"")
    (tmp_path / "2.png").write_text("not an image")
    recording = ImageFolder(tmp_path)
    with pytest.raises(CaptureError, match=r"none of the 3 images can be decoded \(0\.jpg: "):
        list(recording.frames())
    (tmp_path / "3.jpg").write_bytes(good)
    recording = ImageFolder(tmp_path)
    (frame,) = recording.frames()
    assert (frame.name, frame.stamp_ns) == ("000003", 300_000_000)
    assert recording.dropped == {"undecodable image": 3}
    assert "3 images cannot be decoded, as 0.jpg: it is cut off" in capsys.readouterr().err


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(CaptureError, match=r"no images in this folder \(\.bmp, \.heic"):
        ImageFolder(tmp_path)


def test_the_desk_is_seventy_pictures(shared_data):
    recording = ImageFolder(shared_data / "desk")
    assert len(recording.files) == 70
    first = next(recording.frames())
    assert first.image.shape == (1080, 1920, 3)
    assert first.jpeg == (shared_data / "desk" / "frame_0001.jpg").read_bytes()
