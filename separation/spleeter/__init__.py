"""Deezer's Spleeter: its published models and its users' own, with its arithmetic to the letter.

References
----------
R. Hennequin, A. Khlif, F. Voituret, M. Moussallam, "Spleeter: a fast and efficient music source separation tool
with pre-trained models", Journal of Open Source Software, 2020.
"""
