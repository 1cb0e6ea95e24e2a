"""docs/licences.md, held against what is installed: packages, and the libraries that their wheels bundle."""

import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "licences.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
PACKAGES = ROWS[1 : next(i for i, row in enumerate(ROWS) if row[0] == "wheel")]
WHEELS = ROWS[len(PACKAGES) + 2 :]
PERMISSIVE = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|BSL-1\.0|HPND|Unlicense|CC0|Kiwi|matplotlib)", re.I
)
RESTRICTED = re.compile(r"GPL|MPL|EPL|CDDL|EUPL|SSPL|Mozilla|GNU|Proprietary|Commercial|Affero", re.I)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(name: str = "campose-ros", extras: frozenset[str] = frozenset({"all"})) -> dict[str, Distribution]:
    """What a package requires, as far as it is installed, by name."""
    found: dict[str, Distribution] = {}
    waiting = [(name, extras)]
    done = set()
    while waiting:
        name, extras = waiting.pop()
        if (plain(name), extras) in done:
            continue
        done.add((plain(name), extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed
        found[plain(name)] = package
        for requirement in map(Requirement, package.requires or []):
            wanted = ({"extra": extra} for extra in (*extras, ""))
            if requirement.marker is None or any(requirement.marker.evaluate(one) for one in wanted):
                waiting.append((requirement.name, frozenset(requirement.extras)))
    found.pop("campose-ros", None)
    return found


@pytest.fixture(scope="module")
def packages() -> dict[str, Distribution]:
    packages = installed()
    if not packages:
        pytest.skip("campose_ros is not installed")
    return packages


def licence_of(name: str, package: Distribution) -> str:
    """What its metadata say, or those of ROS beside it."""
    said = [package.metadata.get("License-Expression"), *(package.metadata.get_all("Classifier") or [])]
    said = [text for text in said if text and (not text.count("::") or text.startswith("License"))]
    said.append((package.metadata.get("License") or "").split("\n\n")[0][:200])
    if name.startswith("ros-"):
        share = re.sub("^ros-(jazzy-|kilted-)?", "", name).replace("-", "_")
        manifest = Path(sys.prefix) / "share" / share / "package.xml"
        said += re.findall("<license[^>]*>([^<]*)", manifest.read_text()) if manifest.is_file() else []
    return " ".join(filter(None, said))


def test_every_package_is_permissive_or_named(packages):
    unnamed = {}
    for name, package in packages.items():
        licence = licence_of(name, package)
        is_named = any(fnmatch(name, row[0]) for row in PACKAGES)
        # Wheels of ROS without a manifest hold libraries of a package that has one.
        without = name.startswith(("ros-", "cuda-toolkit")) and not licence
        if not is_named and not without and (RESTRICTED.search(licence) or not PERMISSIVE.search(licence)):
            unnamed[name] = licence
    assert not unnamed


def bundled(package: Distribution) -> Iterator[str]:
    """Names of shared libraries in the folders that auditwheel makes."""
    for file in package.files or []:
        if file.parts[0].endswith(".libs") and ".so" in file.name:
            stem = file.name.split(".so")[0].removeprefix("lib")
            yield re.sub(r"(-r0)?(-[0-9a-f]{8})+(\.\d+)*$", "", re.sub(r"\.[0-9a-f]{8}$", "", stem))


def test_every_library_in_a_wheel_is_named(packages):
    unnamed = {
        (name, library)
        for name, package in packages.items()
        for library in bundled(package)
        if not any(fnmatch(name, row[0]) and library in re.split(r"[,;:] ?", row[1]) for row in WHEELS)
    }
    assert not unnamed


def test_what_is_linked_in_is_named(packages):
    if "pycolmap" not in packages:
        pytest.skip("pycolmap is not installed: pip install 'campose_ros[map]'")
    (native,) = (file for file in packages["pycolmap"].files or [] if file.name.startswith("_core."))
    (row,) = (row for row in WHEELS if row[0] == "pycolmap")
    held = Path(str(native.locate())).read_bytes()
    for library in ("CHOLMOD", "METIS", "OpenSSL"):
        assert (library.encode() in held) == (library in row[1])


def test_the_copyleft_of_wheels_is_spelled_out():
    licences = {row[0]: row[2] for row in WHEELS}
    assert "x264 and x265: GPL-2.0-or-later" in licences["av"]
    assert "GPL-2.0-or-later" in licences["pycolmap"]
    assert "OpenSSL 1.1.1" in licences["opencv-python-headless"]
