"""What the pages name is there: files, modules, classes, verbs, options and links."""

import ast
import contextlib
import functools
import io
import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

import campose_core
from campose_core.cli.main import VERBS, main

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *DOCS.glob("extend/*.md")])
# Where a path in backticks may start, and the folders of the repository whose every file has to be there.
ROOTS = (ROOT, ROOT / "campose_core", ROOT / "campose_ros")
FOLDERS = ("docs", "test", "benchmarks", "config", "launch", "campose_core", "campose_ros", ".github", ".ci")
ORDER = runpy.run_path(str(ROOT / "test" / "test_rooms.py"))["ORDER"]
HISTORY = ROOT / "CHANGELOG.md"  # tells of what is no more
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def code_of(page: Path) -> list[str]:
    """What stands in backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))


def names_in(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module or class defines: functions, classes, constants, fields."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id: node for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def is_defined(file: Path, dotted: str) -> bool:
    body = ast.parse(file.read_text()).body
    for name in dotted.split("."):
        node = names_in(body).get(name)
        if node is None:
            return False
        body = node.body if isinstance(node, ast.ClassDef) else []
    return True


@each_page
def test_files_and_what_they_define_exist(page):
    if page == HISTORY:
        return
    for code in code_of(page):
        if code.startswith("docs/_build/"):
            continue  # made by `make docs`
        named = re.fullmatch(r"(?:(?P<top>[\w.-]+)/)?[\w./-]*\.(?P<ending>\w+)(?::(?P<defined>[\w.]+))?", code)
        if not named or not (named["defined"] or named["top"] in FOLDERS or (named["top"] and named["ending"] == "py")):
            continue  # of a scene, or of a user
        path = code.partition(":")[0]
        files = [root / path for root in ROOTS if (root / path).is_file()]
        assert files, f"{page.name}: {code} is not there"
        assert not named["defined"] or is_defined(files[0], named["defined"]), f"{page.name}: {code} is not defined"


@each_page
def test_modules_exist(page):
    text = page.read_text()
    if page.parent.name == "extend":  # its listings name the module to be added, and have a test that adds it
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for dotted in re.findall(r"\b(?:campose_core|benchmarks)(?:\.\w+)+", text):
        if page == HISTORY:
            continue
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            path = ROOT.joinpath(*parts[:length])
            rest = ".".join(parts[length:])
            if path.is_dir() and not rest:
                break
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if file.is_file():
                assert not rest or is_defined(file, rest) or rest in campose_core.__all__, f"{page.name}: {dotted}"
                break
        else:
            raise AssertionError(f"{page.name}: {dotted} is not there")


def test_the_rooms_of_the_architecture_page_are_those_of_the_import_test():
    page = (DOCS / "architecture.md").read_text()
    table = page.partition("| room |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE) == ORDER


def test_the_picture_is_drawn_by_its_script_and_names_rooms():
    drawing = runpy.run_path(str(DOCS / "images" / "draw_architecture.py"))["drawing"]
    committed = (DOCS / "images" / "architecture.svg").read_text()
    assert drawing() == committed
    boxes = [text.text for text in ElementTree.fromstring(committed).iter() if text.get("font-weight") == "bold"]
    not_rooms = {"recording", "SCENE/", "robot", "pose", "node | replay"}
    assert set(boxes) - not_rooms <= set(ORDER)
    assert not_rooms <= set(boxes)


@functools.cache
def help_of(verb: str) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main([verb, "--help"])
    return text.getvalue()


@each_page
def test_verbs_and_options_exist(page):
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL)
    commands = [line.split("  #")[0] for block in blocks for line in block.splitlines()] + code_of(page)
    for command in commands:
        words = command.split()
        if len(words) < 2 or words[0] != "campose" or words[1] in ("VERB", "--help", "--version"):
            continue
        assert words[1] in VERBS, f"{page.name}: {command}"
        for option in re.findall(r"(?<=\s)--[a-z][\w.-]*", command):
            assert re.search(rf"{re.escape(option)}\b(?!-)", help_of(words[1])), f"{page.name}: {command}: {option}"


@each_page
def test_links_lead_to_files_and_headings(page):
    text = page.read_text()
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", text):
        if "://" in target:
            continue
        file = page if not target else page.parent / target
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in headings(file), f"{page.name}: {target}#{anchor}"


def headings(page: Path) -> set[str]:
    """As GitHub makes anchors of them."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_page_is_in_the_contents():
    contents = (DOCS / "index.md").read_text()
    for page in [*DOCS.glob("*.md"), *DOCS.glob("extend/*.md")]:
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or f"\n{name}\n" in contents, f"{name} is in no toctree of index.md"


def test_a_format_that_is_raised_has_a_line_in_the_upgrading_table():
    page = (DOCS / "data.md").read_text()
    rows = re.findall(r"^\| [^|]*\(`([\w/]+\.py):(\w+)`\) \| (\d+) \|", page, flags=re.MULTILINE)
    assert len(rows) == 4
    for path, name, number in rows:
        (value,) = [
            node.value.value
            for node in ast.parse((ROOT / path).read_text()).body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name
        ]
        assert value == int(number), f"{path} is at format {value}: docs/data.md and CHANGELOG.md say what that asks"


@pytest.mark.slow
def test_the_python_page_runs(small_world, small_scene, tmp_path, monkeypatch, capsys):
    from PIL import Image

    from campose_core.capture.recording import open_recording

    frame = next(iter(open_recording(small_world / "later.mp4").frames(1.0)))
    Image.fromarray(frame.image).save(tmp_path / "photo.jpg", quality=95)
    (tmp_path / "kitchen").symlink_to(small_scene)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), flags=re.DOTALL)
    assert len([line for line in blocks[0].splitlines() if line and not line.startswith(("from", "import"))]) <= 10
    names: dict[str, object] = {}
    printed = []
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"block {number}", "exec"), names)
        printed.append(capsys.readouterr().out)
    assert printed[0].startswith("TRACKING Pose(")
    assert printed[1].startswith("TRACKING Pose(")
    assert "no_such_scene is not a scene" in printed[3]
