"""Many runs: scenes x recordings x conditions x estimators x seeds, each a process of its own, here or on a cluster."""
