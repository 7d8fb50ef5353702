"""Playlists: tracks that are alike, or pass filters, in an order that flows; and walks from one sound to another."""

from __future__ import annotations

from mir.playlists.entries import Entry, Missing
from mir.playlists.jumps import Jumps
from mir.playlists.m3u import m3u8
from mir.playlists.making import ORDERS, Playlist, make, walk
from mir.playlists.walking import path

__all__ = ["ORDERS", "Entry", "Jumps", "Missing", "Playlist", "m3u8", "make", "path", "walk"]
