"""Audio in, stems out.

Nothing here imports `mir`, `features` or `indexes`, and importing this package loads no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from separation.separator import Separator

__all__ = ["Separator"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the attribute is
    if name == "Separator":
        from separation.separator import Separator

        return Separator
    raise AttributeError(f"module 'separation' has no attribute {name!r}")
