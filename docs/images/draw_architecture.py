"""Draws architecture.svg beside this file: the rooms between a recording, the scene folder and a pose."""

from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 520
INK, ROOM, FOLDER, OUTSIDE = "#22303c", "#e3eefa", "#fdf3d6", "#ffffff"
STYLE = 'font-family="Helvetica, Arial, sans-serif" text-anchor="middle"'


def box(x: int, y: int, width: int, height: int, title: str, text: str, fill: str = ROOM) -> str:
    """A titled rectangle with lines of small text below the title."""
    lines = text.split("\n") if text else []
    top = y + height / 2 - 7 * len(lines) + 5
    small = "".join(
        f'<text x="{x + width / 2}" y="{top + 17 + 14 * row}" font-size="11">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{INK}"/>'
        f'<text x="{x + width / 2}" y="{top}" font-size="14" font-weight="bold">{escape(title)}</text>{small}'
    )


def arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{INK}" stroke-width="1.5" marker-end="url(#head)"/>'


def heading(y: int, text: str) -> str:
    return f'<text x="20" y="{y}" font-size="13" font-style="italic" text-anchor="start">{escape(text)}</text>'


def drawing() -> str:
    build = [
        ("recording", "video, photos,\nbag", OUTSIDE), ("capture", "frames with stamps\nand a camera", ROOM),
        ("sfm", "poses and landmarks,\nno scale yet", ROOM), ("alignment", "metres, z up:\nthe map frame", ROOM),
        ("floorplan", "where a robot\ncan stand", ROOM), ("learning", "pose networks\n(optional)", ROOM),
    ]  # fmt: skip
    robot = [
        ("robot", "images, odometry,\nIMU, tf", OUTSIDE), ("node | replay", "messages in,\nresults out", ROOM),
        ("localization", "session, estimators,\nlocalizer", ROOM), ("pose", "on the floor plan,\nor LOST", OUTSIDE),
    ]  # fmt: skip
    parts = [heading(24, "Built once, step by step; each step reads and writes the scene folder")]
    for column, (title, text, fill) in enumerate(build):
        x = 20 + 156 * column
        parts.append(box(x, 36, 140, 74, title, text, fill))
        parts.append(arrow(x + 140, 73, x + 154, 73) if column == 0 else arrow(x + 70, 110, x + 70, 176))
    parts.append(box(254, 126, 136, 34, "features", "", ROOM))
    parts.append(box(410, 126, 136, 34, "landmark_map", "", ROOM))
    folders = "scene.yaml   frames/   frames.csv   sfm/   floor/   models/   reports/"
    parts.append(box(20, 178, 920, 62, "SCENE/", folders, FOLDER))
    parts.append(heading(274, "On the robot: neither torch nor a mapper"))
    for column, (title, text, fill) in enumerate(robot):
        x = 20 + 190 * column
        parts.append(box(x, 286, 166, 74, title, text, fill))
        if column < 3:
            parts.append(arrow(x + 166, 323, x + 188, 323))
    parts.append(arrow(483, 240, 483, 284))
    parts.append(heading(398, "What looks at a scene and its answers, and what lets a map grow"))
    looks = [
        ("update", "a later recording\njoins the map"), ("evaluation", "errors, reports"),
        ("doctor", "coverage, what to\nrecord next"), ("visualization", "Foxglove"), ("cli", "campose VERB"),
    ]  # fmt: skip
    for column, (title, text) in enumerate(looks):
        parts.append(box(20 + 188 * column, 410, 168, 70, title, text))
    parts.append(
        heading(506, "Below them all: nouns (pose, camera, trajectory, floor map), scene, inertial, simulation")
    )
    point = f'<path d="M0,0 L7,3 L0,6 z" fill="{INK}"/>'
    head = f'<marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="3" orient="auto">{point}</marker>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" {STYLE} fill="{INK}">'
        f'<defs>{head}</defs><rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>' + "\n".join(parts) + "</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_name("architecture.svg").write_text(drawing(), encoding="utf-8")
