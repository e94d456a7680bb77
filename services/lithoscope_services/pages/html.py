"""The frame of a page: one file, light and dark, readable on a phone and on paper."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root{--ink:#1b1d22;--soft:#5b6270;--paper:#fff;--line:#d8dce3;--panel:#f5f6f8;--warn:#a04000;
--good:#006b4f}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaee;--soft:#a4abb8;--paper:#16181c;
--line:#363b45;--panel:#1f2228;--warn:#ffb06b;--good:#5fd6b0}
.charts svg{filter:brightness(1.35)}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1760px;margin:0 auto;padding:24px clamp(12px,3vw,48px)}
h1{font-size:1.6rem;margin:0 0 4px}h2{font-size:1.15rem;margin:32px 0 8px}
p{max-width:78ch;margin:6px 0}.soft{color:var(--soft)}
a{color:inherit}
.lead{font-size:1.15rem;border-left:4px solid var(--warn);padding:8px 14px;background:var(--panel)}
.lead.good{border-color:var(--good)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;min-width:min(100%,34rem)}
th,td{padding:5px 12px 5px 0;border-bottom:1px solid var(--line);text-align:left;
vertical-align:top}
th{font-weight:600;white-space:nowrap}td.n,th.n{text-align:right}
.warn{color:var(--warn);font-weight:600}.good{color:var(--good)}
.film{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px}
.film figure{margin:0;background:var(--panel);border:1px solid var(--line);border-radius:6px;
overflow:hidden}
.film img{display:block;width:100%;image-rendering:pixelated}
.film figcaption{padding:6px 8px;font-size:.82rem;line-height:1.35;overflow-wrap:anywhere}
.film .gone{display:grid;place-items:center;aspect-ratio:1;color:var(--warn);
border-bottom:1px dashed var(--line)}
.film .marked{border-color:var(--warn);box-shadow:0 0 0 1px var(--warn)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:20px}
.charts figure{margin:0}.charts figcaption{font-weight:600}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}
.key span{display:inline-block;margin:0 14px 4px 0;white-space:nowrap;font-size:.85rem}
.key i{display:inline-block;width:12px;height:12px;margin-right:5px;border:1px solid var(--soft);
vertical-align:-1px}
h3{font-size:1rem;margin:20px 0 6px}pre{font-size:.8rem;overflow-x:auto}
.maps{grid-template-columns:repeat(auto-fit,minmax(180px,300px));align-items:start}
.film.maps .gone{aspect-ratio:auto;min-height:52px}
.many{grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr))}
.scale{display:flex;gap:8px;align-items:center}
.scale img{width:220px;height:12px}
@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--line:#bbb;--panel:#f5f6f8}
body{-webkit-print-color-adjust:exact;print-color-adjust:exact}
figure,tr,.scale{break-inside:avoid}h2,h3{break-after:avoid}
.charts{grid-template-columns:repeat(3,1fr)}.film{grid-template-columns:repeat(5,1fr)}}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Put a page together.

    Parameters
    ----------
    title
        Plain text.
    parts
        HTML, each part safe already.
    """
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        # Nothing may be fetched, whatever stands in a name that was shown.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """Write a table.

    Parameters
    ----------
    headings
        Plain text.
    rows
        Cells of HTML, safe already.
    numbers
        Columns that stand to the right.
    """
    kinds = [' class="n"' if place in numbers else "" for place in range(len(headings))]
    head = "".join(
        f'<th scope="col"{kind}>{escape(heading)}</th>'
        for kind, heading in zip(kinds, headings, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def picture(png: bytes, alternative: str) -> str:
    """Write a picture into the page itself."""
    data = base64.b64encode(png).decode()
    return f'<img alt="{escape(alternative)}" src="data:image/png;base64,{data}">'
