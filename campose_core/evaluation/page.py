"""HTML of report pages: one file that opens anywhere, on a phone, in print, light and dark."""

import base64
import html
from collections.abc import Mapping, Sequence

STYLE = """
:root { color-scheme: light dark; --ink: #2b303a; --muted: #5c6470; --line: #d9dde3; --paper: #fff; --warn: #a33c00 }
:root { --better: #00694d; --worse: #a33c00 }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --muted: #a9b0bc; --line: #3b414c; --paper: #191919; --warn: #ff9d5c }
  :root { --better: #4ecfa4; --worse: #ff9d5c }
  img.plot { filter: invert(0.9) hue-rotate(180deg) }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
body { max-width: 1180px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.6em; margin-bottom: 0.2em; line-height: 1.25; overflow-wrap: anywhere }
h2 { font-size: 1.15em; margin: 1.8em 0 0.4em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.85em }
th, td { padding: 0.35em 0.6em; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th { font-weight: 600; border-bottom: 2px solid var(--ink) }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper) }
.wide { overflow-x: auto }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2em 1.2em }
dt, figcaption, .note { color: var(--muted) }
dd { margin: 0; overflow-wrap: anywhere }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 0 2em }
figure { margin: 1.2em 0; break-inside: avoid }
img { max-width: 100%; height: auto }
.photos > div { display: flex; gap: 4px } .photos img { flex: 1 1 0; min-width: 0; max-width: 400px }
figcaption, .note { font-size: 0.9em; overflow-wrap: anywhere }
.leak { border-left: 4px solid var(--warn); padding: 0.3em 0.8em; color: var(--warn); font-weight: 600 }
.better { color: var(--better); font-weight: 600 } .worse { color: var(--worse); font-weight: 600 }
@media (max-width: 600px) {
  dl { display: block } dt { font-size: 0.85em; margin-top: 0.5em } body { margin: 1em auto }
  th, td { padding: 0.3em 0.4em }
}
@media print { body { max-width: none; margin: 0 } .wide { overflow: visible } table { font-size: 0.62em } }
"""


def html_page(title: str, facts: Mapping[str, str], body: str, more_style: str = "") -> str:
    """Write a page: its title, what there is to know by name, and a body that is HTML already."""
    listed = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>\n" for name, value in facts.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{STYLE}{more_style}</style></head>
<body><h1>{html.escape(title)}</h1>
<dl>{listed}</dl>
{body}</body></html>
"""


def html_figure(caption: str, png: bytes) -> str:
    """Put a drawing inside the page, with what it shows."""
    said, data = html.escape(caption), base64.b64encode(png).decode()
    source = f"data:image/png;base64,{data}"
    return f'<figure><img class="plot" alt="{said}" src="{source}"><figcaption>{said}</figcaption></figure>\n'


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], mark_last: bool = False) -> str:
    """Write a table of texts, escaped, that scrolls where it is too wide. mark_last: colour `better` and `worse`."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(_cell(cell, mark_last) for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n'


def _cell(text: str, marked: bool) -> str:
    kind = f' class="{text}"' if marked and text in ("better", "worse") else ""
    return f"<td{kind}>{html.escape(text)}</td>"
