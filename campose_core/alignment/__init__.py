"""Where a reconstruction lies in the metric map frame: evidence from many sources, weighed and applied."""
