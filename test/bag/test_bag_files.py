"""Which files are a bag, of what kind, and in what order: by what is in them."""

import bz2
import gzip
import lzma
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml
from recordings import START_NS, Messages, image_entries, write_bag

from campose_core.bag.decompression import zstd_module
from campose_core.bag.file import is_bag, open_bag
from campose_core.capture.recording import open_recording
from campose_core.cli.main import main
from campose_core.errors import CaptureError

PERIOD_NS = 100_000_000
SUFFIXES = {"ros1": ".bag", "mcap": ".mcap", "sqlite3": ".db3"}
every_kind = pytest.mark.parametrize("kind", SUFFIXES)


def part(path: Path, first: int, end: int, kind: str = "mcap") -> Path:
    """The images `first` to `end` of a walk, in one file of a recorder."""
    entries = list(image_entries(end, kind == "ros1"))[first:]
    path.parent.mkdir(exist_ok=True)
    written = write_bag(path.parent.parent / f"{path.name} as written", entries, kind)
    file = written if written.is_file() else next(written.glob(f"*{SUFFIXES[kind]}"))
    return Path(shutil.move(file, path))


def numbers(path: Path) -> list[float]:
    """Which images of the walk a recording has, by their stamps."""
    return [(frame.stamp_ns - START_NS) / PERIOD_NS for frame in open_recording(path).frames()]


@every_kind
def test_parts_are_read_in_the_order_of_time_whatever_their_names_and_stamps_stay(tmp_path, capsys, kind):
    suffix = SUFFIXES[kind]
    part(tmp_path / "rooms" / f"kitchen{suffix}", 0, 3, kind)
    part(tmp_path / "rooms" / f"bath{suffix}", 6, 9, kind)
    part(tmp_path / "rooms" / f"hall{suffix}", 600, 603, kind)
    assert numbers(tmp_path / "rooms") == [0, 1, 2, 6, 7, 8, 600, 601, 602]
    assert not capsys.readouterr().err
    with open_bag(tmp_path / "rooms") as bag:
        logged = [(log_ns - START_NS) // PERIOD_NS for log_ns, _ in bag.messages("/camera/image_raw")]
    assert logged == [0, 1, 2, 6, 7, 8, 600, 601, 602]


def test_a_part_that_was_cut_off_has_its_place_in_time_too(tmp_path):
    last = part(tmp_path / "walk" / "a.mcap", 3, 9)
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    part(tmp_path / "walk" / "b.mcap", 0, 3)
    assert numbers(tmp_path / "walk")[:4] == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["mcap", "sqlite3"])
def test_parts_that_old_metadata_do_not_list_are_read_and_other_files_are_named(tmp_path, capsys, kind):
    written = write_bag(tmp_path / "walk", image_entries(3), kind)
    suffix = SUFFIXES[kind]
    part(written / f"walk_1{suffix}", 3, 5, kind)
    part(written / f"walk_10{suffix}", 5, 6, kind)
    part(written / f"other{suffix}", 7, 9, kind)
    assert numbers(written) == [0, 1, 2, 3, 4, 5]
    said = capsys.readouterr().err
    assert said.count(f"metadata.yaml does not list walk_1{suffix},walk_10{suffix}") == 1  # of several times opened
    assert said.count(f"other{suffix}: left out, since metadata.yaml does not list it") == 1
    (written / f"walk_1{suffix}").unlink()
    (written / f"walk_10{suffix}").unlink()
    assert numbers(written) == [0, 1, 2]


def split_bag(folder: Path, kind: str, parts: dict[str, tuple[int, int]]) -> Path:
    """A bag whose metadata list `parts`, first and end image by the name of the file, in this order."""
    written = write_bag(folder.with_name(f"{folder.name} whole"), image_entries(9), kind)
    for name, (first, end) in parts.items():
        part(folder / f"{name}{SUFFIXES[kind]}", first, end, kind)
    metadata = yaml.safe_load((written / "metadata.yaml").read_text())
    names = [f"{name}{SUFFIXES[kind]}" for name in parts]
    metadata["rosbag2_bagfile_information"]["relative_file_paths"] = names
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    return folder


@pytest.mark.parametrize("kind", ["mcap", "sqlite3"])
@pytest.mark.parametrize("names", [("b", "a"), ("a", "b"), ("walk_1", "walk_0")])
def test_metadata_that_list_parts_against_time_are_not_followed(tmp_path, capsys, kind, names):
    folder = split_bag(tmp_path / "walk", kind, dict(zip(names, [(3, 6), (0, 3)], strict=True)))
    assert numbers(folder) == [0, 1, 2, 3, 4, 5]
    assert capsys.readouterr().err.count("metadata.yaml does not list its files in the order of their times") == 1


@pytest.mark.parametrize("kind", ["mcap", "sqlite3"])
def test_metadata_in_order_are_followed_and_so_are_the_numbers_of_a_recorder_whose_clock_was_set_back(
    tmp_path, capsys, kind
):
    in_order = split_bag(tmp_path / "good", kind, {"b": (0, 3), "a": (3, 4), "c": (4, 6)})
    assert numbers(in_order) == [0, 1, 2, 3, 4, 5]
    assert not capsys.readouterr().err
    set_back = split_bag(tmp_path / "walk", kind, {"walk_9": (400, 403), "walk_10": (0, 3)})
    assert numbers(set_back) == [400, 401, 402, 403, 404, 405]
    assert "the clock was set: 3 of 6 stamps moved by +40.3" in capsys.readouterr().err


def test_parts_without_log_times_are_no_copies_of_each_other(tmp_path):
    folder = tmp_path / "walk"
    for name, first in (("a", 0), ("b", 3)):
        entries = [(topic, 1, message) for topic, _, message in list(image_entries(first + 3))[first:]]
        folder.mkdir(exist_ok=True)
        shutil.copy(next(write_bag(tmp_path / name, entries).glob("*.mcap")), folder)
    assert numbers(folder) == list(range(6))


def test_recordings_of_the_same_time_are_not_made_one(tmp_path):
    """Two robots; what one recorder wrote may overlap by a little, and other topics as they like."""
    folder = tmp_path / "walk"
    part(folder / "robot_a.bag", 0, 20, "ros1")
    part(folder / "robot_b.bag", 5, 25, "ros1")
    with pytest.raises(
        CaptureError, match=r"robot_a.bag and robot_b.bag hold /camera/image_raw at the same time.*give"
    ):
        open_recording(folder)
    (folder / "robot_b.bag").unlink()
    part(folder / "robot_c.bag", 20, 30, "ros1")
    infos = [(f"/{i}/camera_info", START_NS + i * PERIOD_NS, Messages(True).camera_info(START_NS)) for i in range(20)]
    write_bag(folder / "infos.bag", infos, "ros1")
    assert numbers(folder) == list(range(30))


@every_kind
def test_a_part_that_cannot_be_read_is_named_and_costs_no_other(tmp_path, capsys, kind):
    suffix, folder = SUFFIXES[kind], tmp_path / "walk"
    part(folder / f"walk_0{suffix}", 0, 3, kind)
    (folder / f"walk_1{suffix}").write_bytes(b"")
    (folder / f"._walk_0{suffix}").write_bytes(b"\0\5\x16\7" + bytes(100))  # of macOS, on disks that are not its own
    assert numbers(folder) == [0, 1, 2]
    said = capsys.readouterr().err
    assert said.count(f"walk_1{suffix}: cannot be read as a bag") == said.count("without this part of the bag") == 1
    assert "._walk_0" not in said
    (folder / f"walk_0{suffix}").unlink()
    with pytest.raises(CaptureError, match=rf"walk_1{suffix}: cannot be read as a bag"):
        open_recording(folder)


def test_the_parts_of_a_ros1_recording_are_one_and_what_they_were_compressed_from_is_not_read_again(tmp_path, capsys):
    """wiki.ros.org/rosbag/Commandline: `record --split` numbers them; `compress` keeps the old file as .orig.bag."""
    folder = tmp_path / "walk"
    for number, (first, end) in enumerate([(0, 3), (3, 6)]):
        part(folder / f"walk_2023-11-14-22-13-2{number}_{number}.bag", first, end, "ros1")
    last = part(folder / "walk_2023-11-14-22-13-22_2.bag.active", 6, 9, "ros1")  # of a recorder that was killed
    last.write_bytes(last.read_bytes()[:-2000])
    assert numbers(folder)[:8] == list(range(8))
    last.unlink()
    assert numbers(folder) == list(range(6))
    capsys.readouterr()
    shutil.copy(folder / "walk_2023-11-14-22-13-20_0.bag", folder / "walk_2023-11-14-22-13-20_0.orig.bag")
    assert numbers(folder) == list(range(6))
    assert capsys.readouterr().err.count("left out, since a file beside it holds the same") == 1


@every_kind
@pytest.mark.parametrize("name", ["walk", "walk.bag", "walk.mcap", "walk.db3", "walk.sqlite", "walk.mp4", "walk.BAG"])
def test_a_file_is_told_by_its_first_bytes_whatever_it_is_called(tmp_path, kind, name):
    path = part(tmp_path / "files" / name, 0, 3, kind)
    assert numbers(path) == [0, 1, 2]
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_a_database_of_another_program_is_no_bag(tmp_path):
    for name, table in {"map.db": "Node", "notes.sqlite": "messages"}.items():
        connection = sqlite3.connect(tmp_path / name)
        connection.execute(f"create table {table} (id integer)")
        connection.commit()
        connection.close()
        assert not is_bag(tmp_path / name)
    (tmp_path / "half").write_bytes(b"SQLite format 3\0")
    assert not is_bag(tmp_path / "half")


def test_a_folder_called_as_a_bag_is_no_part_of_the_one_around_it(tmp_path):
    write_bag(tmp_path / "walks" / "walk.mcap", image_entries(2))
    assert not is_bag(tmp_path / "walks")
    assert numbers(tmp_path / "walks" / "walk.mcap") == [0, 1]


@pytest.mark.parametrize(("ending", "packer"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_a_bag_that_another_packer_packed_is_refused_with_the_unpacker(tmp_path, capsys, ending, packer):
    file = part(tmp_path / "files" / "walk.bag", 0, 2, "ros1")
    packed = file.with_name(f"walk.bag{ending}")
    packed.write_bytes(packer.compress(file.read_bytes()))
    with pytest.raises(
        CaptureError, match=rf"walk\.bag\{ending}: is packed: unpack it with `\w+ -k .*, and give .*bag$"
    ):
        open_recording(packed)
    assert main(["extract", str(packed), "--scene", str(tmp_path / "scene")]) == 1
    assert "is packed: unpack it with" in capsys.readouterr().err
    assert not (tmp_path / "scene").exists()


@every_kind
@pytest.mark.parametrize("ending", [".zst", ".zstd"])
def test_what_zstd_packed_is_read(tmp_path, kind, ending):
    file = part(tmp_path / "files" / f"walk{SUFFIXES[kind]}", 0, 2, kind)
    packed = file.with_name(f"{file.name}{ending}")
    packed.write_bytes(zstd_module().compress(file.read_bytes()))
    file.unlink()
    assert numbers(packed) == numbers(packed.parent) == [0, 1]


def test_the_metadata_of_a_bag_are_refused_with_its_folder_and_those_of_others_are_no_bag(tmp_path):
    written = write_bag(tmp_path / "walk", image_entries(2))
    with pytest.raises(CaptureError, match=rf"metadata\.yaml: .*: give its folder {written}$"):
        open_recording(written / "metadata.yaml")
    (tmp_path / "metadata.yaml").write_text("name: kitchen\n")
    assert not is_bag(tmp_path / "metadata.yaml")


def test_what_is_wrong_with_metadata_is_said_once(tmp_path, capsys):
    written = write_bag(tmp_path / "walk", image_entries(2))
    for text in (
        "",
        "a: [1",
        "rosbag2_bagfile_information: {}",
        "rosbag2_bagfile_information: {relative_file_paths: 3}",
    ):
        folder = Path(shutil.copytree(written, tmp_path / f"copy {len(text)}"))
        (folder / "metadata.yaml").write_text(text)
        assert numbers(folder) == [0, 1]
        said = capsys.readouterr().err
        assert said.count("\n") == said.count("metadata.yaml") == said.count("reading the data files beside it") == 1
