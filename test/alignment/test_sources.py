"""What every alignment source keeps, those of the table and those of installed packages."""

import numpy as np
import pytest
from PIL import Image
from recorded_walks import Walk, mapped_scene

from campose_core.alignment.evidence import Level
from campose_core.alignment.request import AlignRequest
from campose_core.alignment.sources.base import Borrowed, MappedScene, Part
from campose_core.alignment.sources.table import SOURCES, recorded_kinds, sources_of
from campose_core.errors import AlignmentError


def nothing_but_pictures(folder, kind: str) -> MappedScene:
    """A mapped scene whose recording holds nothing else, or is gone."""
    walk = Walk(folder)
    if kind == "bag":
        return MappedScene(walk.scene(), AlignRequest())
    path = folder / kind
    if kind == "photos":
        path.mkdir()
        Image.new("RGB", (64, 48)).save(path / "1.jpg")
    elif kind == "video.mp4":
        path.write_bytes(b"frames")
    source = {"kind": "images", "path": str(path)}
    return MappedScene(mapped_scene(folder / "scene", walk.sfm, source), AlignRequest())


@pytest.mark.parametrize("name", SOURCES.names())
@pytest.mark.parametrize("kind", ["bag", "photos", "video.mp4", "gone"])
def test_where_there_is_nothing_to_believe_a_source_lists_nothing(tmp_path, kind, name):
    source = SOURCES.load(name)(nothing_but_pictures(tmp_path, kind))
    assert source.names() == []
    assert not source.has("/elsewhere")
    assert source.inputs() == {}


@pytest.mark.parametrize("name", SOURCES.names())
def test_what_a_source_says_of_itself(name):
    source = SOURCES.load(name)
    assert source.needs in (None, *Part)
    assert source.lends <= set(Part)
    assert source.needs not in source.lends
    assert not (source.by_hand and source.what)  # given by an option of its own, or named with --from
    assert source.__doc__


def test_the_kinds_of_from_are_those_that_are_documented():
    assert list(recorded_kinds())[:7] == ["exported", "poses", "tf", "floor", "gps", "odometry", "gravity"]


def test_evidence_is_the_same_each_time_and_says_what_it_lends(tmp_path):
    walk = Walk(tmp_path, 3, speed=3.0).mounted().odometry().imu().gps()
    walk.poses("/amcl_pose", walk.base)
    mapped = MappedScene(walk.scene(), AlignRequest())
    level = None
    for name in ("gravity", "odometry", "poses", "gps"):
        source, again = sources_of(mapped)[name], sources_of(mapped)[name]
        (listed,) = source.names()
        assert source.has(listed)
        evidence, same = (one.evidence(listed, Borrowed(level)) for one in (source, again))
        assert evidence.name.split()[0] == name
        assert (evidence.scale, evidence.scale_sigma, evidence.up_deg) == (same.scale, same.scale_sigma, same.up_deg)
        assert (evidence.scale is not None) >= (Part.SCALE in source.lends)
        assert (evidence.up is not None) >= (Part.LEVEL in source.lends)
        if evidence.up is not None:
            assert np.linalg.norm(evidence.up) == pytest.approx(1.0)
            level = level or Level(evidence.name, evidence.up, evidence.up_deg)


def test_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(AlignmentError, match=r"among the alignment sources reference, .*did you mean 'odometry'"):
        SOURCES.load("odometri")
