"""Folders of images as recordings."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from recordings import jpeg, picture

from campose_core.capture.file_stamps import at_own_stamps, stamps_in_names
from campose_core.capture.sources.image_folder import ImageFolder
from campose_core.errors import CaptureError
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

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


@pytest.mark.parametrize(
    ("names", "stamps_ns"),
    [
        (["1305031102.5", "1305031102.175304"], [1_305_031_102_500_000_000, 1_305_031_102_175_304_000]),  # TUM RGB-D
        (["1403636579763555584", "1403636579813555456"], [1_403_636_579_763_555_584, 1_403_636_579_813_555_456]),
        (["1418381798086398", "1418381798152000"], [1_418_381_798_086_398_000, 1_418_381_798_152_000_000]),
        (["1418381798086", "1418381798152"], [1_418_381_798_086_000_000, 1_418_381_798_152_000_000]),
        (["left_1403636579_763555584", "left_1403636580_000000001"], [1403636579763555584, 1403636580000000001]),
        (["rgb-1305031102.175304"], [1_305_031_102_175_304_000]),
        (["1305031102.175304_rgb", "1305031102.275304_rgb"], [1_305_031_102_175_304_000, 1_305_031_102_275_304_000]),
        (["1403636579763555584-cam0", "1403636579813555456-cam0"], [1403636579763555584, 1403636579813555456]),
        (["12.345678", "9.100000"], [12_345_678_000, 9_100_000_000]),  # seconds since the start
        (["1714567890", "1714567893"], [1_714_567_890_000_000_000, 1_714_567_893_000_000_000]),  # `date +%s`
        # Python writes as many digits as a float needs.
        (["1305031102.1753", "1305031102.27"], [1_305_031_102_175_300_000, 1_305_031_102_270_000_000]),
    ],
)
def test_names_that_are_stamps_are_the_stamps(tmp_path, capsys, names, stamps_ns):
    for i, name in enumerate(names):
        PillowImage.fromarray(picture(i)).save(tmp_path / f"{name}.png")
    recording = ImageFolder(tmp_path)
    frames = list(recording.frames())
    assert [frame.stamp_ns for frame in frames] == sorted(stamps_ns)
    assert [frame.name for frame in frames] == [f"{i:06d}" for i in range(len(names))]
    for frame, (_, index) in zip(frames, sorted(zip(stamps_ns, range(9), strict=False)), strict=True):
        np.testing.assert_array_equal(frame.image, picture(index))
    assert f"the names of the {len(names)} images are their stamps" in capsys.readouterr().err
    assert recording.describe()["stamps"] == "the names of the files"


@pytest.mark.parametrize(
    "names",
    [
        ["20240131120000123", "20240131120000223"],  # a date in digits
        ["1.001", "1.002"],
        ["1000012345", "1000012347"],  # Android's numbers of what is shared
        ["0000000001", "0000000002"],  # KITTI
        ["1700000000.9", "1700000000.10", "1700000000.11"],  # a second, and the number of the image in it
        ["1305031102.175304000", "1305031102.75304000"],  # nanoseconds without their first zeros
        ["frame-000001.color", "frame-000002.color"],
        ["a1305031102.175304", "b1305031102.275304"],
        ["1305031102.175304_a", "1305031102.275304_b"],
        ["IMG_20240131_120000", "IMG_20240131_120001"],
    ],
)
def test_other_names_are_no_stamps(tmp_path, capsys, names):
    for i, name in enumerate(names):
        PillowImage.fromarray(picture(i)).save(tmp_path / f"{name}.png")
    assert [frame.stamp_ns for frame in ImageFolder(tmp_path).frames()] == [i * 100_000_000 for i in range(len(names))]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("unit_ns", [1, 10**3, 10**6])
@pytest.mark.parametrize("seconds_up", [1_000, 1_700, 1_000_000, 1_700_000])
@pytest.mark.parametrize("step_ns", [33_333_333, 100_000_000])
def test_names_that_count_since_a_boot_are_no_dates(seconds_up, unit_ns, step_ns):
    """1.7e15 ns, three weeks, would be a day of 2023 in microseconds, and 1.7e12 ns, half an hour, in milliseconds."""
    count = 12 if unit_ns > 1 else 3  # a few photos may be as far apart in milliseconds
    names = [Path(f"{(seconds_up * 10**9 + i * step_ns) // unit_ns}.png") for i in range(count)]
    assert stamps_in_names(names) is None


@pytest.mark.parametrize("unit_ns", [10**3, 10**6, 10**9])
def test_names_of_photos_are_dates_however_far_apart(unit_ns):
    stamps = [(1_700_000_000 + apart) * 10**9 for apart in (0, 7, 60, 61, 200, 420, 425, 600)]
    assert stamps_in_names([Path(f"{stamp // unit_ns}.jpg") for stamp in stamps]) == stamps
    assert stamps_in_names([Path(f"{stamp // unit_ns}.jpg") for stamp in stamps[2:6:3]]) == stamps[2:6:3]


@pytest.mark.parametrize(
    ("last", "said"),
    [("cover.png", "2 of 3 names are stamps, the others not, such as cover.png: numbered"),
     ("1305031102.1753040.png", "2 of 3 names are stamps, the others not, two have the same stamp: numbered")],
)  # fmt: skip
def test_a_name_that_keeps_the_others_from_being_stamps_is_said(tmp_path, capsys, last, said):
    for i, name in enumerate(["1305031102.175304.png", "1305031102.275304.png", last]):
        PillowImage.fromarray(picture(i)).save(tmp_path / name)
    assert [frame.stamp_ns for frame in ImageFolder(tmp_path).frames()] == [0, 100_000_000, 200_000_000]
    assert f"{tmp_path}: {said}" in capsys.readouterr().err


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


def test_poses_that_count_images_whose_names_are_stamps_are_found_and_said(capsys):
    trajectory = Trajectory.from_poses([0, 100_000_000, 300_000_000], [Pose.identity()] * 3)
    stamp_of = {i: 1_305_031_102_000_000_000 + i * 33_000_000 for i in (0, 1, 2, 3)}
    found = at_own_stamps(trajectory, stamp_of)
    assert found.stamps_ns.tolist() == [stamp_of[0], stamp_of[1], stamp_of[3]]
    assert "count the images, 0.1 s each" in capsys.readouterr().err
    for other in (
        Trajectory.from_poses([1_305_031_102_100_000_000], [Pose.identity()]),  # the same clock
        Trajectory.from_poses([50_000_000, 70_000_000], [Pose.identity()] * 2),  # another clock
        Trajectory.from_poses([900_000_000, 1_000_000_000], [Pose.identity()] * 2),  # beyond the last image
    ):
        assert at_own_stamps(other, stamp_of) is other
    from_zero = {i: i * 33_333_333 for i in range(30)}  # of names that are seconds since the start
    counting = Trajectory.from_poses([i * 100_000_000 for i in range(30)], [Pose.identity()] * 30)
    assert at_own_stamps(counting, from_zero).stamps_ns.tolist() == list(from_zero.values())
    assert "count the images, 0.1 s each" in capsys.readouterr().err
    ten_a_second = Trajectory.from_poses([i * 100_000_000 for i in range(11)], [Pose.identity()] * 11)
    longer = Trajectory.from_poses([i * 100_000_000 for i in range(20)], [Pose.identity()] * 20)
    for other in (ten_a_second, longer):  # in seconds of the same clock
        assert at_own_stamps(other, from_zero) is other
    numbered = {i: i * 100_000_000 for i in range(4)}
    assert at_own_stamps(trajectory, numbered) is trajectory
    assert capsys.readouterr().err == ""
