"""Genre from stems: labels, artist-grouped evaluation, stored runs, predictions.

Importing this package loads no scikit-learn; training and evaluating do.
"""
