"""Studies: many runs of the loop, paired, in parallel, and never one of them twice."""
