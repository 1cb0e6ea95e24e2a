"""Images that nobody took: what the camera would have seen from a little beside where it was.

With a ray r = K^-1 (u, v, 1) of the new view and its inverse depth w, the point r / w lies in the old camera at
R r / w + t, so that it shows at the pixel of R r + w t. Without depth w is zero and what is left is the homography
K R K^-1 of a turn on the spot, exact whatever the depth (Hartley and Zisserman, "Multiple View Geometry", section 8.4).

The depth is known in the old image and asked for in the new one: a fixed point iteration finds it. What the old
image did not show gets its mean colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from campose_core.camera import Camera
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.rotations import rotation_exp

ITERATIONS = 4
COARSE = 56  # pixels a side at which depths are looked for: landmarks tell no more
MIN_AHEAD = 1e-3


@dataclass(frozen=True)
class ViewOptions:
    """How far views differ from the frame they are made of: standard deviations, cut at two of them.

    pitch_deg, yaw_deg, roll_deg: turns about the camera's x, y and z axis.
    shift_m: sideways and ahead; half of it up and down. Needs inverse depths, and is kept to `most_shift` of the depth
    of what is near, beyond which a warped image is mostly holes.
    """

    pitch_deg: float = 7.0
    yaw_deg: float = 10.0
    roll_deg: float = 6.0
    shift_m: float = 0.0
    most_shift: float = 0.4


def random_views(inverse_depth_bhw: Tensor, options: ViewOptions) -> tuple[Tensor, Tensor]:
    """Draw rotations [B, 3, 3] and translations [B, 3] cam_from_view, metres, by torch's global generator.

    inverse_depth_bhw: of the frames the views are made of, 1/m; all zero where nothing is known: there the camera stays
    in its place.
    """
    count = len(inverse_depth_bhw)
    spread = torch.tensor([options.pitch_deg, options.yaw_deg, options.roll_deg]).deg2rad()
    turn_b3 = spread * torch.randn(count, 3).clamp(-2.0, 2.0)
    share_b3 = torch.randn(count, 3).clamp(-2.0, 2.0) * torch.tensor([1.0, 0.5, 1.0])
    shift_b3 = options.shift_m * share_b3
    nearest_b = torch.quantile(inverse_depth_bhw.flatten(1).float(), 0.95, dim=1)
    most_b = options.most_shift / nearest_b.clamp_min(1e-6)
    length_b = shift_b3.norm(dim=1).clamp_min(1e-9)
    shift_b3 = shift_b3 * (torch.minimum(length_b, most_b) / length_b)[:, None]
    return rotation_exp(turn_b3), shift_b3 * (nearest_b > 0)[:, None]


def moved(map_from_cam: PoseNumbers, rotation_b33: Tensor, translation_b3: Tensor) -> PoseNumbers:
    """Move map_from_cam [B] to the map_from_view of cam_from_view: rotations [B, 3, 3], translations [B, 3], metres."""
    position = map_from_cam.position + (map_from_cam.rotation @ translation_b3[..., None]).squeeze(-1)
    return PoseNumbers(position, map_from_cam.rotation @ rotation_b33)


def synthesise(
    image_bhw3: Tensor, inverse_depth_bhw: Tensor, camera: Camera, rotation_b33: Tensor, translation_b3: Tensor
) -> Tensor:
    """Render what cameras at cam_from_view would have seen, uint8 [B, H, W, 3].

    image_bhw3: uint8, by the PINHOLE `camera`. inverse_depth_bhw: of those images at any resolution, 1/m along the
    optical axis; zero for what is far or unknown. rotation_b33, translation_b3: cam_from_view, metres.
    """
    coarse = camera.resized(min(COARSE, camera.width), min(COARSE, camera.height))
    inverse_b1hw = _inverse_depth_of_view(inverse_depth_bhw[:, None].float(), coarse, rotation_b33, translation_b3)
    inverse_b1hw = interpolate(inverse_b1hw, (camera.height, camera.width), mode="bilinear", align_corners=False)
    grid_bhw2 = _grid(inverse_b1hw, _rays(camera), camera, rotation_b33, translation_b3)
    colour_b3hw = image_bhw3.permute(0, 3, 1, 2).float()
    mean_b311 = colour_b3hw.mean((2, 3), keepdim=True)
    # The mean is added after sampling, where grid_sample fills with zeros.
    view_b3hw = grid_sample(colour_b3hw - mean_b311, grid_bhw2, align_corners=False) + mean_b311
    return view_b3hw.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _inverse_depth_of_view(old_b1hw: Tensor, camera: Camera, rotation_b33: Tensor, translation_b3: Tensor) -> Tensor:
    """1/m of the new view's own pixels [B, 1, H, W]: what is seen there is looked up in the old image, and again."""
    if not bool((translation_b3 != 0).any()):
        return torch.zeros(len(old_b1hw), 1, camera.height, camera.width)
    rays_hw3 = _rays(camera)
    depth_share_bhw = torch.einsum("bj,hwj->bhw", rotation_b33[:, 2], rays_hw3)[:, None]
    ahead_b111 = translation_b3[:, 2, None, None, None]
    new_b1hw = torch.zeros(len(old_b1hw), 1, camera.height, camera.width)
    for _ in range(ITERATIONS):
        grid_bhw2 = _grid(new_b1hw, rays_hw3, camera, rotation_b33, translation_b3)
        found_b1hw = grid_sample(old_b1hw, grid_bhw2, padding_mode="border", align_corners=False)
        # A point at depth 1 / w of the new view is (R r)_z / w + t_z deep in the old one, where 1 / w' is found.
        new_b1hw = found_b1hw * depth_share_bhw / (1.0 - found_b1hw * ahead_b111).clamp_min(0.1)
    return new_b1hw


def _rays(camera: Camera) -> Tensor:
    """[H, W, 3], with z = 1."""
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    v_hw, u_hw = torch.meshgrid(torch.arange(camera.height), torch.arange(camera.width), indexing="ij")
    return torch.stack([(u_hw - cx) / fx, (v_hw - cy) / fy, torch.ones(u_hw.shape)], dim=-1).float()


def _grid(
    inverse_b1hw: Tensor, rays_hw3: Tensor, camera: Camera, rotation_b33: Tensor, translation_b3: Tensor
) -> Tensor:
    """Where the new view's pixels lie in the old image [B, H, W, 2], as grid_sample counts: -1 to 1 between edges."""
    points_b3hw = torch.einsum("bij,hwj->bihw", rotation_b33, rays_hw3) + inverse_b1hw * translation_b3[..., None, None]
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    ahead_bhw = points_b3hw[:, 2].clamp_min(MIN_AHEAD)
    u_bhw, v_bhw = points_b3hw[:, 0] / ahead_bhw * fx + cx, points_b3hw[:, 1] / ahead_bhw * fy + cy
    grid_bhw2 = torch.stack([(2.0 * u_bhw + 1.0) / camera.width - 1.0, (2.0 * v_bhw + 1.0) / camera.height - 1.0], -1)
    behind_bhw1 = points_b3hw[:, 2, :, :, None] <= MIN_AHEAD
    return torch.where(behind_bhw1, 2.0, grid_bhw2)  # outside
