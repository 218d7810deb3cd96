"""The tables on the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

from bench import goals, peers
from bench.run import DUMPS, LOADS, LOADS_OFF, VERBS, Row, ratio
from bench.timing import OURS, THEIRS

MARKS = {peers.SAME: "=", peers.EQUAL: "~", peers.CHANGED: "!"}


def seconds(figure: float) -> str:
    for unit, factor in (("s ", 1.0), ("ms", 1e3), ("us", 1e6)):
        if figure * factor >= 1:
            return f"{figure * factor:.3g} {unit}"
    return f"{figure * 1e9:.3g} ns"


def times(figure: float | None) -> str:
    if figure is None:
        return ""
    style = "red" if figure < 0.97 else "bold" if figure >= 2 else ""
    text = f"{figure:.2f}" if figure < 10 else f"{figure:.1f}"
    return f"[{style}]{text}[/]" if style else text


def mebibytes(figure: float) -> str:
    return f"{figure / 2**20:.1f}"


def speeds(rows: list[Row]) -> Table:
    table = Table(title="Against _pickle: the time of one call, and how many times faster halfsour is")
    table.add_column("", no_wrap=True)
    for column in ("bytes", "dumps", "halfsour", "x", "loads", "halfsour", "x", "x, collector off"):
        table.add_column(column, justify="right", no_wrap=column not in ("x, collector off",))
    for row in rows:
        if "absent" in row:
            table.add_row(row["name"], f"absent: {row['absent']}")
            continue
        cells = [row["name"], f"{row['bytes']:,}"]
        for verb in (DUMPS, LOADS):
            cells += [seconds(row[verb][THEIRS]["median"]), seconds(row[verb][OURS]["median"]), times(ratio(row, verb))]
        table.add_row(*cells, times(ratio(row, LOADS_OFF)))
    table.add_section()
    means = [times(goals.mean(rows, verb)) for verb in VERBS]
    if any(means):
        table.add_row("geometric mean, without variants", "", "", "", means[0], "", "", means[1], means[2])
    return table


def others(rows: list[Row]) -> Table:
    table = Table(
        title="Beside them: times faster than _pickle, dumps / loads",
        caption="What comes back: = the same; ~ equal, less sharing or order; ! other types or values; - cannot.",
    )
    table.add_column("", no_wrap=True)
    for name in (OURS, *peers.NOTES):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        if "peers" in row:
            fates = {OURS: peers.SAME, **row["peers"]}
            table.add_row(row["name"], *(other(row, name, fate) for name, fate in fates.items()))
    return table


def other(row: Row, name: str, fate: str) -> str:
    if fate not in MARKS:
        return "-"
    dumps, loads = ratio(row, DUMPS, name), ratio(row, LOADS, name)
    return f"{dumps:.2g} / {loads:.2g} {MARKS[fate]}"


def reasons(rows: list[Row]) -> str:
    """Who is absent, who cannot carry what, and what each is not."""
    lines = []
    for name, note in peers.NOTES.items():
        out: dict[str, list[str]] = {}
        for row in rows:
            fate = row.get("peers", {}).get(name)
            if fate and fate not in MARKS:
                out.setdefault(fate, []).append(row["name"])
        if peers.ABSENT in out:
            lines.append(f"  {name}: {peers.ABSENT}.")
            continue
        left = "; ".join(f"{fate} ({', '.join(names)})" for fate, names in out.items())
        lines.append(f"  {name}: {note}." + (f" Left out: {left}." if left else ""))
    return "\n".join(lines)


def memory(rows: list[Row]) -> Table:
    table = Table(title="Growth of the peak memory over one call of a fresh process, MiB")
    table.add_column("", no_wrap=True)
    for column in ("output", "dumps, _pickle", "halfsour", "loads, _pickle", "halfsour"):
        table.add_column(column, justify="right")
    for row in rows:
        if grown := row.get("memory"):
            cells = [mebibytes(grown[verb][side]) for verb in (DUMPS, LOADS) for side in (THEIRS, OURS)]
            table.add_row(row["workload"], mebibytes(row["bytes"]), *cells)
    return table


def verdicts(found: list[goals.Verdict]) -> Table:
    table = Table(title="The goals")
    for column in ("", "figure", "goal", "met"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for one in found:
        table.add_row(one.what, f"{one.figure:.2f}", f"{one.goal:g}", "yes" if one.met else "[red]no[/]")
    return table


def failures(what: str, found: list[goals.Verdict]) -> str:
    """A line for a goal that every figure has to meet, and those that do not."""
    missed = [f"{one.what} {one.figure:.2f}" for one in found if not one.met]
    if missed:
        return f"{what}: not met by {len(missed)} of {len(found)} figures:\n  " + "\n  ".join(missed)
    return f"{what}: met by all {len(found)} figures; the nearest is {found[0].what} with {found[0].figure:.2f}."


def show(console: Console, results: dict[str, Any]) -> None:
    rows, where = results["rows"], results["environment"]
    console.print(speeds(rows))
    if any("peers" in row for row in rows):
        console.print(others(rows))
        console.print(reasons(rows), highlight=False)
    if any("memory" in row for row in rows):
        console.print(memory(rows))
    console.print(verdicts(goals.judge(rows, where["python"])))
    for what, found in (
        ("Nothing slower than _pickle by more than 3 %", goals.slowness(rows)),
        ("Peak memory: a dump takes its output and 10 %, a load no more than _pickle's", goals.memory(rows)),
    ):
        if found:
            console.print(failures(what, found), highlight=False)
