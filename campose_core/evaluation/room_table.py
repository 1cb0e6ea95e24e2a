"""How good an estimator is in each room of a floor map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from campose_core.evaluation.frame_errors import FrameErrors
from campose_core.evaluation.page import html_table
from campose_core.evaluation.rooms import Rooms
from campose_core.evaluation.spread import Spread
from campose_core.evaluation.table import degrees_text, metres_text, percent_text


def in_rooms(errors: FrameErrors, rooms: Rooms) -> list[tuple[str, FrameErrors]]:
    """Return the errors of the frames whose true position is in each room, the last of those that are in none."""
    number = rooms.at(errors.reference.positions[:, :2])
    names = [*((i, f"room {i}") for i in range(1, len(rooms.centres) + 1)), (0, "in no room")]
    return [(name, errors.of(number == i)) for i, name in names if (number == i).any()]


def room_dict(name: str, errors: FrameErrors) -> dict[str, Any]:
    """Return what is told of a room, for JSON."""
    within = (errors.position_m <= 0.25) & (errors.rotation_deg <= 2.0)
    return {
        "room": name,
        "frames": len(errors.stamps_ns),
        "availability": float(errors.answered.mean()),
        "position_m": Spread.of(errors.position_m).to_dict(),
        "rotation_deg": Spread.of(errors.rotation_deg).to_dict(),
        "recall@25cm/2deg": float(within.mean()),
        "wrong_and_sure": float((errors.answered & ~errors.right).mean()),
    }


def rooms_html(rooms: Sequence[tuple[str, FrameErrors]]) -> str:
    """Write the table of a page; empty without rooms."""
    if not rooms:
        return ""
    header = ("room", "frames", "answered", "median", "p95", "25cm/2deg", "wrong & sure")
    rows = []
    for name, errors in rooms:
        fields = room_dict(name, errors)
        position, rotation = Spread.of(errors.position_m), Spread.of(errors.rotation_deg)
        rows.append(
            [
                name,
                str(fields["frames"]),
                percent_text(fields["availability"]),
                f"{metres_text(position.median)} / {degrees_text(rotation.median)}",
                f"{metres_text(position.p95)} / {degrees_text(rotation.p95)}",
                percent_text(fields["recall@25cm/2deg"]),
                percent_text(fields["wrong_and_sure"]),
            ]
        )
    return f"""<h2>Rooms</h2>
{html_table(header, rows)}<p class="note">By where the camera truly was. Rooms are the pieces of free floor of the floor
map that doors of up to 1.2 m divide, numbered by size as in the plan.</p>
"""
