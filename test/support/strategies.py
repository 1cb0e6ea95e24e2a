"""Hypothesis strategies for the nouns."""

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.geometry import Pose, Similarity

coordinates = st.floats(-100.0, 100.0, allow_nan=False)
vectors = st.tuples(coordinates, coordinates, coordinates).map(np.array)
rotations = st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1).map(Rotation.from_quat)
poses = st.builds(Pose, rotations, vectors)
similarities = st.builds(Similarity, st.floats(0.01, 100.0), rotations, vectors)
distortions = st.floats(-0.05, 0.05)


@st.composite
def cameras(draw: st.DrawFn, models: tuple[str, ...] = tuple(MODEL_PARAMS)) -> Camera:
    model = draw(st.sampled_from(models))
    width, height = draw(st.integers(64, 2000)), draw(st.integers(64, 2000))
    focal = st.floats(0.5, 2.0).map(lambda f: f * width)
    ranges = {"cx": st.floats(0.3, 0.7).map(lambda v: v * width), "cy": st.floats(0.3, 0.7).map(lambda v: v * height)}
    shared = draw(focal)
    params = []
    for name in MODEL_PARAMS[model]:
        if name in ranges:
            params.append(draw(ranges[name]))
        else:
            params.append(shared if name == "f" else draw(focal if name in ("fx", "fy") else distortions))
    return Camera(model, width, height, tuple(params))
