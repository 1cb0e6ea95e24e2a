"""What a small file claims to hold fills no memory."""

import bz2
import struct
import subprocess
import sys

import lz4.frame
import numpy as np
import pytest
from recordings import TOPIC, image_entries, write_bag
from rosbags.rosbag1 import reader

from campose_core.bag import decompression
from campose_core.bag.decompression import MAX_UNPACKED, bound_rosbags, unpack, zstd_module
from campose_core.bag.file import open_bag
from campose_core.bag.salvage import MCAP_MAGIC
from campose_core.errors import CaptureError, MappingError
from campose_core.landmark_map import arrays
from campose_core.landmark_map.arrays import read_arrays

COMPRESS = {"zstd": zstd_module().compress, "lz4": lz4.frame.compress, "bz2": bz2.compress}
PIECE = 2**24
PEAK = """
import sys
from campose_core.cli.main import main
code = main(["extract", *sys.argv[1:2], "--scene", sys.argv[2]])
print(code, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def bomb(compression: str, size: int) -> bytes:
    return COMPRESS[compression](bytes(PIECE)) * (size // PIECE)  # frames one behind the other


def sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def record(opcode: int, content: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(content)) + content


def mcap(compression: str, chunks: list[tuple[int, bytes]], ended: bool, times: list[tuple[int, int]] = ()) -> bytes:
    """chunks: what each claims to hold, and its bytes. times: first and last of each entry that the index has of the
    first chunk.
    """

    def chunk(claimed: int, data: bytes) -> bytes:
        head = struct.pack("<QQQI", 0, 1, claimed, 0) + sized(compression.encode())
        return record(6, head + struct.pack("<Q", len(data)) + data)

    topic = [
        record(3, struct.pack("<H", 1) + sized(b"sensor_msgs/msg/Image") + sized(b"ros2msg") + sized(b"")),
        record(4, struct.pack("<HH", 1, 1) + sized(b"/image") + sized(b"cdr") + sized(b"")),
    ]
    before = b"".join([MCAP_MAGIC, record(1, sized(b"ros2") + sized(b"x")), *topic])
    body = b"".join([before, *(chunk(claimed, data) for claimed, data in chunks), record(15, bytes(4))])
    index = []
    for first, last in times:
        claimed, data = chunks[0]
        where = struct.pack("<QQQQ", first, last, len(before), len(chunk(claimed, data)))
        counts = sized(struct.pack("<HQ", 1, len(before))) + struct.pack("<Q", 0) + sized(compression.encode())
        index.append(record(8, where + counts + struct.pack("<QQ", len(data), claimed)))
    summary = b"".join([*topic, *index]) if index else b""
    footer = record(2, struct.pack("<QQI", len(body) if index else 0, 0, 0))
    return body + summary + footer + MCAP_MAGIC if ended else body.removesuffix(record(15, bytes(4)))


def ros1(compression: str, chunk: bytes) -> bytes:
    def record1(header: dict[bytes, bytes], data: bytes) -> bytes:
        return sized(b"".join(sized(name + b"=" + value) for name, value in header.items())) + sized(data)

    numbers = {b"op": b"\x03", b"index_pos": bytes(8), b"conn_count": bytes(4), b"chunk_count": bytes(4)}
    header = {b"op": b"\x05", b"compression": compression.encode(), b"size": struct.pack("<I", 2**32 - 1)}
    return b"#ROSBAG V2.0\n" + record1(numbers, b" " * 4027) + record1(header, chunk)


@pytest.mark.parametrize("compression", COMPRESS)
def test_what_is_sound_is_unpacked_and_what_is_cut_off_is_known(compression):
    data = np.random.default_rng(0).integers(0, 4, 500_000, dtype=np.uint8).tobytes()
    packed = COMPRESS[compression](data)
    assert unpack(packed, compression) == data
    assert unpack(packed + packed, compression) == data + data
    with pytest.raises(EOFError):
        unpack(packed[: len(packed) // 2], compression)
    assert data.startswith(unpack(packed[: len(packed) // 2], compression, cut_off=True))


@pytest.mark.parametrize("compression", COMPRESS)
def test_what_unpacks_to_too_much_is_refused(compression):
    with pytest.raises(CaptureError, match="unpack to more than 256 MiB"):
        unpack(bomb(compression, MAX_UNPACKED + PIECE), compression)


@pytest.mark.slow
@pytest.mark.parametrize(("claimed", "ended"), [(4 * 2**30, True), pytest.param(2**60, False, marks=pytest.mark.long)])
def test_a_bag_that_claims_gigabytes_takes_no_more_memory_than_a_chunk_may(tmp_path, claimed, ended):
    (tmp_path / "walk.mcap").write_bytes(mcap("zstd", [(claimed, bomb("zstd", 4 * 2**30))], ended))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "walk.mcap"), str(tmp_path / "scene")]
    ran = subprocess.run(command, capture_output=True, text=True)
    code, kilobytes = ran.stdout.split()
    assert code == "1", ran.stderr
    assert int(kilobytes) < 900_000
    assert "unpack to more than 256 MiB" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("compression", ["zstd", "lz4"])
@pytest.mark.parametrize("claimed", [20_000, 2**60, 10])
def test_what_stands_before_such_a_chunk_is_read(tmp_path, monkeypatch, compression, ended, claimed):
    monkeypatch.setattr(decompression, "MAX_UNPACKED", 10_000)  # so that it takes no time
    message = struct.pack("<HIQQ", 1, 0, 7, 7) + bytes(100)
    sound = struct.pack("<BQ", 5, len(message)) + message
    chunks = [(len(sound), COMPRESS[compression](sound)), (claimed, COMPRESS[compression](bytes(20_000)))]
    (tmp_path / "walk.mcap").write_bytes(mcap(compression, chunks, ended))
    with open_bag(tmp_path / "walk.mcap") as bag:
        assert len(list(bag.messages("/image"))) == 1
        assert "unpack to more than" in bag.damage


SOUND = b"".join(record(5, struct.pack("<HIQQ", 1, 0, log_ns, 7) + bytes(2000)) for log_ns in (7, 8))


def test_chunks_of_one_time_are_read_one_after_the_other(tmp_path, monkeypatch):
    """rosbags has all of them in memory at once: a file of some kB names one chunk a thousand times."""
    packed = (len(SOUND), COMPRESS["zstd"](SOUND))
    path = tmp_path / "walk.mcap"
    path.write_bytes(mcap("zstd", [packed], True, [(7, 8)] * 3))
    with open_bag(path) as bag:
        assert len(list(bag.messages("/image"))) == 6  # as the index says
    monkeypatch.setattr(decompression, "MAX_UNPACKED", len(SOUND))
    with open_bag(path) as bag:
        assert len(list(bag.messages("/image"))) == 2
        assert bag.damage is None


def test_messages_longer_than_the_packed_file_that_was_cut_off_are_read(tmp_path):
    (tmp_path / "walk.mcap").write_bytes(mcap("zstd", [(len(SOUND), COMPRESS["zstd"](SOUND))], False))
    assert (tmp_path / "walk.mcap").stat().st_size < 2000
    with open_bag(tmp_path / "walk.mcap") as bag:
        assert len(list(bag.messages("/image"))) == 2


def test_a_chunk_that_an_index_names_again_and_again_ends_the_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(decompression, "MAX_RATIO", 1)
    monkeypatch.setattr(decompression, "FREE", 10_000)
    packed = (len(SOUND), COMPRESS["zstd"](SOUND))
    (tmp_path / "walk.mcap").write_bytes(mcap("zstd", [packed], True, [(7, 7), *((i, i) for i in range(8, 100))]))
    with open_bag(tmp_path / "walk.mcap") as bag:
        assert 1 <= len(list(bag.messages("/image"))) <= 2
        assert "unpacks to more than 1 times its size" in bag.damage


@pytest.mark.parametrize("ended", [True, False])
def test_chunks_that_unpack_to_too_much_together_end_the_reading(tmp_path, monkeypatch, ended):
    monkeypatch.setattr(decompression, "MAX_RATIO", 1)
    monkeypatch.setattr(decompression, "FREE", 10_000)
    chunks = [(len(SOUND), COMPRESS["zstd"](SOUND))] * 20
    (tmp_path / "walk.mcap").write_bytes(mcap("zstd", chunks, ended))
    with open_bag(tmp_path / "walk.mcap") as bag:
        assert len(list(bag.messages("/image"))) == 4
        assert "unpacks to more than 1 times its size" in bag.damage


@pytest.mark.parametrize("compression", ["lz4", "bz2"])
def test_ros_1_bags_are_bounded_too(tmp_path, monkeypatch, compression):
    monkeypatch.setattr(decompression, "MAX_UNPACKED", 10_000)
    (tmp_path / "walk.bag").write_bytes(ros1(compression, COMPRESS[compression](bytes(20_000))))
    with pytest.raises(CaptureError), open_bag(tmp_path / "walk.bag"):
        pass
    bound_rosbags()
    with pytest.raises(CaptureError, match="unpack to more than"):
        reader.decompressors[compression](COMPRESS[compression](bytes(20_000)))


def test_a_compressed_file_of_a_bag_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(decompression, "FREE", 10_000)
    folder = write_bag(tmp_path / "walk", image_entries(3), "sqlite3")
    [data] = folder.glob("*.db3")
    packed = folder / f"{data.name}.zstd"
    metadata = (folder / "metadata.yaml").read_text()
    for content, sound in ((data.read_bytes(), True), (data.read_bytes() + bytes(10**7), False)):
        packed.write_bytes(COMPRESS["zstd"](content))
        told = metadata.replace(data.name, packed.name).replace("compression_format: ''", "compression_format: zstd")
        (folder / "metadata.yaml").write_text(told.replace("compression_mode: ''", "compression_mode: FILE"))
        data.unlink(missing_ok=True)
        if sound:
            with open_bag(folder) as bag:
                assert len(list(bag.messages(TOPIC))) == 3
        else:
            with pytest.raises(CaptureError, match="unpacks to more than 200 times its size"), open_bag(folder):
                pass


def test_an_array_file_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "landmarks.npz"
    np.savez_compressed(path, xyz=np.zeros((2**20, 3)))
    assert read_arrays(path)["xyz"].shape == (2**20, 3)  # 25 MB are not worth a word
    monkeypatch.setattr(arrays, "FREE", 10**6)
    with pytest.raises(MappingError, match=r"landmarks\.npz holds 0\.0 MB that unpack to 25 MB"):
        read_arrays(path)
