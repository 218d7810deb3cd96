"""The plot for the README: a bar for dumps and one for loads, on a logarithmic scale, in light and in dark."""

import math
from html import escape
from pathlib import Path
from typing import Any

from bench import goals
from bench.run import DUMPS, LOADS, ratio

# Some of the workloads, so that it can be read at a glance.
SHOWN = (
    "plain", "slots", "namedtuple", "tree", "__getstate__", "__reduce__", "small dicts", "wide dict", "nested",
    "ints", "floats", "short strings", "datetimes", "100 kB blobs", "one dict", "one instance",
)  # fmt: skip
THEMES = {
    "light": {"text": "#1f2328", "faint": "#59636e", "grid": "#d1d9e0", DUMPS: "#2f7d32", LOADS: "#9ccc65"},
    "dark": {"text": "#e6edf3", "faint": "#9198a1", "grid": "#3d444d", DUMPS: "#8bc34a", LOADS: "#4b7a2b"},
}
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 720, 130, 50, 52, 34
BAR, GAP = 8, 8
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)


def svg(results: dict[str, Any], theme: dict[str, str]) -> str:
    rows = {row["name"]: row for row in results["rows"]}
    bars = [(name, ratio(rows[name], DUMPS), ratio(rows[name], LOADS)) for name in SHOWN if DUMPS in rows.get(name, {})]
    bars.append(("geometric mean", goals.mean(results["rows"], DUMPS), goals.mean(results["rows"], LOADS)))
    figures = [figure for _, *both in bars for figure in both if figure]
    low, high = min([0.8, *figures]), max([2.0, *figures])
    scale = (WIDTH - LEFT - RIGHT) / math.log(high / low)
    height = TOP + len(bars) * (2 * BAR + GAP) + BOTTOM

    def x(figure: float) -> float:
        return LEFT + scale * math.log(figure / low)

    where = results["environment"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img">',
        "<title>How many times faster halfsour is than _pickle</title>",
        text(LEFT, 18, "times faster than _pickle", theme["text"], "start", 'font-weight="600"'),
    ]
    for start, verb in ((LEFT + 190, DUMPS), (LEFT + 260, LOADS)):
        parts.append(f'<rect x="{start}" y="9" width="14" height="{BAR}" rx="2" fill="{theme[verb]}"/>')
        parts.append(text(start + 20, 18, verb, theme["text"]))
    bottom = height - BOTTOM
    for tick in TICKS:
        if low <= tick <= high:
            colour, dash = (theme["faint"], "") if tick == 1 else (theme["grid"], ' stroke-dasharray="2 3"')
            parts.append(f'<path d="M{x(tick):.1f} {TOP - 8}V{bottom}" stroke="{colour}"{dash}/>')
            parts.append(text(x(tick), TOP - 14, f"{tick:g}", theme["faint"], "middle"))
    for index, (name, *both) in enumerate(bars):
        y = TOP + index * (2 * BAR + GAP)
        weight = 'font-weight="600"' if name == goals.MEAN else ""
        parts.append(text(LEFT - 10, y + BAR + 4, name, theme["text"], "end", weight))
        for offset, verb, figure in zip((0, BAR), (DUMPS, LOADS), both):
            if figure:
                left, right = sorted((x(1), x(figure)))
                parts.append(f'<rect x="{left:.1f}" y="{y + offset}" width="{max(right - left, 1):.1f}" '
                             f'height="{BAR - 1}" rx="1.5" fill="{theme[verb]}"/>')
                parts.append(text(right + 5, y + offset + BAR - 1, f"{figure:.2g}" if figure < 10 else f"{figure:.0f}",
                                  theme["faint"], "start", 'font-size="9"'))
    note = f"CPython {where['python']}, {where['cpu']}, protocol {where['protocol']}, medians of CPU time, log scale"
    parts += [text(LEFT, height - 12, note, theme["faint"], "start", 'font-size="10"'), "</svg>", ""]
    return "\n".join(parts)


def text(x: float, y: float, words: str, colour: str, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}" fill="{colour}" text-anchor="{anchor}" {extra}>{escape(words)}</text>'


def write(results: dict[str, Any], folder: Path) -> None:
    """Draws light.svg and dark.svg into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, theme in THEMES.items():
        (folder / f"{name}.svg").write_text(svg(results, theme))
