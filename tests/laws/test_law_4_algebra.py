"""Law 4: zones are sets of arcs, their algebra is that of sets, and their text reads back; in every cell."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from tests.laws.cases_of_isolation import MANY, random_specs, zones


def arcs_of(zone: ll.Zone) -> set[tuple[str, int]]:
    """Every arc of a zone, by parameter and flat position."""
    return {(k, int(at)) for k in zone.spec.shapes for at in np.flatnonzero(zone.mask(k))}


@MANY
@given(random_specs(), st.data())
def test_the_algebra_of_zones_is_that_of_sets(spec: ll.Spec, data: st.DataObject) -> None:
    a, b = data.draw(zones(spec)), data.draw(zones(spec))
    A, B, whole = arcs_of(a), arcs_of(b), arcs_of(ll.everything(spec))
    assert len(whole) == spec.size
    assert [arcs_of(z) for z in (a | b, a & b, a - b, ~a)] == [A | B, A & B, A - B, whole - A]
    assert (a.size, a.share, a == b) == (len(A), len(A) / spec.size, A == B)
    assert ~(a | b) == ~a & ~b


@MANY
@given(random_specs(), st.data())
def test_the_text_of_a_zone_reads_back(spec: ll.Spec, data: st.DataObject) -> None:
    zone = data.draw(zones(spec))
    assert ll.read_zone(spec, str(zone)) == zone


@given(
    random_specs(),
    st.sampled_from([None, 2, 3]),
    st.sampled_from(["gate", "unit"]),
    st.sampled_from([None, 2]),
)
def test_a_partition_gives_every_arc_to_one_block(
    spec: ll.Spec, blocks: int | None, by: str, sources: int | None
) -> None:
    cut = ll.partition(spec, blocks, by, sources if by == "gate" else None)
    assert sum(block.size for block in cut.values()) == spec.size
    assert cut.union(cut) == ll.everything(spec)
    assert all(str(block) == name for name, block in cut.items() if block.size < spec.size)
    ones = {k: np.ones(shape) for k, shape in spec.shapes.items()}
    assert cut.sums(ones) == {name: block.size for name, block in cut.items()}
