"""What lies in a folder of images: depth beside colour, HEIC among JPEG, several cameras."""

import importlib.util

import numpy as np
import pytest
from heic import heic
from PIL import Image as PillowImage
from recordings import jpeg, picture

from campose_core.capture.extract import extract
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.image_folder import ImageFile, ImageFolder
from campose_core.errors import CaptureError, MissingDependency
from campose_core.scene.scene import Scene

EXIF_IFD, MODEL, FOCAL_35MM, TAKEN = 0x8769, 0x0110, 0xA405, 0x9003
needs_heif = pytest.mark.skipif(importlib.util.find_spec("pi_heif") is None, reason="pi_heif is not installed")
without_heif = pytest.mark.skipif(importlib.util.find_spec("pi_heif") is not None, reason="pi_heif is installed")


def saved(folder, *names, pixels=None, **options):
    """Images by names, a depth image where `pixels` says so."""
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        image = picture(i) if pixels is None else pixels
        PillowImage.fromarray(image).save(folder / name, **options)
    return folder


DEPTH = np.tile(np.arange(64, dtype=np.uint16) * 90, (48, 1))


@pytest.mark.parametrize(
    ("colour", "depth"),
    [
        (["frame-000000.color.jpg", "frame-000001.color.jpg"], ["frame-000000.depth.png", "frame-000001.depth.png"]),
        (["1305031102.1753.png", "1305031102.2112.png"], ["1305031102.1605.png", "1305031102.1943.png"]),
        (["rgb_1.png", "rgb_2.png"], ["depth_1.png", "depth_2.png", "depth_3.png"]),
        (["000001.jpg", "000002.jpg"], ["000001_depth.png", "000002depth.png"]),
    ],
)
def test_depth_images_beside_colour_are_no_frames(tmp_path, capsys, colour, depth):
    folder = saved(saved(tmp_path / "both", *colour), *depth, pixels=DEPTH)
    recording = ImageFolder(folder)
    assert [file.name for file in recording.files] == colour
    assert len(list(recording.frames())) == len(colour)
    assert recording.dropped == {"depth image": len(depth)}
    assert f"both: {len(depth)} depth images beside those of a camera are no frames" in capsys.readouterr().err


def test_a_raised_digit_between_digits_is_no_number(tmp_path):
    """As in the square metres of a room; Python's isdigit takes it for one, and int does not."""
    folder = saved(tmp_path / "rooms", "room 10.jpg", "room 9.jpg", "room 1\u00b28.jpg")
    assert len(list(ImageFolder(folder).frames())) == 3


def test_a_drawing_of_depth_is_told_by_its_partner(tmp_path):
    folder = saved(tmp_path / "both", "0001_rgb.jpg", "0001_depth.jpg", "depth_charge.jpg")
    assert [file.name for file in ImageFolder(folder).files] == ["0001_rgb.jpg", "depth_charge.jpg"]


def test_images_of_16_bits_by_themselves_are_frames_whatever_they_are_called(tmp_path, capsys):
    folder = saved(tmp_path / "thermal", "depth_0.png", "depth_1.png", pixels=(7000 + DEPTH // 4).astype(np.uint16))
    frames = list(ImageFolder(folder).frames())
    assert len(frames) == 2
    assert np.ptp(frames[0].image) > 240
    assert "are stretched to 8 bits" in capsys.readouterr().err


def test_a_folder_of_folders_says_which_one_to_give(tmp_path):
    saved(tmp_path / "depth", "0.png", pixels=DEPTH)
    saved(tmp_path / "rgb", "0.png")
    with pytest.raises(CaptureError, match="its folder 'rgb' holds images: give that"):
        open_recording(tmp_path)


@without_heif
def test_heic_is_named_with_the_wheel_that_reads_it(tmp_path, capsys):
    folder = saved(tmp_path / "phone", "IMG_0.JPG")
    for name in ("IMG_1.HEIC", "IMG_2.heif"):
        (folder / name).write_bytes(b"not looked into")
    recording = ImageFolder(folder)
    assert len(list(recording.frames())) == 1
    assert recording.dropped == {"HEIC image": 2}
    assert r"2 HEIC images are left out, and read after pip install 'campose_ros[heic]'" in capsys.readouterr().err
    (folder / "IMG_0.JPG").unlink()
    for read in (lambda: open_recording(folder), lambda: list(ImageFile(folder / "IMG_1.HEIC").frames())):
        with pytest.raises(MissingDependency, match=r"pip install 'campose_ros\[heic\]'"):
            read()


@needs_heif
@pytest.mark.parametrize("quarter_turns", [0, 1, 3])
def test_heic_is_read_upright(tmp_path, quarter_turns):
    (tmp_path / "IMG_1.HEIC").write_bytes(heic(picture(3, 128, 96), quarter_turns))
    (frame,) = open_recording(tmp_path).frames()
    expected = np.rot90(picture(3, 128, 96), quarter_turns)
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 8
    (alone,) = ImageFile(tmp_path / "IMG_1.HEIC").frames()
    np.testing.assert_array_equal(alone.image, frame.image)


def taken_at(time: str) -> PillowImage.Exif:
    exif = PillowImage.Exif()
    exif.get_ifd(EXIF_IFD)[TAKEN] = time
    return exif


@needs_heif
def test_a_photo_that_a_phone_exports_as_heic_and_as_jpeg_counts_once(tmp_path, capsys):
    first, second, third = (f"2026:11:30 12:00:0{i}" for i in range(3))
    for name, time in (("IMG_1", first), ("IMG_2", second), ("IMG_3", third)):
        saved(tmp_path / "both", f"{name}.JPG", pixels=picture(3, 128, 96), exif=taken_at(time))
    # IMG_2 is another phone's, which took another photo by that number.
    for name, time in (("IMG_1", first), ("IMG_2", third), ("IMG_4", third)):
        coded = heic(picture(3, 128, 96), exif=taken_at(time).tobytes())
        (tmp_path / "both" / f"{name}.HEIC").write_bytes(coded)
    recording = ImageFolder(tmp_path / "both")
    assert [file.name for file in recording.files] == [
        "IMG_1.JPG", "IMG_2.HEIC", "IMG_2.JPG", "IMG_3.JPG", "IMG_4.HEIC"
    ]  # fmt: skip
    assert len(list(recording.frames())) == 5
    assert recording.dropped == {"image of a photo that is there already": 1}
    assert (
        "both: 1 images are of photos that are there in another file of that name and time" in capsys.readouterr().err
    )


def test_images_of_one_name_that_do_not_say_when_they_were_taken_are_all_frames(tmp_path, capsys):
    folder = saved(tmp_path / "kinds", "1.jpg", "1.png", "2.jpg")
    assert len(list(ImageFolder(folder).frames())) == 3
    assert capsys.readouterr().err == ""


def test_files_of_other_kinds_are_counted(tmp_path, capsys):
    folder = saved(tmp_path / "phone", "IMG_0.JPG")
    for name in ("IMG_0.DNG", "IMG_0.MOV", "notes.txt", ".hidden.dng"):
        (folder / name).write_bytes(b"")
    recording = ImageFolder(folder)
    list(recording.frames())
    assert recording.dropped == {"file of another kind": 2}
    assert "2 files are not read (.dng, .mov): save images as JPEG" in capsys.readouterr().err


@pytest.mark.parametrize("kinds", [["avif"], ["GIF", "jp2"], ["mp4"]])
def test_a_folder_of_other_kinds_alone_names_them(tmp_path, kinds):
    for number, kind in enumerate(kinds):
        (tmp_path / f"{number}.{kind}").write_bytes(b"not looked into")
    named = ", ".join(f".{kind.lower()}" for kind in kinds)
    said = rf"holds neither images nor a bag: {len(kinds)} files are not read \({named}\): save images as JPEG, give"
    with pytest.raises(CaptureError, match=f"{said} videos by themselves$"):
        open_recording(tmp_path)
    saved(tmp_path / "rgb", "0.png")
    with pytest.raises(CaptureError, match=r"are not read .*; its folder 'rgb' holds images: give that$"):
        open_recording(tmp_path)


def test_jfif_is_jpeg(tmp_path):
    (tmp_path / "a.jfif").write_bytes(jpeg(picture(0)))
    (frame,) = open_recording(tmp_path).frames()
    assert frame.jpeg == (tmp_path / "a.jfif").read_bytes()
    with pytest.raises(CaptureError, match="a single image; give the folder"):
        open_recording(tmp_path / "a.jfif")


def photo(index, width, height, model="", focal_35mm=0):
    tags = PillowImage.Exif()
    if model:
        tags[MODEL] = model
    if focal_35mm:
        tags[EXIF_IFD] = {FOCAL_35MM: focal_35mm}
    return jpeg(picture(index, width, height), exif=tags)


def extracted(tmp_path, photos, scene=None):
    folder = tmp_path / "photos"
    folder.mkdir(exist_ok=True)
    for index, data in photos.items():
        (folder / f"IMG_{index}.jpg").write_bytes(data)
    return extract(scene or Scene.open_or_create(tmp_path / "scene"), [folder])


def test_both_orientations_become_two_cameras_whose_frames_keep_their_order(tmp_path, capsys):
    photos = {i: photo(i, *((64, 48), (48, 64))[i in (1, 4)]) for i in range(6)}
    scene = extracted(tmp_path, photos)
    assert {name: (camera.width, camera.height) for name, camera in scene.cameras.items()} == {
        "photos": (64, 48), "photos_48x64": (48, 64),
    }  # fmt: skip
    stamps = {name: [f.stamp_ns // 10**8 for f in scene.frames if f.source == name] for name in scene.sources}
    assert stamps == {"photos": [0, 2, 3, 5], "photos_48x64": [1, 4]}
    assert "photos: 6 images of 2 cameras, each with intrinsics of its own" in capsys.readouterr().err
    again = extracted(tmp_path, {}, scene)
    assert capsys.readouterr().err.count("already extracted") == 2
    assert again.frames == scene.frames
    for index in (1, 4):
        (tmp_path / "photos" / f"IMG_{index}.jpg").unlink()
    alone = extracted(tmp_path, {}, again)
    assert list(alone.sources) == ["photos"]
    assert "photos_48x64: no image of that camera is left" in capsys.readouterr().err
    assert not (alone.frames_dir / "photos_48x64").exists()


def test_phones_and_lenses_become_cameras_with_their_own_focal_lengths(tmp_path):
    kinds = [("A", 26), ("A", 26), ("A", 26), ("A", 13), ("B", 26), ("", 0)]
    scene = extracted(tmp_path, {i: photo(i, 64, 48, *kind) for i, kind in enumerate(kinds)})
    frames = {name: source["frames"] for name, source in scene.sources.items()}
    assert frames == {
        "photos": 3, "photos_64x48_A_13mm": 1, "photos_64x48_B": 1, "photos_64x48_unknown_device": 1,
    }  # fmt: skip
    focal = [scene.cameras[name].focal[0] for name in list(frames)[:3]]
    assert focal[0] == pytest.approx(2 * focal[1]) == pytest.approx(focal[2])


def test_a_damaged_image_belongs_to_the_camera_of_most(tmp_path):
    photos = {0: b"", 1: photo(1, 48, 64), 2: photo(2, 64, 48), 3: photo(3, 64, 48)}
    scene = extracted(tmp_path, photos)
    assert [s["dropped"] for s in scene.sources.values()] == [{"undecodable image": 1}, {}]


def test_the_folder_of_a_phones_folders_names_them(tmp_path):
    for name in ("100APPLE", "101APPLE", "102APPLE", "103APPLE", "104APPLE"):  # as DCIM of a phone, JEITA's DCF
        (tmp_path / name).mkdir()
        PillowImage.new("RGB", (32, 24)).save(tmp_path / name / "IMG_0001.JPG")
    said = r"its folders '100APPLE', '101APPLE', '102APPLE', '103APPLE' and 1 more hold images: give one, or several$"
    with pytest.raises(CaptureError, match=said):
        open_recording(tmp_path)
