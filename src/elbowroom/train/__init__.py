"""Training: `init` and `step` for those who loop themselves, `fit` and `resume` for the rest."""
