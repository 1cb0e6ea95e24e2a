"""Ways from matches to models, tried in turn: no mapper, and no guess of a camera, is the last word."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from campose_core.joining.components import Piece, explained_pairs, is_folded, pieces_of
from campose_core.joining.loop_proof import drop_loops
from campose_core.landmark_map.colmap import (
    adjust,
    drop_outliers,
    incremental_options,
    load_pycolmap,
    max_extra_param,
)
from campose_core.landmark_map.lens_switches import confirmed, possible_switches
from campose_core.landmark_map.zooms import placed_names, steady_lenses
from campose_core.sfm.joint_database import copy_database
from campose_core.sfm.pair_selection import match_again
from campose_core.sfm.shared_intrinsics import (
    share_cameras,
    with_estimated_focal_lengths,
    with_own_cameras,
    with_refined_guesses,
)
from campose_core.sfm.triangulation import triangulated

SEED = 0
GOOD_SHARE = 0.95  # of the keyframes in one piece: no further try
# Changes of focal length (of its logarithm) that a map with one camera does not hide from its stretches: of a kitchen
# switched by 1.06, 1.1 and 1.3 these have the focal lengths before and after, by 2 it came out whole, and bent.
TOLD_BY_STRETCHES = 0.3
BORDER_NEIGHBOURS = 4  # on either side of a border, matched again with the epipolar line as a guide
MIN_MODEL_IMAGES = 3
ROUNDS = 3  # of triangulation and adjustment


class Walk(NamedTuple):
    """What every way has in common.

    images: folder of all frames. model: where to work. sequences: keyframes of each source in order. guessed: sources
    without measured intrinsics. kind: of the features in the database; None: of two kinds.
    """

    images: str
    model: Path
    mapper: str
    sequences: Sequence[Sequence[str]]
    guessed: Sequence[str]
    kind: str | None


class Attempt(NamedTuple):
    """What one way led to: the database it used, its models, and their pieces, the largest first, of which none is
    folded, and whether any was."""

    how: str
    database: Path
    models: list[Any]
    pieces: list[Piece]
    folded: bool

    @property
    def held(self) -> int:
        """Return how many keyframes the largest piece has."""
        return len(self.pieces[0].world_from_cam) if self.pieces else 0


def attempt_by_lenses(
    images: str,
    database: Path,
    model: Path,
    mapper: str,
    names: Mapping[str, Sequence[str]],
    guessed: Sequence[str],
    kind: str | None,
) -> tuple[Attempt, dict[str, int], list[str]]:
    """Return as `best_attempt`, with a camera for each lens where one of the recordings switches it, and the first
    image by each further lens. names: keyframes by source."""

    walk = Walk(images, model, mapper, list(names.values()), guessed, kind)
    switches, apart = possible_switches(database, Path(images), names), database.with_suffix(".lenses.db")
    plain = None
    if switches and max(abs(switch.log_zoom) for switch in switches) < TOLD_BY_STRETCHES:
        plain = first_attempt(database, walk)
        if _is_good(plain, walk) and _is_steady(plain.pieces[0].model, names):
            switches = []
    while switches:
        with_own_cameras(database, apart, switches)
        first = first_attempt(apart, walk)
        sure = confirmed(first.pieces[0].model, switches) if first.pieces else []
        if sure == switches:
            return *_from_better_guesses(first, walk), [switch.first for switch in switches]
        switches = sure
    return *_from_better_guesses(plain or first_attempt(database, walk), walk), []


def _is_steady(model: Any, names: Mapping[str, Sequence[str]]) -> bool:
    return not steady_lenses(model, placed_names(model, names))[1]


def _from_better_guesses(attempt: Attempt, walk: Walk) -> tuple[Attempt, dict[str, int]]:
    """Return as `best_attempt`; where a guess of a camera was far off, from what came out of it."""
    first, tried = best_attempt(attempt, walk)
    refined = attempt.database.with_suffix(".refined.db")
    if not (first.pieces and with_refined_guesses(first.database, first.pieces[0].model, walk.guessed, refined)):
        return first, tried
    again, tried_again = best_attempt(first_attempt(refined, walk), walk)
    return (again, tried_again) if again.held >= first.held else (first, tried)


def first_attempt(database: Path, walk: Walk) -> Attempt:
    """Return what the mapper makes of a database as it is."""
    return _attempt(walk.mapper, database, walk, walk.mapper)


def best_attempt(first: Attempt, walk: Walk) -> tuple[Attempt, dict[str, int]]:
    """Try further ways until one holds nearly all keyframes together; returns it, else the best, and what each held."""
    best, tried = first, {first.how: first.held}
    further = _further_attempts(first, walk)
    while not _is_good(best, walk) and (attempt := next(further, None)) is not None:
        tried[attempt.how] = attempt.held
        best = max(best, attempt, key=lambda a: a.held)
    return best, tried


def _is_good(attempt: Attempt, walk: Walk) -> bool:
    return attempt.held >= GOOD_SHARE * sum(map(len, walk.sequences))


def _further_attempts(first: Attempt, walk: Walk) -> Iterator[Attempt]:
    mapper, database, best = walk.mapper, first.database, first
    if first.folded:
        chain = database.with_suffix(".chain.db")
        copy_database(database, chain)
        with load_pycolmap().Database.open(chain) as db:
            drop_loops(db, walk.sequences)
        attempt = _attempt(f"{mapper}, neighbours in time alone", chain, walk, mapper)
        yield attempt
        best = max(best, attempt, key=lambda a: a.held)
    if walk.guessed:
        estimated = database.with_suffix(".focal.db")
        if with_estimated_focal_lengths(best.database, walk.guessed, estimated):
            attempt = _attempt(f"{mapper}, estimated focal lengths", estimated, walk, mapper)
            yield attempt
            best = max(best, attempt, key=lambda a: a.held)
    if share_cameras(best.database, walk.guessed):
        apart = database.with_suffix(".apart.db")
        with_own_cameras(best.database, apart)
        attempt = _attempt(f"{mapper}, a camera for each recording", apart, walk, mapper)
        yield attempt
        best = max(best, attempt, key=lambda a: a.held)
    if mapper == "global":
        if walk.kind is not None:
            match_again(str(best.database), _across_borders(best.pieces, walk.sequences), walk.kind)
        yield _attempt("incremental", best.database, walk, "incremental")


def _attempt(how: str, database: Path, walk: Walk, mapper: str) -> Attempt:
    models = mapped(walk.images, database, walk.model, mapper)
    if walk.kind is None:
        models = [settled(walk.images, database, one, walk.model.with_suffix(".settled"), ROUNDS) for one in models]
    pieces, folded = list[Piece](), False
    with load_pycolmap().Database.open(database) as db:
        for one in models:
            explained = explained_pairs(one, db)
            found = pieces_of(one, explained, walk.sequences)
            sound = [piece for piece in found if not is_folded(piece, explained, walk.sequences)]
            folded |= len(sound) < len(found)
            pieces += sound
    pieces.sort(key=lambda piece: len(piece.world_from_cam), reverse=True)
    return Attempt(how, database, models, pieces, folded)


def settled(images: str, database: Path, found: Any, work: Path, rounds: int) -> Any:
    """Return the model with its landmarks triangulated anew from its poses, and adjusted, so many times.

    Keypoints of learned features are a pixel or two off, and chains of matches go on through wrong ones: the global
    mapper keeps a tenth of what two images have in common, and its poses suffer. Triangulating again takes from such a
    chain what agrees. Of a flat 10, 61 and 74 of 74 keyframes hang together after no, one and two rounds. SIFT has two
    thirds more landmarks of a desk after one: nine of nine images that look past what was mapped are found, not six.
    """
    work.mkdir(parents=True, exist_ok=True)
    for _ in range(rounds):
        found = triangulated(found, str(database), images, work)
        if found.num_points3D() == 0:
            break
        adjust(found)
        drop_outliers(found)
    shutil.rmtree(work)
    return found


def with_more_images(images: str, database: Path, kept: Any, model: Path, sequences: Sequence[Sequence[str]]) -> Any:
    """Return the model with images that it lacks, registered one by one where its pieces stay one; else as it was.

    A mapper that places all at once gives a weak image any place, and it is cut off; the incremental one has landmarks
    to place it by. What is mapped already stays where it is.
    """
    pycolmap = load_pycolmap()
    work = model.with_suffix(".more")
    shutil.rmtree(work, ignore_errors=True)
    (work / "before").mkdir(parents=True)
    kept.write(work / "before")
    options = incremental_options(kept.cameras.values(), SEED)
    options.multiple_models = False
    options.fix_existing_frames = True
    options.constant_cameras = set(kept.cameras)
    grown = pycolmap.incremental_mapping(database, images, str(work), options, input_path=str(work / "before"))
    shutil.rmtree(work)
    if not grown:
        return kept
    with pycolmap.Database.open(database) as db:
        pieces = pieces_of(grown[0], explained_pairs(grown[0], db), sequences)
    return grown[0] if pieces and pieces[0].is_whole else kept


def mapped(images: str, database: Path, model: Path, mapper: str) -> list[Any]:
    """Run a mapper, and return all of its models, the largest first."""
    pycolmap = load_pycolmap()
    pycolmap.set_random_seed(SEED)
    with pycolmap.Database.open(database) as db:
        cameras = db.read_all_cameras()
    work = model.with_suffix(".models")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if mapper == "global":
        options = pycolmap.GlobalPipelineOptions()
        options.random_seed = SEED
        # One thread: several add up in the order in which they happen to finish, and a weak map follows the last bits.
        options.num_threads = options.mapper.num_threads = 1
        options.mapper.bundle_adjustment.ceres.solver_options.num_threads = 1
        options.mapper.retriangulation.max_extra_param = max_extra_param(cameras)
        models = pycolmap.global_mapping(database, images, str(work), options)
    else:
        options = incremental_options(cameras, SEED)
        options.min_model_size = MIN_MODEL_IMAGES
        options.ba_refine_sensor_from_rig = False
        models = pycolmap.incremental_mapping(database, images, str(work), options)
    shutil.rmtree(work)
    return sorted(models.values(), key=lambda m: m.num_reg_images(), reverse=True)


def _across_borders(pieces: Sequence[Piece], sequences: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Pairs near in time whose images are not in one piece."""
    piece_of = {name: number for number, piece in enumerate(pieces) for name in piece.world_from_cam}
    return [
        (first, second)
        for sequence in sequences
        for at, first in enumerate(sequence)
        for second in sequence[at + 1 : at + 1 + BORDER_NEIGHBOURS]
        if first not in piece_of or piece_of[first] != piece_of.get(second)
    ]
