"""Curves as SVG, that can be read on light and on dark pages."""

import math
from collections.abc import Mapping, Sequence

type Curve = Sequence[tuple[float, float]]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 56, 130, 66, 46
STYLE = """<style>
  text { font: 13px system-ui, sans-serif; fill: #333 } .title { font-size: 15px; font-weight: 600 }
  rect { fill: #fff } .grid { stroke: #ddd } .goal { stroke: #777; stroke-dasharray: 5 4 }
  .curve { fill: none; stroke-width: 2.5 } .band { opacity: .15 }
  .c0 { stroke: #1668b8 } .f0 { fill: #1668b8 } .c1 { stroke: #b3541e } .f1 { fill: #b3541e }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } rect { fill: #16191d } .grid { stroke: #3a3f45 } .goal { stroke: #999 }
    .c0 { stroke: #6db3f2 } .f0 { fill: #6db3f2 } .c1 { stroke: #f0a06a } .f1 { fill: #f0a06a }
  }
</style>"""


def picture(
    title: str, note: str, curves: Mapping[str, Curve], goal: float, band: Sequence[Curve] = ()
) -> str:
    """Draw curves over lanes by their names, a goal, and a band between two other curves."""
    every = [point for curve in (*curves.values(), *band) for point in curve]
    most_x, most_y = max(x for x, _ in every), 1.05 * max(y for _, y in every)
    power = 10 ** math.floor(math.log10(most_y))
    step = next(power * part for part in (0.2, 0.5, 1) if most_y / power / part < 9)

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = (WIDTH - LEFT - RIGHT) * x / most_x, (HEIGHT - TOP - BOTTOM) * y / most_y
        return round(LEFT + across, 1), round(HEIGHT - BOTTOM - up, 1)

    def line(curve: Curve) -> str:
        return " ".join(f"{x},{y}" for x, y in (at(*point) for point in curve))

    def text(x: float, y: float, what: str, anchor: str = "start", kind: str = "") -> str:
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{kind}">{what}</text>'

    def across(y: float, kind: str) -> str:
        (x1, y1), (x2, _) = at(0, y), at(most_x, y)
        return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y1}" class="{kind}"/>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{STYLE}',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        text(LEFT, 26, title, kind="title"),
        text(LEFT, 46, note),
        text(at(most_x / 2, 0)[0], HEIGHT - 8, "lanes", "middle"),
        across(goal, "goal"),
        text(WIDTH - RIGHT + 8, at(0, goal)[1] + 4, f"goal: {goal:,.0f}"),
    ]
    for y in (number * step for number in range(int(most_y / step) + 1)):
        parts += [across(y, "grid"), text(LEFT - 8, at(0, y)[1] + 4, f"{y:,g}", "end")]
    for x, _ in next(iter(curves.values())):
        parts.append(text(at(x, 0)[0], HEIGHT - BOTTOM + 18, f"{x:g}", "middle"))
    if band:
        points = f"{line(band[0])} {line(band[1][::-1])}"
        parts.append(f'<polygon points="{points}" class="band f0"/>')
    for number, (name, curve) in enumerate(curves.items()):
        parts.append(f'<polyline points="{line(curve)}" class="curve c{number}"/>')
        for x, y in (at(*point) for point in curve):
            parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" class="f{number}"/>')
        parts.append(text(WIDTH - RIGHT + 8, at(*curve[-1])[1] + 4, name, kind=f"f{number}"))
    return "\n".join([*parts, "</svg>", ""])
