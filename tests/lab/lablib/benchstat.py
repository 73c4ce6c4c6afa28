# SPDX-License-Identifier: GPL-2.0-only
"""Is one setting's figure more than another's, or is it noise? (pure; tested in test_bench.py)

Counts vary by a factor rather than by a number, so ratios are compared, by their logarithms.
Repeats are pairs: what is measured in one boot, one after the other, shares that boot's mood.
"""
import math
from collections import namedtuple

# Student's t, one-sided, 99 %, by degrees of freedom; more than there are: as the last.
T99 = (None, 31.82, 6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896, 2.821, 2.764, 2.718, 2.681,
       2.650, 2.624, 2.602)


class Difference(namedtuple("Difference", "mean noise")):
    """mean: of the logarithms of the ratios; noise: how far from 0 it would be by chance in one
    case of a hundred, to that side."""

    @property
    def more(self):
        return self.mean > self.noise

    def __str__(self):
        return f"{math.expm1(self.mean):+.1%}, noise {math.expm1(self.noise):.1%}"


def logs(ours, base):
    """The logarithms of the ratios, for the repeats that both have."""
    return [math.log(max(ours[n], 1) / max(base[n], 1)) for n in sorted(ours.keys() & base.keys())]


def squares(values):
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values)


def difference(ours, base, again=None):
    """{repeat: value} of two settings -> Difference, or None if there are not two repeats.

    again: base measured a second time, in the same boots. What these two differ by is noise for
    sure; together with the spread of ours it says how much there is."""
    ratios = logs(ours, base)
    control = logs(again, base) if again else []
    if len(ratios) < 2:
        return None
    spread, freedom = squares(ratios), len(ratios) - 1
    if len(control) > 1:
        spread, freedom = spread + squares(control), freedom + len(control) - 1
    noise = T99[min(freedom, len(T99) - 1)] * math.sqrt(spread / freedom / len(ratios))
    return Difference(sum(ratios) / len(ratios), noise)
