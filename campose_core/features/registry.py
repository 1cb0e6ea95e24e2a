"""Which kinds of features a map can be made from, by name; docs/extend/features.md adds one."""

from campose_core.errors import MappingError
from campose_core.features.base import FeatureKind
from campose_core.seams.seam import Seam

SIFT = "sift"  # of maps that do not say
XFEAT = "xfeat"
FEATURES: Seam[type[FeatureKind]] = Seam(
    "features",
    {
        SIFT: "campose_core.features.sift:SiftExtractor",
        XFEAT: "campose_core.features.xfeat:XFeatExtractor",
    },
    MappingError,
    members=("version", "size", "likeness", "colmap_matches", "pair_matcher", "min_inliers", "to_bytes", "to_unit"),
)
