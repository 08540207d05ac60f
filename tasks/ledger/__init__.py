"""The append-only record of a model, its chain, and the state that it folds to."""
