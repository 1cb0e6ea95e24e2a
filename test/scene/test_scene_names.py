"""A scene that somebody else made writes, moves and removes nothing outside its folder."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from recordings import jpeg, picture

from campose_core.capture.extract import extract
from campose_core.cli.main import main
from campose_core.errors import SceneError
from campose_core.scene.exchange import JOURNALS, current, finish, undo
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.names import check_name, refuse_links_out
from campose_core.scene.scene import Scene
from campose_core.scene.split import split

DATA = Path(__file__).parents[1] / "data" / "scene_format_1"
OUTSIDE = [
    "../victim",
    "a/../../victim",
    "/tmp/victim",
    "..",
    ".",
    "",
    "a//b",
    "a/./b",
    "a\\..\\b",
    "a\nb",
    "a\0",
    "x" * 256,
]
NO_NAMES = [None, 5, ["a"], {"a": 1}]


@pytest.fixture
def scene(tmp_path) -> Path:
    return shutil.copytree(DATA, tmp_path / "scene")


@pytest.fixture
def victim(tmp_path) -> Path:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "letter").write_text("dear")
    return tmp_path / "victim"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pictures(folder: Path) -> Path:
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(jpeg(picture(number)))
    return folder


@pytest.mark.parametrize("name", [*OUTSIDE, *NO_NAMES], ids=repr)
@pytest.mark.parametrize("journal", [journal.name for journal in JOURNALS])
def test_a_journal_names_nothing_outside(scene, victim, journal, name):
    for state in ("new", "old"):
        (scene / journal / state).mkdir(parents=True)
        (scene / journal / "victim").write_text("planted")
    (scene / journal / "paths.json").write_text(json.dumps(["frames.csv", name]))
    before = content(scene.parent)
    with pytest.raises(SceneError, match=r"paths\.json: "):
        Scene.open(scene)
    with pytest.raises(SceneError, match=r"paths\.json: "):
        finish(scene)
    assert content(scene.parent) == before


def test_an_undo_names_nothing_outside(scene, victim):
    (scene / ".previous" / "old").mkdir(parents=True)
    (scene / ".previous" / "paths.json").write_text('["../victim"]')
    before = content(scene.parent)
    with pytest.raises(SceneError, match="leads out of the scene"):
        undo(scene)
    assert content(scene.parent) == before


@pytest.mark.parametrize("note", ["{}", '{"steps": 5}', '{"name": "\\u001b[31m"}'])
def test_an_undo_of_what_no_update_wrote_changes_nothing(scene, capsys, note):
    (scene / ".previous").mkdir()
    (scene / ".previous" / "note.json").write_text(note)
    (scene / ".previous" / "paths.json").write_text('["scene.yaml"]')
    before = (scene / "scene.yaml").read_bytes()
    assert main(["update", str(scene), "--undo"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "no way back" in line
    assert (scene / "scene.yaml").read_bytes() == before


@pytest.mark.parametrize("damage", ["{", "5", '"a"', "[" * 100_000, "\xff", str(["a"] * 101).replace("'", '"')])
def test_a_damaged_journal_is_named(scene, damage):
    (scene / ".update").mkdir()
    (scene / ".update" / "paths.json").write_bytes(damage.encode("latin-1"))
    with pytest.raises(SceneError, match=r"paths\.json is damaged: remove .*\.update"):
        Scene.open(scene)


@pytest.mark.parametrize("through", [".update", ".update/new", ".update/old", ".previous"])
def test_an_exchange_moves_nothing_through_a_link_that_leads_out(scene, victim, through):
    (scene / ".update" / "new").mkdir(parents=True)
    (scene / ".update" / "new" / "frames.csv").write_text("new")
    (scene / ".update" / "old").mkdir()
    (scene / ".update" / "paths.json").write_text('["frames.csv"]')
    if (scene / through).exists():
        shutil.copytree(scene / through, victim, dirs_exist_ok=True)
        shutil.rmtree(scene / through)
    (scene / through).symlink_to(victim)
    before = content(victim)
    with pytest.raises(SceneError, match="is a link that leads out of the scene"):
        finish(scene)
    assert content(victim) == before


@pytest.mark.parametrize("name", OUTSIDE, ids=repr)
@pytest.mark.parametrize("where", ["cameras", "sources"])
def test_keys_of_a_scene_name_nothing_outside(scene, name, where):
    header = yaml.safe_load((scene / "scene.yaml").read_text())
    camera = header["cameras"]["cam"]
    header[where][name] = camera if where == "cameras" else {"kind": "images", "path": str(scene)}
    (scene / "scene.yaml").write_text(yaml.safe_dump(header))
    with pytest.raises(SceneError, match=r"scene\.yaml"):
        Scene.open(scene)


@pytest.mark.parametrize("name", [name for name in OUTSIDE if "\n" not in name and "\0" not in name], ids=repr)
@pytest.mark.parametrize("column", ["name", "source"])
def test_rows_of_frames_name_nothing_outside(scene, name, column):
    row = f"{name},a,5,cam,,,,,,,,\n" if column == "name" else f"a/0.jpg,{name},5,cam,,,,,,,,\n"
    with (scene / "frames.csv").open("a") as file:
        file.write(row)
    with pytest.raises(SceneError, match=r"frames\.csv:6: "):
        Scene.open(scene)


def test_what_could_not_be_read_back_is_not_saved(scene):
    opened, before = Scene.open(scene), content(scene)
    with pytest.raises(SceneError, match="leads out"):
        Scene(scene, "s", opened.cameras, frames=(SceneFrame("../0.jpg", "a", 5, "cam"),)).save()
    assert content(scene) == before


def test_an_extraction_empties_no_folder_that_a_scene_names(scene, victim):
    walk = pictures(scene.parent / "walk")
    header = yaml.safe_load((scene / "scene.yaml").read_text())
    header["sources"]["../../victim"] = {"kind": "images", "path": str(walk)}
    (scene / "scene.yaml").write_text(yaml.safe_dump(header))
    assert main(["extract", str(walk), "--scene", str(scene)]) == 1
    assert content(victim) == {"letter": b"dear"}


@pytest.mark.parametrize("linked", ["frames", "frames/walk"])
def test_an_extraction_follows_no_link_out_of_the_scene(tmp_path, victim, capsys, linked):
    walk, scene = pictures(tmp_path / "walk"), tmp_path / "scene"
    extract(Scene.open_or_create(scene), [walk])
    (victim / "walk").mkdir()
    (victim / "walk" / "0.jpg").write_text("mine")
    before = content(victim)
    shutil.rmtree(scene / linked)
    (scene / linked).symlink_to(victim if linked == "frames" else victim / "walk")
    capsys.readouterr()
    assert main(["extract", str(walk), "--scene", str(scene), "--fps", "5"]) == 1
    assert "is a link that leads out of the scene" in capsys.readouterr().err
    assert content(victim) == before


def test_a_link_to_another_place_in_the_scene_is_replaced_and_its_place_stays(tmp_path):
    walk, scene = pictures(tmp_path / "walk"), tmp_path / "scene"
    extract(Scene.open_or_create(scene), [walk])
    (scene / "frames" / "walk").rename(scene / "frames" / "elsewhere")
    (scene / "frames" / "walk").symlink_to("elsewhere")
    before = content(scene / "frames" / "elsewhere")
    extract(Scene.open(scene), [walk], fps=5.0)
    assert not (scene / "frames" / "walk").is_symlink()
    assert content(scene / "frames" / "elsewhere") == before
    assert sorted(path.name for path in (scene / "frames").iterdir()) == ["elsewhere", "walk"]


@pytest.mark.parametrize("linked", ["sfm", "sfm/inner", "sfm/inner/deep"])
def test_links_out_of_what_a_step_writes_are_found_at_any_depth(tmp_path, linked):
    (tmp_path / "scene" / linked).parent.mkdir(parents=True)
    (tmp_path / "scene" / linked).symlink_to(tmp_path)
    with pytest.raises(SceneError, match="is a link that leads out"):
        refuse_links_out(tmp_path / "scene", "sfm")


@pytest.mark.parametrize("name", ["a", "a/b.jpg", "größe 1/läuft.jpg", "..a", "a..b", ".update", "x" * 255])
def test_names_of_files_in_a_folder_are_names(tmp_path, name):
    assert check_name(name, "here") == name
    assert current(tmp_path, name) == tmp_path / name


def test_a_step_on_a_scene_that_is_linked_as_a_whole_works(scene, tmp_path):
    (tmp_path / "link").symlink_to(scene)
    assert split(Scene.open(tmp_path / "link")).is_current("split")
