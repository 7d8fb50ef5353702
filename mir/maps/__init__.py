"""The library as a map: tracks that sound alike lie near each other."""

from __future__ import annotations

from mir.maps.data import map_data
from mir.maps.drawing import FORMATS, Drawn, draw_map
from mir.maps.points import Points, place, read_points

__all__ = ["FORMATS", "Drawn", "Points", "draw_map", "map_data", "place", "read_points"]
