"""Many runs: scenes x recordings x conditions x estimators x seeds, each a process of its own, on one machine or many."""
