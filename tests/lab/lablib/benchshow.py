# SPDX-License-Identifier: GPL-2.0-only
"""Shows what the benchmark measured: tables, Markdown for the README, plots."""
import os
import re
import shutil
import subprocess

from .benchdata import Point, Results, each, point_of, suite_point
from .say import Failure, say

REASONS = 5     # shown of each result


def spread_percent(row, name="exits_total"):
    low, high = row["spread"][name]
    return 100 * (high - low) / 2 / row[name] if row[name] else 0.0


def table_lines(rows):
    """A table for the terminal, one line for each point and workload."""
    results = Results(rows)
    for where in results.places():
        yield f"== {' '.join(where)}: exits counted by the host, medians"
        yield (f"{'workload':<11}{'variant':<19}{'exits/op':>10}{'+-%':>5}{'HLT/op':>9}"
               f"{'IPI/op':>9}{'polled us':>11}{'us/op':>10}{'exits':>7}"
               "  exits by reason; latency; why it does not poll")
        for workload in results.workloads(where):
            base = results.get(where, Point("default"), workload)
            for point in results.points(where):
                row = results.get(where, point, workload)
                if row:
                    yield table_line(row, base)


def table_line(row, base):
    against = f"{row['exits_total'] / base['exits_total']:.0%}" if base else ""
    most = sorted(row["exits"].items(), key=lambda item: -item[1])[:REASONS]
    notes = [" ".join(f"{reason} {n / row['operations']:.2f}" for reason, n in most)]
    if row["cyclictest"]:
        notes.append("latency {avg_us:.0f} us, at most {max_us:.0f}".format(**row["cyclictest"]))
    notes += [reason for reason in (row["suite"] or {"reason": ()})["reason"]
              if reason != "saves-exits"]
    return (f"{row['workload']:<11}{point_of(row).label():<19}{each(row, 'exits_total'):>10.2f}"
            f"{spread_percent(row):>5.0f}{each(row, 'hlt'):>9.2f}{each(row, 'wake_ipis'):>9.2f}"
            f"{each(row, 'polled_ns') / 1e3:>11.1f}{each(row, 'elapsed_ns') / 1e3:>10.1f}"
            f"{against:>7}  {'; '.join(notes)}")


def model_lines(rows, headline):
    """What the saved exits are worth elsewhere, by the model."""
    results = Results(rows)
    yield "== model: cycles per operation that the exits saved are worth (DVH, table 3)"
    yield f"{'where':<10}{'workload':<11}{'at':<14}{'L1':>12}{'L2':>12}{'L3':>14}"
    for where in results.places():
        for workload in results.workloads(where):
            base = results.get(where, Point("default"), workload)
            for point in dict.fromkeys((suite_point(100), suite_point(headline))):
                row = results.get(where, point, workload)
                if base and row:
                    saved = [round((b - r) / row["operations"])
                             for b, r in zip(base["model_cycles"], row["model_cycles"])]
                    yield (f"{'-'.join(where):<10}{workload:<11}{point.label():<14}"
                           f"{saved[0]:>12,}{saved[1]:>12,}{saved[2]:>14,}")


def markdown(rows, where, headline, machine):
    """The README's table: exits per operation, time polled, for one host and kernel."""
    results = Results(rows)
    points = shown_points(results, where, headline)
    repeats = min(r["repeats"] for r in rows if (r["host"], r["kernel"]) == where)
    lines = [f"Guest kernel {where[1]} on {where[0].capitalize().replace('Kvm', 'KVM')}, "
             f"medians of {repeats}, on a machine with {machine.split(' (')[0]}:", "",
             "| exits per operation (polled) | " + " | ".join(p.label() for p in points) + " |",
             "|---|" + "---:|" * len(points)]
    for workload in results.workloads(where):
        cells = []
        for point in points:
            row = results.get(where, point, workload)
            cells.append(f"{each(row, 'exits_total'):.2f} ({each(row, 'polled_ns') / 1e3:.0f} µs)"
                         if row else "–")
        lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def shown_points(results, where, headline):
    """One point of each variant, and of the suite the default and the headline."""
    wanted = [Point("default"), *results.points(where, "haltpoll")[:1], Point("idle-poll"),
              suite_point(100), suite_point(headline)]
    there = results.points(where)
    return [p for p in dict.fromkeys(wanted) if p in there]


def put_between(text, name, new):
    """Replace what stands between the two marks of a name in a Markdown text."""
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    if not marked.search(text):
        raise Failure(f"no marks <!-- {name} --> in the text")
    return marked.sub(lambda m: m.group(1) + new + m.group(2), text)


# -- plots -------------------------------------------------------------------------------

def bars_script(rows, where, headline):
    """gnuplot: exits per operation of each variant, the default being 100."""
    results = Results(rows)
    points = [p for p in shown_points(results, where, headline) if p.variant != "default"]
    lines = ["$data << EOD", '"" ' + " ".join(f'"{p.label()}"' for p in points)]
    for workload in results.workloads(where):
        base = results.get(where, Point("default"), workload)
        if not base:
            continue
        values = []
        for point in points:
            row = results.get(where, point, workload)
            values.append(f"{100 * row['exits_total'] / base['exits_total']:.1f}" if row else "NaN")
        lines.append(f'"{workload}\\n{each(base, "exits_total"):.1f}" ' + " ".join(values))
    lines += ["EOD", f'set title "Exits per operation, {" ".join(where)} (100 = upstream default)"',
              "set ylabel '% of upstream default'",
              "set xlabel 'workload, and its exits per operation by default' offset 0,-1",
              "set bmargin 5",
              "set style data histogram", "set style histogram clustered gap 1",
              "set style fill solid 0.8 border -1", "set yrange [0:*<300]", "set grid y",
              "set key outside right top",
              "set arrow from graph 0, first 100 to graph 1, first 100 nohead dt 2",
              f"plot for [i=2:{len(points) + 1}] $data using i:xtic(1) title columnheader(i)"]
    return "\n".join(lines) + "\n"


def curve_script(rows, where):
    """gnuplot: exits against time polled, per operation, a panel for each workload."""
    results = Results(rows)
    workloads = results.workloads(where)
    lines, plots = [], []
    for n, workload in enumerate(workloads):
        series = []
        for variant in ("suite", "haltpoll"):
            points = [Point("default")] * (variant == "suite")
            points += sorted(results.points(where, variant), key=lambda p: p.value)
            found = [r for r in (results.get(where, p, workload) for p in points) if r]
            if not found:
                continue
            lines.append(f"$d{n}_{variant} << EOD")
            for row in found:
                low, high = (v / row["operations"] for v in row["spread"]["exits_total"])
                value = "/".join(str(v) for v in row["parameters"].values()) or "0"
                if variant == "haltpoll":
                    value = f"{int(value) / 1000:g}us"
                lines.append(f"{each(row, 'polled_ns') / 1e3:.3f} {each(row, 'exits_total'):.3f} "
                             f"{low:.3f} {high:.3f} {value}")
            lines.append("EOD")
            series += [f"$d{n}_{variant} using 1:2:3:4 with yerrorlines title '{variant}'",
                       f"$d{n}_{variant} using 1:2:5 with labels offset 0,0.8 font ',8' notitle"]
        if series:
            plots += [f'set title "{workload}"', "plot " + ", ".join(series)]
    return "\n".join(lines + [
        f"set multiplot layout {(len(workloads) + 1) // 2},2 "
        f"title 'Exits against time polled, {' '.join(where)}'",
        "set xlabel 'us polled per operation (log scale from 1)'",
        "set ylabel 'exits per operation'", "set yrange [0:*]", "set grid",
        "set offsets 0, graph 0.05, graph 0.1, 0",
        "set nonlinear x via log10(1+x) inverse 10**x-1",
        "set xtics (0, 1, 10, 100, '1 000' 1000, '10 000' 10000)",
        "set key above", *plots, "unset multiplot"]) + "\n"


def plot(script, path, size):
    """Both formats of a plot; the script stays beside them."""
    if not shutil.which("gnuplot"):
        raise Failure("no gnuplot: 'make deps' installs it")
    with open(f"{path}.gnuplot", "w", encoding="utf-8") as f:
        f.write(script)
    for suffix, terminal in (("svg", "svg"), ("png", "pngcairo")):
        done = subprocess.run(["gnuplot", "-"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, input=(
                                  f"set terminal {terminal} size {size} background '#ffffff'\n"
                                  f"set output '{path}.{suffix}'\n" + script))
        if done.returncode:
            raise Failure(f"gnuplot: {done.stdout.strip()}")


def plots(rows, directory, headline):
    for where in Results(rows).places():
        name = "-".join(where)
        plot(bars_script(rows, where, headline), f"{directory}/exits-{name}", "1000,500")
        plot(curve_script(rows, where), f"{directory}/curve-{name}", "1000,1200")
        say(f"plots: {os.path.relpath(directory)}/{{exits,curve}}-{name}.{{svg,png}}")
