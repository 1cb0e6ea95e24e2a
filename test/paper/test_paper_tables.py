"""The paper's tables for a scene: which models stand in them, how they are scored, and that nothing is done twice."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from learnable import QUICK, SMALL, make_scene
from PIL import Image
from safetensors.torch import save_file

from campose_core.cli.main import main
from campose_core.errors import LearningError, UsageError
from campose_core.evaluation.benchmark import course_of_query, course_of_test_split
from campose_core.geometry import pose_error
from campose_core.learning.checkpoint import load
from campose_core.learning.train import train
from campose_core.paper.page import write_benchmark
from campose_core.paper.tables import compare, text_tables
from campose_core.paper.variants import DEFAULT_BACKBONE, choose_backbones, plan_tables
from campose_core.scene.scene import Scene

pytest.importorskip("matplotlib", reason="images need the extra `view`")

BACKBONE = SMALL["backbone"]
RECIPE = replace(QUICK, **SMALL)
LEFT_OUT = {"resnet50": "no <weights> here"}


def plan_of(weights: Path):
    return plan_tables({BACKBONE: str(weights / f"{BACKBONE}.pth")}, LEFT_OUT, RECIPE)


def compared(scene: Scene, plan):
    return compare(Scene.open(scene.path), course_of_test_split(scene), plan, LEFT_OUT, with_structure=False)


def files_below(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with weights that differ from seed to seed, as torchvision writes them."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torchvision.models.get_model(BACKBONE, weights=None)
    torch.save(network.state_dict(), folder / f"{BACKBONE}.pth")
    return folder


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Two recordings whose clocks both begin at zero."""
    return make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"a": 40, "b": 40})


@pytest.fixture(scope="module")
def found(scene, weights):
    return compared(scene, plan_of(weights))


def test_equal_options_are_one_model_and_other_options_another(weights):
    plan = plan_of(weights)
    lines = [line for table in plan.tables for line in table.lines]
    assert len(set(plan.models.values())) == len(plan.models)
    assert {line.model for line in lines if line.model} == plan.models.keys()
    assert [line.label for line in lines if line.model is None] == ["resnet50", "resnet50"]
    by_label = {(table.title[:9], line.label): line.model for table in plan.tables for line in table.lines}
    assert by_label["Table II:", BACKBONE] == by_label["Table III", "L1"] != by_label["Table IV:", BACKBONE]
    assert by_label["Table IV:", BACKBONE] == by_label["Table V: ", "L1"] == by_label["Linear la", "3"]
    for name, options in plan.models.items():
        assert name.startswith(options.kind)
        assert options.frozen
        layers = 1 if options.kind == "posenet" else int((re.findall(r"(\d)-layer", name) or "3")[0])
        assert options.linear_layers == layers


def test_losses_on_another_backbone_do_not_take_the_names_of_the_first():
    every = {DEFAULT_BACKBONE: "pretrained", "resnet18": "pretrained"}
    ours, theirs = plan_tables(every, {}, RECIPE), plan_tables({"resnet18": "pretrained"}, {}, RECIPE)
    assert {"posenet-smooth_l1", "mapnet-rmse", "mapnet-2-layers", "mapnet-1-layer"} < ours.models.keys()
    shared = ours.models.keys() & theirs.models.keys()
    assert shared == {"posenet-resnet18", "mapnet-resnet18"}
    assert all(ours.models[name] == theirs.models[name] for name in shared)


def test_weights_are_looked_for_in_the_folder_and_in_torchs_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    cache, folder = tmp_path / "home" / "hub" / "checkpoints", tmp_path / "weights"
    cache.mkdir(parents=True)
    folder.mkdir()
    (cache / torchvision.models.ResNet34_Weights.DEFAULT.url.rsplit("/", 1)[-1]).touch()
    save_file({"a": torch.zeros(1)}, folder / "resnet50.safetensors")
    found, left_out = choose_backbones(("resnet18", "resnet34", "resnet50"), folder)
    assert found == {"resnet34": "pretrained", "resnet50": str(folder / "resnet50.safetensors")}
    assert left_out.keys() == {"resnet18"}
    assert str(folder / "resnet18.pth") in left_out["resnet18"]
    assert "\n" not in left_out["resnet18"]
    found, left_out = choose_backbones((), None)
    assert "resnet34" in found
    assert {"googlenet", "resnet18", "resnet50", "resnet152", "efficientnet_b7"} == left_out.keys() - {DEFAULT_BACKBONE}


def test_backbones_that_cannot_be_had_are_refused(tmp_path):
    with pytest.raises(LearningError, match="no backbone 'resnet19'"):
        choose_backbones(("resnet19",), None)
    with pytest.raises(UsageError, match="no such folder"):
        choose_backbones((), tmp_path / "nowhere")
    with pytest.raises(LearningError, match=f"no backbone can be had: {BACKBONE}: no weights here"):
        choose_backbones((BACKBONE,), tmp_path)


def test_errors_are_those_of_the_models_on_the_test_frames(scene, found):
    assert found.scores.keys() == found.plan.models.keys()
    frames = scene.posed_frames("test")
    assert {frame.source for frame in frames} == {"a", "b"}
    assert found.frames == len(frames)
    for name in (f"posenet-{BACKBONE}", f"mapnet-{BACKBONE}-2-layers"):
        model, errors = load(scene.models_dir / name), []
        for frame in frames:
            image = np.asarray(Image.open(scene.frame_path(frame)).convert("RGB"))
            errors.append(pose_error(model.estimate(image, scene.cameras["camera"])[0], frame.map_from_cam))
        position, angle = np.median(errors, axis=0)
        score = found.scores[name]
        assert (score.position_m, score.rotation_deg) == pytest.approx((position, np.degrees(angle)), rel=1e-6)
        assert score.parameters == sum(p.numel() for p in model.network.parameters())
        assert 0 < score.trainable_parameters < score.parameters
        assert score.inference_ms > 0


def test_more_layers_are_more_to_train(found):
    trainable = [found.scores[name].trainable_parameters for name in
                 (f"mapnet-{BACKBONE}-1-layer", f"mapnet-{BACKBONE}-2-layers", f"mapnet-{BACKBONE}")]  # fmt: skip
    assert trainable == sorted(set(trainable))


def test_page_and_json_tell_the_tables(tmp_path, found):
    page = write_benchmark(tmp_path / "out", found)
    text = page.read_text()
    fields = json.loads((page.parent / "benchmark.json").read_text())
    assert fields == found.to_dict()
    assert [len(table["rows"]) for table in fields["tables"]] == [2, 4, 2, 4, 3]
    assert text.count("<tr") == sum(1 + len(table["rows"]) for table in fields["tables"])
    printed = text_tables(found)
    for name, score in found.scores.items():
        assert all(f">{cell}</td>" in text for cell in [name, *score.cells()])
        assert all(cell in printed for cell in [name, *score.cells()])
    for reasons in (text, printed):
        assert "retrieval" in reasons
        assert "structure" in reasons
    assert "resnet50 is left out: no <weights> here" in printed
    assert "no &lt;weights&gt; here" in text
    assert "0.707 / 0.191" in text  # the paper's, of a backbone that is left out
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count("data:image/png") == len(list(page.parent.glob("*.png"))) == 2


def test_a_second_run_trains_nothing_and_finds_the_same(scene, weights, found):
    before = files_below(scene.models_dir)
    again = compared(scene, plan_of(weights))
    assert files_below(scene.models_dir) == before
    assert {n: (s.position_m, s.rotation_deg) for n, s in again.scores.items()} == {
        n: (s.position_m, s.rotation_deg) for n, s in found.scores.items()
    }


def test_models_on_one_backbone_pay_for_its_features_once(scene, found):
    """Of training frames, validation frames and test frames."""
    assert len(found.plan.models) > 5
    assert len(list((scene.path / "cache").glob("*.safetensors"))) == 3


def test_a_model_that_cannot_be_trained_is_a_row_with_its_reason(tmp_path, scene, weights, found):
    mine = replace(scene, path=shutil.copytree(scene.path, tmp_path / "scene"))
    plan = plan_of(weights)
    broken = f"mapnet-{BACKBONE}-rmse"
    plan.models[broken] = replace(plan.models[broken], tuple_skip=30)
    shutil.rmtree(mine.models_dir / broken)
    partly = compared(mine, plan)
    assert partly.failed.keys() == {broken}
    assert "tuple spans 61" in partly.failed[broken]
    assert partly.scores.keys() == found.scores.keys() - {broken}
    assert f"{broken} could not be trained" in text_tables(partly)
    page = write_benchmark(tmp_path / "out", partly).read_text()
    assert "tuple spans 61" in page
    [row] = re.findall(rf"<tr.*{broken}.*</tr>", page)
    assert row.count("<td>-</td>") == 6


def test_a_model_trained_otherwise_is_not_replaced(tmp_path, weights):
    scene = make_scene(tmp_path / "scene", {"a": 40})
    plan = plan_of(weights)
    name = f"mapnet-{BACKBONE}-mse"
    scene = train(scene, name, replace(plan.models[name], epochs=1))
    before = files_below(scene.path)
    with pytest.raises(LearningError, match=rf"{name} was trained with other options \(epochs 1, here 3\)"):
        compared(scene, plan)
    assert files_below(scene.path) == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 1, "campose split"),
        (["--backbones", "resnet19"], 1, "no backbone 'resnet19'"),
        (["--weights", "nowhere"], 2, "--weights nowhere: there is no such folder"),
        (["--tables", "--reference", "x.tum"], 2, "--query and --reference go together"),
        (["--epochs", "0"], 1, "epochs must be at least 1"),
        (["--query", "x.mp4", "--reference", "x.tum", "--backbones", "resnet18"], 2, "give --tables with --query"),
    ],
)
def test_what_cannot_be_compared_is_one_line(tmp_path, capsys, arguments, code, message):
    scene = make_scene(tmp_path / "scene", {"a": 40})
    if not arguments:
        scene = replace(scene, frames=tuple(replace(frame, split="") for frame in scene.frames))
        scene.save()
    before = files_below(tmp_path)
    assert main(["benchmark", str(scene.path), *arguments]) == code
    [said] = capsys.readouterr().err.strip().splitlines()
    assert message in said
    assert files_below(tmp_path) == before


@pytest.mark.slow
@pytest.mark.long
def test_one_command_trains_scores_and_writes_the_page(tmp_path, weights, capsys):
    scene = make_scene(tmp_path / "scene", {"a": 40})
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    quick = ["--backbones", "resnet18", "--weights", str(tmp_path), "--epochs", "2"]
    assert main(["benchmark", str(scene.path), *quick, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    folder = scene.reports_dir / "benchmark"
    assert printed == json.loads((folder / "benchmark.json").read_text())
    assert (folder / "index.html").is_file()
    models = {row["model"] for table in printed["tables"] for row in table["rows"]}
    assert models == {path.name for path in scene.models_dir.iterdir()}
    assert not printed["failed"]


@pytest.mark.slow
def test_a_query_is_scored_as_before_and_with_tables_beside_structure(tmp_path, small_scene, small_world, weights):
    scene = Scene.open(shutil.copytree(small_scene, tmp_path / "scene"))
    query, reference = small_world / "later.bag", small_world / "later.tum"
    asked = ["benchmark", str(scene.path), "--query", str(query), "--reference", str(reference)]
    assert main([*asked, "--fail-under", "recall@25cm/2deg>=0.9", "--fail-under", "wrong_and_sure<=0"]) == 0
    assert not scene.models_dir.exists()
    report = json.loads((scene.reports_dir / "benchmark" / "report.json").read_text())
    rows = {row["estimator"]: row for row in report["rows"]}
    assert list(rows) == ["structure", "retrieval", "plain PnP", "mean pose", "odometry alone"]
    assert not any(row["leak"]["leaks"] for row in rows.values())
    assert rows["structure"]["leak"]["nearest_training_frame"].keys() == {"place_m", "place_deg", "view_grey"}
    medians = {name: row["position_m"]["median"] for name, row in rows.items()}
    assert max(medians["structure"], medians["plain PnP"]) < medians["retrieval"] < medians["mean pose"]
    assert sum(room["frames"] for room in report["rooms"]) == rows["structure"]["frames"]
    page = (scene.reports_dir / "benchmark" / "index.html").read_text()
    assert page.count('class="photo"') >= 6  # frames, each beside the nearest image of the map
    found = compare(scene, course_of_query(scene, query, reference), plan_of(weights), {}, with_structure=True)
    assert found.beside == ["retrieval", "structure"]
    assert found.scores["structure"].position_m < min(s.position_m for n, s in found.scores.items() if n != "structure")
    on_test = compared(scene, plan_of(weights))
    assert on_test.beside == ["retrieval"]
    assert "structure" in on_test.left_out
