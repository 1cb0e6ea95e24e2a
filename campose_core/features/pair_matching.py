"""Which features of two images belong together, by their kind."""

from __future__ import annotations

import numpy as np

from campose_core.features.base import FeatureKind, PairMatcher
from campose_core.features.matching import match_mutual


def matcher_of(kind: type[FeatureKind]) -> PairMatcher:
    """Return the network of a kind that has one; else what is nearest to each other by its likeness.

    Exact, and the same at each run. COLMAP's own matcher on the CPU searches an approximate index, takes twice the
    time, and with several threads now and then loses most matches of a pair (4.2.1: of two neighbours in a recording of
    a desk 18 of 286 were left), so that two maps of a recording differed.
    """
    if kind.pair_matcher:
        return kind.pair_matcher()
    likeness = kind.likeness
    return lambda first, second: np.column_stack(match_mutual(first.descriptors, second.descriptors, likeness))
