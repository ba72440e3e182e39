# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians with spread, as a markdown table and as JSON, and the comparison with an earlier run."""

import json
import statistics


def summarise(rounds):
    """{path: {figure: [values]}} to {path: {figure: {median, min, max}}}."""
    return {path: {figure: {"median": statistics.median(values), "min": min(values), "max": max(values)}
                   for figure, values in figures.items()} for path, figures in rounds.items()}


def number(value):
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def table(summary):
    """One row a figure, one column a path; the spread behind the median."""
    names = list(summary)
    figures = list(dict.fromkeys(figure for figures in summary.values() for figure in figures))
    lines = ["| figure | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for figure in figures:
        cells = []
        for name in names:
            value = summary[name].get(figure)
            cells.append("-" if value is None else
                         f"{number(value['median'])} ({number(value['min'])}..{number(value['max'])})")
        lines.append(f"| {figure} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


# What the product promises: (what, figure, of which path over which, at least or at most).
RATIOS = [
    ("one stream up to the relay", "up1_gbits", "haproxy TLS relay", ">=", 1.3),
    ("one stream down to the relay", "down1_gbits", "haproxy TLS relay", ">=", 1.3),
    ("eight streams up to the relay", "up8_gbits", "haproxy TLS relay", ">=", 1.3),
    ("one stream up to direct", "up1_gbits", "direct", ">=", 0.40),
    ("one stream down to direct", "down1_gbits", "direct", ">=", 0.42),
    ("machine CPU per GB, eight streams, to the relay", "up8_machine_cpu_s_per_gb", "haproxy TLS relay", "<=", 0.70),
    ("request/response p50 to direct", "rr_p50_us", "direct", "<=", 1.7),
    ("connections per second to direct", "crr_per_s", "direct", ">=", 0.55),
    ("UDP echoes per second to OpenVPN", "udp_per_s", "OpenVPN", ">=", 2.0),
    ("UDP echoes per second to wireguard-go", "udp_per_s", "wireguard-go", ">=", 2.0),
]


def ratios(summary, ours="usher-tun"):
    """Ratios of medians of one session against the floors: [(what, value, floor text, held)]."""
    rows = []
    for what, figure, other, sign, bound in RATIOS:
        if figure in summary.get(other, {}) and figure in summary.get(ours, {}):
            value = summary[ours][figure]["median"] / summary[other][figure]["median"]
            rows.append((what, value, f"{sign} {bound}", value >= bound if sign == ">=" else value <= bound))
    mine = summary.get(ours, {})
    if "up8_gbits" in mine and "beside_gbits" in mine:
        share = mine["beside_gbits"]["median"] / mine["up8_gbits"]["median"]
        rows.append(("bulk rate kept beside request/response", share, ">= 0.87", share >= 0.87))
        rows.append(("request/response p50 beside bulk, ms", mine["beside_p50_us"]["median"] / 1000, "<= 1.0",
                     mine["beside_p50_us"]["median"] <= 1000))
        rows.append(("request/response p99 beside bulk, ms", mine["beside_p99_us"]["median"] / 1000, "<= 5",
                     mine["beside_p99_us"]["median"] <= 5000))
    most = max((int(figure[4:].split("_")[0]) for figure in mine if figure.startswith("hold")), default=0)
    if most > 100 and "hold100_echo_per_s" in mine:
        value = mine[f"hold{most}_echo_per_s"]["median"] / mine["hold100_echo_per_s"]["median"]
        rows.append((f"echo rate at {most:,} flows to 100", value, ">= 0.6", value >= 0.6))
    if "hold10000_bytes_per_flow" in mine:
        value = mine["hold10000_bytes_per_flow"]["median"]
        rows.append(("memory of both ends per held flow, bytes", value, "<= 1024", value <= 1024))
    for figure in ("up1", "down1", "up8"):
        if f"{figure}_v6_gbits" in mine:
            value = mine[f"{figure}_v6_gbits"]["median"] / mine[f"{figure}_gbits"]["median"]
            rows.append((f"IPv6 to IPv4, {figure}", value, ">= 0.95", value >= 0.95))
    return rows


WAN_RATIOS = [("up1", 0.90), ("down1", 0.90), ("up1_loss0.5", 0.90), ("down1_loss0.5", 0.90), ("up32_loss1", 0.5),
              ("down32_loss1", 0.5)]


def wan_ratios(summary, ours="usher-tun"):
    """The long fat path: ratios to direct routing, and that no stream starves."""
    rows = []
    for name, bound in WAN_RATIOS:
        figure = f"wan_{name}_gbits"
        if figure in summary.get(ours, {}) and figure in summary.get("direct", {}):
            value = summary[ours][figure]["median"] / summary["direct"][figure]["median"]
            rows.append((f"{name} over 40 ms, 200 Mbit/s, to direct", value, f">= {bound}", value >= bound))
            if "32" in name:
                share = summary[ours][f"wan_{name}_slowest_share"]["median"]
                rows.append((f"{name}: slowest stream to the mean", share, ">= 0.33", share >= 0.33))
    return rows


def ratio_table(rows):
    lines = ["| ratio | value | floor | |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {what} | {value:.3g} | {floor} | {'held' if held else '**missed**'} |"
                              for what, value, floor, held in rows])


LOWER_IS_BETTER = ("_us", "_cpu_s_per_gb", "_bytes_per_flow", "_kib")
SAME_EVERYWHERE = ("_bytes_per_flow", "_kib", "_share")  # whatever the machine's speed


def spread(value):
    return (value["max"] - value["min"]) / value["median"]


def worse(figure, now, before):
    """By how much; below 0 it is better."""
    change = now / before - 1
    return change if figure.endswith(LOWER_IS_BETTER) else -change


def loss_of(figure, now, stored, ours, direct):
    """By how much `figure` got worse and how much of that may be noise; None when it cannot be compared. A speed must have
    fallen both by itself and relative to the direct path of its own run: on a slower machine the tunnel is no slower beside
    direct routing, and where direct routing has a good day the tunnel has not got worse."""
    values = [side.get(ours, {}).get(figure) for side in (now, stored)]
    if not all(value and value["median"] for value in values):
        return None
    noise = [spread(value) for value in values]
    loss = worse(figure, *(value["median"] for value in values))
    if figure.endswith(SAME_EVERYWHERE):
        return loss, max(noise)
    bases = [side.get(direct, {}).get(figure) for side in (now, stored)]
    if not all(base and base["median"] for base in bases):
        return None
    noise += [spread(base) for base in bases]
    relative = worse(figure, *(value["median"] / base["median"] for value, base in zip(values, bases)))
    return min(loss, relative), max(noise)


# Shares. What a few seconds with random loss bring is chance, a third of it; what a change breaks there is most of it.
LEAST_FALL, LEAST_FALL_LOSSY = 0.15, 0.35


def fallen(now, stored, ours="usher-tun", direct="direct"):
    """A sentence for each figure of ours that fell by more than its noise since `stored`."""
    rows = []
    for figure in now.get(ours, {}):
        found = loss_of(figure, now, stored, ours, direct)
        if found and found[0] > max(found[1], LEAST_FALL_LOSSY if "_loss" in figure else LEAST_FALL):
            rows.append(f"{figure}: {found[0]:.0%} worse than stored (noise {found[1]:.0%})")
    if "wan" in now and "wan" in stored:
        rows += fallen(now["wan"], stored["wan"], ours, direct)
    return rows


def load(path):
    return json.loads(path.read_text()) if path.exists() else None
