"""Bar charts of one benchmark run, as SVG without scripts or fonts of its own: FILE-light.svg and FILE-dark.svg.

    plot.write(pathlib.Path("docs/accept"), "How fast an upload is answered", [
        plot.Panel("4 KiB, 16 connections", "requests/s", [plot.Bar("hoist", [10787, 10677, 11935]), ...])],
        "tests/bench/accept/run --sizes 4k")

A bar is the median of its runs, the line on it reaches from the least to the largest; those whose name begins with "hoist" stand
out.  Below stand the day, the machine's processors and the command, so that no picture is without its circumstances.
"""

import dataclasses
import datetime
import html
import os
import pathlib
import statistics

WIDTH, LABEL, VALUE, ROW, PAD = 720, 132, 96, 26, 20
COLOURS = {
    "light": {"paper": "#ffffff", "ink": "#1c2430", "quiet": "#5c6b7e", "bar": "#b9c4d2", "own": "#0b7285", "line": "#33475b"},
    "dark": {"paper": "#0f151c", "ink": "#e6edf3", "quiet": "#93a1b1", "bar": "#3a4756", "own": "#3bc9db", "line": "#c7d3df"},
}


@dataclasses.dataclass
class Bar:
    name: str
    runs: list

    @property
    def middle(self):
        return statistics.median(self.runs)


@dataclasses.dataclass
class Panel:
    title: str
    unit: str
    bars: list


def machine():
    """The processors, as they call themselves, and how many there are."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = " ".join(line.split(":", 1)[1].split())
            break
    count = len(os.sched_getaffinity(0))
    return f"{count} × {model}"


def shown(arguments):
    """What made the numbers, without where they went."""
    kept, skip = [], False
    for word in arguments:
        if skip:
            skip = False
        elif word in ("--plot", "--json", "--dir", "--build"):
            skip = True
        elif not word.startswith(("--plot=", "--json=", "--dir=", "--build=")):
            kept.append(word)
    return kept


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def draw_text(x, y, text, fill, size=13, anchor="start", weight="normal"):
    return (f'<text x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{html.escape(text)}</text>')


def draw_panel(panel, top, colours):
    parts = [draw_text(PAD, top + 14, panel.title, colours["ink"], 14, weight="600"),
             draw_text(WIDTH - PAD, top + 14, panel.unit, colours["quiet"], 12, "end")]
    most = max(max(bar.runs) for bar in panel.bars) or 1
    room = WIDTH - 2 * PAD - LABEL - VALUE
    for i, bar in enumerate(panel.bars):
        y = top + 26 + i * ROW
        is_own = bar.name.startswith("hoist")
        at = lambda value: PAD + LABEL + room * value / most
        parts += [
            draw_text(PAD + LABEL - 10, y + 14, bar.name, colours["ink"], 13, "end", "600" if is_own else "normal"),
            f'<rect x="{PAD + LABEL}" y="{y + 3}" width="{max(at(bar.middle) - PAD - LABEL, 1):.1f}" height="15" rx="2" '
            f'fill="{colours["own" if is_own else "bar"]}"/>',
            f'<path d="M{at(min(bar.runs)):.1f} {y + 10.5}H{at(max(bar.runs)):.1f}" stroke="{colours["line"]}" stroke-width="1.5"/>',
            draw_text(WIDTH - PAD, y + 14, number(bar.middle), colours["ink"], 13, "end"),
        ]
    return parts, top + 26 + len(panel.bars) * ROW + 16


def draw(title, panels, command, theme):
    colours = COLOURS[theme]
    parts, top = [draw_text(PAD, 30, title, colours["ink"], 17, weight="700")], 48
    for panel in panels:
        more, top = draw_panel(panel, top, colours)
        parts += more
    foot = f"{datetime.date.today().isoformat()}, {machine()}; median, least and most of {len(panels[0].bars[0].runs)} runs"
    parts += [draw_text(PAD, top + 8, foot, colours["quiet"], 11), draw_text(PAD, top + 24, command, colours["quiet"], 11)]
    height = top + 40
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'font-family="system-ui, sans-serif" aria-label="{html.escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{colours["paper"]}"/>', *parts, "</svg>", ""])


def write(stem, title, panels, command):
    for theme in COLOURS:
        path = stem.with_name(f"{stem.name}-{theme}.svg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(draw(title, [p for p in panels if p.bars], command, theme))
