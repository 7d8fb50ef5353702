"""How the learned weights of `features.drum_voices` and `features.tempo_weights` come about: `fit` is the command."""
