"""XFeat's descriptors lie at corners; what a blurred image lacks of them, the network's own keypoints fill up."""

import cv2
import numpy as np
from posters import WIDTH, posters

from campose_core.features.base import Detail
from campose_core.features.xfeat import APART, AREA, PIXELS_PER_FEATURE, WEAKEST, XFeatExtractor


def test_where_corners_are_few_keypoints_elsewhere_follow():
    image = cv2.GaussianBlur(posters(), (0, 0), 2.5)
    # As large as the network takes it: sides that are multiples of 32.
    grey = cv2.cvtColor(cv2.resize(image, (WIDTH, 256), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    most = grey.size // PIXELS_PER_FEATURE
    corners = len(cv2.goodFeaturesToTrack(grey, most, WEAKEST, APART, blockSize=AREA))
    pixels = XFeatExtractor(Detail.FULL)(image).pixels
    assert corners > most / 2  # enough, one might think
    assert len(pixels) > 1.05 * corners
    apart = np.linalg.norm(pixels[corners:, None] - pixels[None, :corners], axis=2)
    assert apart.min() > APART - 2  # refined corners have moved
