"""Cells of a CSV that a spreadsheet would run, made harmless, and made as they were again.

A name such as `=HYPERLINK(...)` does nothing here, but in the spreadsheet of whoever opens an
export it is a formula. An apostrophe before it makes it text there (OWASP, "CSV Injection"). Where
a cell has apostrophes before what would be a formula, it gets one more: so each cell can be told
from every other, and an import finds what was exported.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

Formulas = Literal["escape", "keep"]
FORMULAS: tuple[Formulas, ...] = get_args(Formulas)
"""What becomes of such cells: an apostrophe before them, or nothing."""

# The last four are wide forms, which spreadsheets of some languages take for the first.
_BEGINS = r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(_BEGINS)
_ESCAPED = re.compile(f"'{_BEGINS}")


def escape(cell: str) -> str:
    """Return a cell that no spreadsheet runs.

    Args:
        cell: The text.

    Example:
        >>> escape("=1+1"), escape("Ada"), escape("'=1")
        ("'=1+1", 'Ada', "''=1")
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape(cell: str) -> str:
    """Return what was escaped; a cell that was not stays as it is.

    Args:
        cell: What a file holds.

    Example:
        >>> unescape("'=1+1"), unescape("'Ada'")
        ('=1+1', "'Ada'")
    """
    return cell[1:] if _ESCAPED.match(cell) else cell
