import errno
import signal
import subprocess
import sys

import pytest

from campose_core.files import replacing, write_text


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def write_half() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        write_half()
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_no_empty_folders(tmp_path):
    (tmp_path / "there").mkdir()

    def fail() -> None:
        with replacing(tmp_path / "there" / "new" / "newer" / "a.txt") as beside:
            beside.write_text("half")
            raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        fail()
    assert list((tmp_path / "there").iterdir()) == []


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path):
    """A write knows no name; the limit on the size of a file is as a disk that is full."""
    path = tmp_path / "a.txt"
    write_text(path, "old")
    code = (
        "import pathlib, resource, signal, sys\nfrom campose_core.files import write_bytes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_bytes(pathlib.Path(sys.argv[1]), bytes(100_000))\n"
        "except OSError as error: print(error.errno, error.filename, error, sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    number, filename, message = done.stdout.splitlines()
    assert (int(number), filename) == (errno.EFBIG, str(path))
    assert str(path) in message
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["a.txt"]


def test_of_files_that_belong_together_none_is_written_where_one_cannot_be(tmp_path):
    small, large = tmp_path / "a.txt", tmp_path / "b.txt"
    for path in (small, large):
        write_text(path, "old")
    code = (
        "import pathlib, resource, signal, sys\nfrom campose_core.files import write_texts\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "small, large = map(pathlib.Path, sys.argv[1:])\n"
        "try: write_texts({small: 'new', large: 'new' * 1000})\n"
        "except OSError as error: print(error.filename)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, small, large], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(large)]
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["old", "old"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left on device: 'PATH'"),
        (OSError(errno.EACCES, "Permission denied", "other"), "[Errno 13] Permission denied: 'other'"),
        (OSError("encoder error"), "encoder error"),  # so Pillow has them
    ],
)
def test_an_error_keeps_what_it_tells(tmp_path, error, message):
    def fail() -> None:
        with replacing(tmp_path / "a.txt"):
            raise error

    with pytest.raises(OSError, match=error.strerror or str(error)) as raised:
        fail()
    assert raised.value is error
    assert str(error) == message.replace("PATH", str(tmp_path / "a.txt"))


def test_folders_are_replaced_whole(tmp_path):
    folder = tmp_path / "folder"
    for generation in ("one", "two"):
        with replacing(folder) as beside:
            beside.mkdir()
            (beside / generation).touch()
    assert [left.name for left in folder.iterdir()] == ["two"]


def test_a_killed_writer_leaves_the_old_content(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    code = (
        "import sys, pathlib, time\nfrom campose_core.files import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as beside:\n"
        "    beside.write_text('half'); print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        writer.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    write_text(path, "new")
    assert [left.name for left in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_killed_while_it_is_replaced_is_the_old_or_the_new_one(tmp_path):
    """Killed at many moments of an exchange of two folders with many files: it is never half there."""
    folder = tmp_path / "folder"
    code = (
        "import sys, pathlib\nfrom campose_core.files import replacing\n"
        "for generation in range(10**6):\n"
        "    with replacing(pathlib.Path(sys.argv[1])) as beside:\n"
        "        beside.mkdir()\n"
        "        for i in range(300): (beside / f'{generation}.{i}').touch()\n"
        "    print(generation, flush=True)\n"
    )
    for kill in range(6):
        with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(3 + kill):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        if folder.exists():
            names = [name.name.split(".")[0] for name in folder.iterdir()]
            assert len(names) == 300
            assert len(set(names)) == 1
