import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from learnable import QUICK, SMALL, make_scene, make_scene_by_heart, picture, walk
from PIL import Image
from safetensors.torch import load_file

from campose_core.cli.main import main
from campose_core.errors import LearningError, SceneError
from campose_core.floor import FloorMap
from campose_core.geometry import pose_error
from campose_core.learning.checkpoint import load
from campose_core.learning.floor_loss import FloorDistance
from campose_core.learning.options import TrainOptions
from campose_core.learning.train import train
from campose_core.scene.scene import Scene
from campose_core.scene.split import SplitOptions, split
from campose_core.walkable import load_walkable

FAST = replace(QUICK, **SMALL)
PRESETS = sorted((Path(__file__).parents[2] / "config" / "train").glob("*.yaml"))


@pytest.fixture
def scene(tmp_path):
    return make_scene(tmp_path / "scene", {"a": 40})


def train_on_command_line(scene, *extra):
    return [
        "train", str(scene.path), "--model", "posenet", "--backbone", SMALL["backbone"], "--grid", "1",
        "--weights", "random", "--hidden", "64", "--components", "32", "--image-size", "32", "--batch-size", "16",
        "--views", "0", *extra,
    ]  # fmt: skip


def history(scene, name="posenet") -> list[dict[str, float]]:
    with open(scene.models_dir / name / "metrics.csv") as file:
        return [{column: float(value) for column, value in row.items()} for row in csv.DictReader(file)]


def state_of(scene, name="posenet") -> Path:
    return scene.path / "cache" / f"train-{name}.ckpt"


def errors_on(scene, model, split_name) -> np.ndarray:
    """(N, 2): metres and radians."""
    errors = []
    for frame in scene.posed_frames(split_name):
        image = np.asarray(Image.open(scene.frame_path(frame)).convert("RGB"))
        errors.append(pose_error(model.estimate(image, scene.cameras["camera"])[0], frame.map_from_cam))
    return np.array(errors)


@pytest.mark.parametrize("kind", ["posenet", "mapnet"])
def test_a_network_learns_a_tiny_recording_by_heart(tmp_path, kind):
    scene = make_scene_by_heart(tmp_path / "scene", 24)
    scene = train(scene, kind, replace(QUICK, kind=kind, epochs=160, hidden=256))
    position, angle = np.median(errors_on(scene, load(scene.models_dir / kind), "train"), axis=0)
    assert position < 0.1
    assert np.degrees(angle) < 3.0


def test_the_best_epoch_is_kept_and_recorded(scene):
    scene = train(scene, "posenet", replace(FAST, epochs=8, frozen=False))
    rows = history(scene)
    assert [row["epoch"] for row in rows] == list(range(1, 9))
    scores = [row["val_median_m"] + np.radians(row["val_median_deg"]) for row in rows]
    description = yaml.safe_load((scene.models_dir / "posenet" / "model.yaml").read_text())
    assert description["metrics"]["epoch"] == 1 + int(np.argmin(scores))
    # The stored weights are those of that epoch: they reproduce its validation figure.
    errors = errors_on(scene, load(scene.models_dir / "posenet"), "val")
    assert abs(np.median(errors[:, 0]) - description["metrics"]["val_median_m"]) < 1e-3
    assert description["metrics"]["val_frames"] == len(errors)
    assert description["metrics"]["trainable_parameters"] == description["metrics"]["parameters"]
    # Only what may be thrown away is left beside the model.
    assert {path.name.split("-")[0] for path in (scene.path / "cache").iterdir()} <= {"frames", "features", "seen"}


def test_the_learning_rate_falls_to_nothing_along_a_cosine(scene):
    rates = [row["learning_rate"] for row in history(train(scene, "posenet", replace(FAST, epochs=4)))]
    np.testing.assert_allclose(rates, [1e-3 * 0.5 * (1 + np.cos(np.pi * i / 4)) for i in range(4)], rtol=1e-4)


def test_fixed_weights_stay_and_learned_ones_move(scene):
    scene = train(scene, "posenet-fixed", replace(FAST, learn_weights=False, beta=0.5, gamma=-2.0))
    assert {(row["beta"], row["gamma"]) for row in history(scene, "posenet-fixed")} == {(0.5, -2.0)}
    scene = train(scene, "posenet-learned", replace(FAST, beta=0.5, gamma=-2.0))
    assert len({row["beta"] for row in history(scene, "posenet-learned")}) == FAST.epochs


def test_training_is_skipped_when_done_and_redone_when_something_changed(scene, capsys):
    scene = train(scene, "posenet", FAST)
    weights = scene.models_dir / "posenet" / "weights.safetensors"
    first = weights.stat().st_mtime_ns
    capsys.readouterr()
    scene = train(Scene.open(scene.path), "posenet", FAST)
    assert capsys.readouterr().err == "posenet: trained already with these options\n"
    assert weights.stat().st_mtime_ns == first
    scene = train(scene, "posenet", replace(FAST, epochs=2))
    second = weights.stat().st_mtime_ns
    assert second != first
    scene = split(scene, SplitOptions(scheme="interleaved"))
    train(scene, "posenet", replace(FAST, epochs=2))
    third = weights.stat().st_mtime_ns
    assert third != second
    weights.parent.rename(scene.path / "elsewhere")
    train(Scene.open(scene.path), "posenet", replace(FAST, epochs=2))
    assert weights.is_file()


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(tmp_path):
    found = []
    for number, seed in enumerate((0, 0, 1)):
        scene = make_scene(tmp_path / f"scene{number}", {"a": 20})
        torch.manual_seed(number)  # what went on before does not matter
        scene = train(scene, "posenet", replace(FAST, views=1, dropout=0.2, seed=seed))
        found.append(load_file(scene.models_dir / "posenet" / "weights.safetensors")["head.pose.weight"])
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(found[0], found[2], rtol=1e-2, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frozen", "workers"),
    [("true", 0), pytest.param("false", 0, marks=pytest.mark.long), pytest.param("false", 1, marks=pytest.mark.long)],
)
def test_killed_and_resumed_equals_uninterrupted(tmp_path, frozen, workers):
    epochs = 12 if frozen == "false" else 60
    extra = ("--frozen", frozen, "--views", "1", "--dropout", "0.3", "--epochs", str(epochs), "--workers", str(workers))

    def start(scene) -> subprocess.Popen:
        command = [sys.executable, "-m", "campose_core.cli.main", *train_on_command_line(scene, *extra)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    whole = make_scene(tmp_path / "whole", {"a": 40})
    uninterrupted = start(whole)
    killed = make_scene(tmp_path / "killed", {"a": 40})
    process, state = start(killed), state_of(killed)
    while not state.is_file() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL
    assert not (killed.models_dir / "posenet").exists()
    assert 0 <= torch.load(state, weights_only=True)["epoch"] < epochs - 1

    assert uninterrupted.wait() == 0, uninterrupted.stderr.read()
    resumed = start(killed)
    _, told = resumed.communicate()
    assert resumed.returncode == 0, told
    assert "going on after epoch" in told
    assert not state.exists()
    assert [row["epoch"] for row in history(killed)] == list(range(1, epochs + 1))
    expected, found = (load_file(s.models_dir / "posenet" / "weights.safetensors") for s in (whole, killed))
    assert expected.keys() == found.keys()
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    uninterrupted.stderr.close()


def test_a_damaged_or_foreign_state_is_not_gone_on_with(scene, capsys):
    state = state_of(scene)
    state.parent.mkdir()
    for content in (b"half a file", b"", b"PK\x03\x04 and nothing more"):
        state.write_bytes(content)
        scene = train(scene, "posenet", replace(FAST, epochs=1)).without_step("train:posenet")
        assert "is damaged: training from the start" in capsys.readouterr().err
    for foreign in ({"campose_digest": "another"}, [1, 2], {"state_dict": {}}):
        torch.save(foreign, state)
        scene = train(scene, "posenet", replace(FAST, epochs=1)).without_step("train:posenet")
        assert "other frames or options" in capsys.readouterr().err
    assert history(scene)[-1]["epoch"] == 1


def test_a_loss_that_is_no_number_stops_and_names_the_frames(scene):
    with pytest.raises(LearningError, match=r"epoch \d+.*a/00\d\d\.jpg.*learning_rate|predicts no number"):
        train(scene, "posenet", replace(FAST, learning_rate=1e20, epochs=20))
    assert not scene.models_dir.exists()
    assert not Scene.open(scene.path).is_done("train:posenet", FAST.to_dict())


def test_what_cannot_be_trained_on_is_refused_with_one_line(tmp_path, scene):
    cases = [
        (replace(scene, frames=tuple(replace(f, split="") for f in scene.frames)), FAST, "not split"),
        (replace(scene, frames=tuple(replace(f, split="train") for f in scene.frames)), FAST, "val split"),
        (replace(scene, frames=(scene.frames[0], replace(scene.frames[1], split="val"))), FAST, "at least two frames"),
        (scene, replace(FAST, kind="mapnet", tuple_skip=30), "recording a has 28 .*tuple spans 61"),
        (scene, replace(FAST, weights=str(tmp_path / "none.pth")), "none.pth: cannot be read"),
        (scene, replace(FAST, backbone="resnet19"), "no backbone 'resnet19'"),
        (scene, replace(FAST, walkable_weight=1.0), "no floor map for the walkable loss: run `campose floor`"),
        (scene, replace(FAST, start_from="mapnet"), "no model 'mapnet' to start from: .* none yet"),
        (scene, replace(FAST, frozen=False, batch_size=1), "one image of 32 pixels .* batch_size or image_size"),
        (scene, replace(FAST, kind="menet"), "menet needs images of at least 64 pixels"),
    ]
    for changed, options, reason in cases:
        with pytest.raises(LearningError, match=reason) as error:
            train(changed, "model", options)
        assert "\n" not in str(error.value)
    for name in ("../model", "", ".hidden", "a b"):
        with pytest.raises(LearningError, match="name of a model"):
            train(scene, name, FAST)
    assert not scene.models_dir.exists()


def test_a_model_is_gone_on_with_where_it_fits(scene, capsys):
    scene = train(scene, "posenet", FAST)
    scene = train(scene, "posenet2", replace(FAST, start_from="posenet", learning_rate=1e-9))
    before, after = (load(scene.models_dir / name) for name in ("posenet", "posenet2"))
    image, camera = picture(walk(5)[2]), scene.cameras["camera"]
    assert pose_error(before.estimate(image, camera)[0], after.estimate(image, camera)[0])[0] < 1e-3
    said = capsys.readouterr().err
    assert "brings its layers" not in said
    scene = train(scene, "posenet3", replace(FAST, start_from="posenet", epochs=1, hidden=32, backbone="resnet18"))
    assert "posenet brings its layers: backbone shufflenet_v2_x0_5, not resnet18; hidden 64, not 32" in (
        capsys.readouterr().err
    )
    train(scene, "posenet5", replace(FAST, start_from="posenet", epochs=1, dropout=0.5))
    assert "posenet brings its layers: dropout 0.0, not 0.5" in capsys.readouterr().err
    with pytest.raises(LearningError, match="a menet cannot begin with posenet, a posenet"):
        train(scene, "menet", replace(FAST, kind="menet", image_size=64, start_from="posenet"))
    with pytest.raises(LearningError, match=r"no model 'models/posenet' .*: posenet, posenet2, posenet3"):
        train(scene, "posenet4", replace(FAST, start_from="models/posenet"))
    with pytest.raises(LearningError, match=r"linear is solved at once .* leave out start_from"):
        replace(FAST, kind="linear", start_from="posenet")
    with pytest.raises(LearningError, match="posenet takes images of 32 pixels a side, not 48: give --image-size 32"):
        train(scene, "posenet4", replace(FAST, start_from="posenet", image_size=48))


def test_one_frame_behind_whole_batches_is_left_out_where_a_backbone_learns(scene):
    """Batch normalisation has no statistics of one image as small as these."""
    frames = len(scene.posed_frames("train"))
    train(scene, "posenet", replace(FAST, frozen=False, batch_size=frames - 1, epochs=2))
    assert len(history(scene)) == 2


def test_a_label_that_is_no_number_is_refused_when_the_scene_is_opened(scene):
    path = scene.path / "frames.csv"
    lines = path.read_text().splitlines()
    fields = lines[3].split(",")
    path.write_text("\n".join([*lines[:3], ",".join([*fields[:5], "nan", *fields[6:]]), *lines[4:]]))
    with pytest.raises(SceneError, match=r"frames\.csv:4"):
        Scene.open(scene.path)


def run_with_small_files(most_bytes: int, arguments: list[str]) -> subprocess.CompletedProcess:
    """A disk that is full after so many bytes of any one file; Python ignores the signal that comes with it."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes}, {most_bytes}));"
        "from campose_core.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_the_earlier_model(scene):
    # Layers so wide that the state is larger than everything written before it.
    wide = ("--hidden", "512", "--epochs", "300")
    assert main(train_on_command_line(scene, "--hidden", "512", "--epochs", "1")) == 0
    folder = scene.models_dir / "posenet"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    caches = sorted((scene.path / "cache").iterdir())
    for _ in range(2):  # the second time as the first: nothing is in its way
        done = run_with_small_files(1_000_000, train_on_command_line(scene, *wide))
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert str(state_of(scene)) in line
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert sorted((scene.path / "cache").iterdir()) == caches
        assert sorted(path.name for path in scene.models_dir.iterdir()) == ["posenet"]
    assert load(folder).metrics["epoch"] == 1


@pytest.mark.slow
def test_a_disk_that_is_full_before_training_is_one_line_too(tmp_path):
    """A real one, of 200 KB: a limit of file sizes does not reach what is written through a memory map."""
    disk = tmp_path / "disk"
    disk.mkdir()
    own_mounts = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=200k tmpfs {disk}"
    if shutil.which("unshare") is None or subprocess.run([*own_mounts, mount], capture_output=True).returncode != 0:
        pytest.skip("this user cannot mount a disk of their own")
    scene = make_scene(tmp_path / "scene", {"a": 12})
    there = [str(disk / "scene") if part == str(scene.path) else part for part in train_on_command_line(scene)]
    steps = f'{mount} && cp -r {scene.path} {disk} && "$@"; code=$?; ls -A {disk}/scene; exit $code'
    command = [sys.executable, "-m", "campose_core.cli.main", *there, "--image-size", "96"]
    done = subprocess.run([*own_mounts, steps, "sh", *command], capture_output=True, text=True)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"No space left on device: '{disk}/scene/cache/frames-" in line
    assert done.stdout.split() == ["frames", "frames.csv", "scene.yaml"]  # and not half a cache


def test_time_limit_ends_training_with_a_usable_model(scene):
    scene = train(scene, "posenet", replace(FAST, epochs=1000, max_minutes=0.001))
    assert 1 <= load(scene.models_dir / "posenet").metrics["epoch"] < 1000


def test_patience_ends_training_where_nothing_gets_better(scene):
    scene = train(scene, "posenet", replace(FAST, epochs=300, patience=3, learning_rate=1e-9))
    rows = history(scene)
    assert 4 <= len(rows) < 100
    scores = [float(row["val_median_m"]) + np.radians(float(row["val_median_deg"])) for row in rows]
    assert min(scores[-3:]) > min(scores[:-3]) - 1e-5  # three epochs that are no better, but for rounding


def test_the_walkable_loss_draws_predictions_onto_the_floor(scene):
    """A floor beside the walk, which only this loss knows of: so strong that it wins over the labels."""
    occupancy = np.full((40, 80), 100, dtype=np.int8)
    occupancy[2:12, 2:-2] = 0
    FloorMap(occupancy, 0.05, (-1.0, -2.0, 0.0)).save(scene.floor_yaml.parent)
    walked = np.array([frame.map_from_cam.translation for frame in scene.posed_frames("train")])
    off = FloorDistance(load_walkable(scene.floor_yaml.parent))(torch.tensor(walked).float())
    assert float(off.mean()) > 1.0
    train(scene, "posenet", replace(FAST, epochs=60, learning_rate=3e-3, walkable_weight=1000.0))
    losses = [row["loss"] for row in history(scene)]
    # A thousand for each metre off the floor.
    assert losses[0] > 1000.0
    assert losses[-1] < 100.0


@pytest.mark.parametrize("frozen", [True, False])
def test_tensorboard_shows_curves_and_pictures(scene, frozen):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(scene, "posenet", replace(FAST, epochs=2, frozen=frozen, views=1, tensorboard=True))
    events = EventAccumulator(str(scene.reports_dir / "tensorboard" / "posenet")).Reload()
    tags = events.Tags()
    assert {"loss", "val_median_m", "val_median_deg"} <= set(tags["scalars"])
    found = [event.value for event in events.Scalars("val_median_m")]
    np.testing.assert_allclose(found, [row["val_median_m"] for row in history(scene)], rtol=1e-4)
    assert len(events.Images("validation path")) == 2
    if not frozen:  # else there are no images, only features
        assert "training pictures" in "".join(tags["images"])
    # Event files are for people: nothing is left where the package runs.
    assert not (Path.cwd() / "lightning_logs").exists()


def test_half_precision_trains(scene):
    scene = train(scene, "posenet", replace(FAST, frozen=False, precision="bf16-mixed", epochs=2))
    model = load(scene.models_dir / "posenet")
    assert np.isfinite(errors_on(scene, model, "val")).all()
    assert all(tensor.dtype != torch.bfloat16 for tensor in model.network.state_dict().values())


@pytest.mark.parametrize("penalty", ["mse", "smooth_l1", "rmse"])
def test_every_penalty_trains(scene, penalty):
    rows = history(train(scene, "mapnet", replace(FAST, kind="mapnet", penalty=penalty, epochs=10)), "mapnet")
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_command_line_takes_a_preset_and_refuses_strange_keys(tmp_path, scene, capsys):
    preset = tmp_path / "quick.yaml"
    preset.write_text("kind: posenet\nepochs: 2\nfrozen: true\n")
    assert main(train_on_command_line(scene, "--config", str(preset), "--json")) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["epoch"] in (1, 2)
    assert metrics["train_frames"] == 28
    preset.write_text("epochz: 2\n")
    for wrong in (
        ["--config", str(preset)], ["--epochs", "two"], ["--kind", "nerf"], ["--config", "absent.yaml"],
        ["--penalty", "l3"], ["--augment", "snow"], ["--precision", "8"], ["--views", "-1"],
    ):  # fmt: skip
        with pytest.raises(SystemExit) as error:
            main(train_on_command_line(scene, *wrong))
        assert error.value.code == 2
        assert wrong[0].strip("-") in capsys.readouterr().err.replace("epochz", "config")
    # An unlabelled recording is written as it is, or as a list.
    for given in ("absent.bag", "[absent.bag]"):
        options = ["--kind", "mapnet+", "--start-from", "absent", "--unlabelled", given]
        assert main(train_on_command_line(scene, *options)) == 1
        assert "no model 'absent' to start from" in capsys.readouterr().err
    assert TrainOptions(kind="mapnet+", start_from="a", unlabelled="one.bag").unlabelled == ("one.bag",)
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    helped = " ".join(capsys.readouterr().out.split())
    assert "and the statistics of normalisation, stay as they are; with 0, or from random weights, all is" in helped
    assert main(["train", str(scene.path), "--model", "mine"]) == 2
    assert "--kind" in capsys.readouterr().err
    preset.write_text("a: &a [1]\nepochs: *a\n")
    assert main(train_on_command_line(scene, "--config", str(preset))) == 2
    assert "quick.yaml: line 2: the alias *a is not followed" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "kind"), [("mapnet+", "mapnet+"), ("mapnet-far", "mapnet"), ("linear2", "linear")])
def test_a_name_tells_its_kind(scene, capsys, name, kind):
    from campose_core.learning.networks import kind_of_model

    assert kind_of_model(name) == kind


def test_there_are_presets():
    assert {path.stem for path in PRESETS} >= {"demo", "mapnet", "posenet"}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_presets_are_valid(preset):
    import dataclasses

    from jsonargparse import ArgumentParser

    from campose_core.cli.train import add_arguments
    from campose_core.learning.networks import kind_of_model
    from campose_core.learning.options import TrainOptions

    parser = ArgumentParser()
    add_arguments(parser)
    fields = yaml.safe_load(preset.read_text())
    given = ["scene", "--model", fields.get("kind", "mapnet"), "--config", str(preset)]
    if fields.get("kind") == "mapnet+":
        given += ["--start-from", "mapnet", "--unlabelled", "[walk.bag]"]
    options = parser.parse_args(given)
    assert all(options[key] == value for key, value in fields.items())
    names = [field.name for field in dataclasses.fields(TrainOptions) if field.name != "kind"]
    TrainOptions(kind=options.kind or kind_of_model(options.model), **{name: options[name] for name in names})
