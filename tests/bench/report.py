# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians with spread, as a markdown table and as JSON; ratios within a session, and how they stand to stored ones."""

import json
import statistics


def summarise(found):
    """{path: {figure: {round: value}}} to {path: {figure: {median, min, max, rounds}}}; a round that failed is None."""
    def of(values):
        known = values.values()
        return {"median": statistics.median(known), "min": min(known), "max": max(known),
                "rounds": [values.get(number) for number in range(max(values) + 1)]}

    return {path: {figure: of(values) for figure, values in figures.items()} for path, figures in found.items()}


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
    ("one stream up to the same into the branch", "up1_gbits", "usher-export", "<=", 1 / 0.9),
    ("one stream down to the same into the branch", "down1_gbits", "usher-export", "<=", 1 / 0.9),
    ("eight streams up to the same into the branch", "up8_gbits", "usher-export", "<=", 1 / 0.9),
    ("UDP echoes per second to OpenVPN", "udp_per_s", "OpenVPN", ">=", 2.0),
    ("UDP echoes per second to wireguard-go", "udp_per_s", "wireguard-go", ">=", 2.0),
]


def ratios(summary, ours="usher-tun"):
    """Ratios of medians of one session against the floors: [(what, value, floor text, held)]."""
    rows = []
    for what, figure, other, sign, bound in RATIOS:
        if figure in summary.get(other, {}) and figure in summary.get(ours, {}):
            value = summary[ours][figure]["median"] / summary[other][figure]["median"]
            rows.append((what, value, f"{sign} {bound:.3g}", value >= bound if sign == ">=" else value <= bound))
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
        rows.append(("memory of both ends per held flow, bytes", value, "<= 800", value <= 800))
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


LOWER_IS_BETTER = ("_us", "_cpu_s_per_gb", "_bytes_per_flow")
RATIOS_THEMSELVES = ("_bytes_per_flow", "_share")  # to the flows held, to the mean stream: no machine's speed is in them
NEVER_JUDGED = ("peak_memory_kib",)
REFERENCES = ("direct", "haproxy TLS relay")

# The rule of the judgement. Absolute values are never compared with those of another session: a figure is judged as our
# value divided by a reference's (direct routing, the TLS relay) of the same round, and is the median of these ratios. It
# FELL when this median is worse than the stored one by more than the noise. Noise is what the ratio of one and the same
# thing does by itself: its spread over the rounds, (greatest - least) / median, here or in the stored table, whichever is
# more; and at least the share below, for few rounds show less spread than there is.
LEAST_NOISE = 0.15
LEAST_NOISE_ONCE = 0.35  # a few seconds with random loss, or one sample of held flows, are chance to a third


def series(value, base=None):
    """The ratios of each round that has both. In a table without rounds: the median's, and the furthest from it that
    could have been."""
    if base is None:
        return value.get("rounds") or [value["median"], value["min"], value["max"]]
    if "rounds" in value and "rounds" in base:
        return [one / other for one, other in zip(value["rounds"], base["rounds"]) if one is not None and other]
    if not base["min"]:
        return []
    return [value["median"] / base["median"], value["min"] / base["max"], value["max"] / base["min"]]


def middle_and_spread(values):
    """(median, least, greatest) of those that are there; None when there are none, or they are about nothing."""
    values = [value for value in values if value is not None]
    middle = statistics.median(values) if values else 0
    return (middle, min(values), max(values)) if middle else None


def relative(figure, summary, other, ours):
    """The ratio of our figure to that of `other`, or itself when `other` is None; None when it is not there."""
    value, base = summary.get(ours, {}).get(figure), summary.get(other, {}).get(figure)
    if value is None or (other and base is None):
        return None
    return middle_and_spread(series(value, base))


class Judgement:
    def __init__(self, figure, other, now, stored):
        self.what = f"{figure} to {other}" if other else figure
        self.now, self.stored = now, stored
        change = now[0] / stored[0] - 1
        self.loss = change if figure.endswith(LOWER_IS_BETTER) else -change  # below 0: it is better
        once = "_loss" in figure or "_echo_" in figure
        spread = max((most - least) / median for median, least, most in (now, stored))
        self.noise = max(spread, LEAST_NOISE_ONCE if once else LEAST_NOISE)
        self.fell = self.loss > self.noise


def judgements(now, stored, ours="usher-tun"):
    """Every ratio that both sessions have."""
    rows = []
    for figure in now.get(ours, {}):
        if figure in NEVER_JUDGED:
            continue
        for other in (None,) if figure.endswith(RATIOS_THEMSELVES) else REFERENCES:
            both = [relative(figure, side, other, ours) for side in (now, stored)]
            if all(both):
                rows.append(Judgement(figure, other, *both))
    if "wan" in now and "wan" in stored:
        rows += judgements(now["wan"], stored["wan"], ours)
    return rows


def with_spread(value):
    return f"{value[0]:.3g} ({value[1]:.3g}..{value[2]:.3g})"


def judgement_table(rows):
    lines = ["| ratio | now | stored | change for the worse | noise | |", "|---|---|---|---|---|---|"]
    return "\n".join(lines + [f"| {row.what} | {with_spread(row.now)} | {with_spread(row.stored)} | {row.loss:+.0%} "
                              f"| {row.noise:.0%} | {'**fell**' if row.fell else 'held'} |" for row in rows])


BUSY, IDLE = 0.25, 0.75  # processors


def unjudged(summary, others, direct="direct"):
    """Why no ratio of this session says anything about us, in a sentence; None when they do. Ratios compare what paths ask
    of the processors: they must be ours, and direct routing must be bound by them."""
    if others and statistics.median(others) > BUSY:
        return f"{statistics.median(others):.2g} processors are busy with something else while nothing is measured"
    base = summary.get(direct, {})
    for figure in ("up1", "down1"):
        if f"{figure}_gbits" not in base:
            return "direct routing was not measured, so there is nothing to compare with"
        used = base[f"{figure}_machine_cpu_s_per_gb"]["median"] * base[f"{figure}_gbits"]["median"] / 8
        if used < IDLE:
            return f"direct routing ({figure}) keeps no more than {used:.2g} processors busy: something else limits it"
    return None


def before_and_after(summary, ours="usher-tun", before="usher-tun-before"):
    """Each figure of two builds as after/before, round by round."""
    lines = ["| after/before | median (least..greatest) | |", "|---|---|---|"]
    for figure in summary.get(ours, {}):
        value = relative(figure, summary, before, ours)
        if value:
            better = "less" if figure.endswith(LOWER_IS_BETTER + NEVER_JUDGED) else "more"
            lines.append(f"| {figure} | {with_spread(value)} | {better} is better |")
    return "\n".join(lines)


def load(path):
    return json.loads(path.read_text())
