"""How the learned weights of the drum stem come about: strokes, tempo and metre. `fit` is the command."""
