"""What notebooks show of plans, explanations, fronts and inventories: small tables of HTML, text escaped."""

from collections.abc import Iterable, Sequence
from html import escape

MOST_ROWS = 20
"""Rows of a table that are shown; the others are counted."""


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; None is shown as a dash."""
    every = list(rows)
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in every[:MOST_ROWS])
    more = len(every) - MOST_ROWS
    rest = paragraph(f"and {more} more") if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def paragraph(text: str, strong: str = "") -> str:
    """Return a paragraph that may begin with strong words."""
    return f"<p>{f'<strong>{escape(strong)}</strong> ' if strong else ''}{escape(text)}</p>"


def lines(title: str, texts: Iterable[str]) -> str:
    """Return a title with lines under it; nothing where there are none."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<p><strong>{escape(title)}</strong></p><ul>{items}</ul>" if items else ""


def _cell(value: object) -> str:
    return f"<td>{'–' if value is None else escape(str(value))}</td>"
