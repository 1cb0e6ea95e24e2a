"""A model held by positions that are known from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from campose_core.landmark_map.colmap import drop_outliers, load_pycolmap


def adjust_to_positions(
    model: Any, positions: Mapping[str, Sequence[float]], sigma: float, *, refine_centres: bool = False
) -> None:
    """Bundle adjustment of landmarks, poses and focal lengths; positions (x, y, z) of images by name hold the map.

    sigma: their standard deviation on each axis, in the model's unit. refine_centres: also where lenses have their
    centre.
    """
    pycolmap = load_pycolmap()
    options, priors = pycolmap.BundleAdjustmentOptions(), pycolmap.PosePriorBundleAdjustmentOptions()
    options.print_summary = False
    options.refine_principal_point = refine_centres
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    options.ceres.solver_options.function_tolerance = 1e-4
    options.ceres.solver_options.num_threads = 1
    config, listed = pycolmap.BundleAdjustmentConfig(), []
    for image_id in sorted(model.reg_image_ids()):
        image = model.image(image_id)
        config.add_image(image_id)
        if image.name not in positions:
            continue
        prior = pycolmap.PosePrior()
        prior.position = np.array(positions[image.name])
        prior.position_covariance = sigma**2 * np.eye(3)
        prior.coordinate_system = pycolmap.PosePriorCoordinateSystem.CARTESIAN
        prior.corr_data_id = image.data_id
        listed.append(prior)
    pycolmap.create_pose_prior_bundle_adjuster(options, priors, config, listed, model).solve()
    drop_outliers(model)
