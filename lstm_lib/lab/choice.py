"""What a run leaves out: a `Choice`, in texts and numbers, which is the isolation of a `Configuration`."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_lib.isolation.plan import DEPTHS, isolate
from lstm_lib.isolation.zones import Zone, read_zone, zone
from lstm_lib.network.spec import Spec, is_whole
from lstm_lib.training import schedules
from lstm_lib.training.schedules import PlanOrSchedule


@dataclass(frozen=True)
class Choice:
    """A zone and how it is isolated; called with a network it gives the plan, or the schedule of plans.

    Parameters
    ----------
    zone : its text. depth, span : as for `lstm_lib.isolate`.
    from_epoch : the first epoch that isolates.
    redraw : draw as many blocks of units anew every epoch; else the zone is kept.
    blocks : into how many ranges of units a layer is cut, for the map and for `redraw`.

    Raises ValueError for a depth, a span, an epoch or blocks that can't be; when it is called, for a zone or depth that
    doesn't fit the network.

    >>> Choice("0[0:2]")(Spec(1, (4,), 1))
    <Plan: cut '0[0:2]'>
    """

    zone: str = "nothing"
    depth: str = "cut"
    span: int | None = None
    from_epoch: int = 1
    redraw: bool = False
    blocks: int = 8

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ValueError(f"depth is {self.depth!r:.60}; the choices are {', '.join(DEPTHS)}")
        numbers = {"from_epoch": self.from_epoch, "blocks": self.blocks} | (
            {} if self.span is None else {"span": self.span}
        )
        for name, number in numbers.items():
            if not is_whole(number, 1):
                raise ValueError(f"{name} is {number!r:.60}, not a whole number of at least 1")
        if not isinstance(self.zone, str) or not isinstance(self.redraw, bool):
            raise ValueError(
                f"zone takes a text and redraw yes or no; got {self.zone!r:.60}, {self.redraw!r:.60}"
            )

    def __call__(self, spec: Spec) -> PlanOrSchedule:
        """The plan, or the schedule of plans, for this network."""
        inner: PlanOrSchedule
        if self.redraw:
            inner = schedules.redraw(
                spec, self.drawn_share(spec), blocks=self.blocks, depth=self.depth, span=self.span
            )
        else:
            inner = isolate(spec, self.read(spec), self.depth, self.span)
        return inner if self.from_epoch == 1 else schedules.from_epoch(self.from_epoch, inner)

    def read(self, spec: Spec) -> Zone:
        """The zone in this network."""
        return read_zone(spec, self.zone)

    def drawn_share(self, spec: Spec) -> float:
        """Share of the blocks that a redraw isolates: that of the layers' arcs in the zone, in whole blocks."""
        layers = ~zone(spec, layer="head")
        return round((self.read(spec) & layers).size / layers.size * self.blocks) / self.blocks

    def is_dense(self, spec: Spec) -> bool:
        """Whether a training leaves nothing out."""
        nothing = self.drawn_share(spec) == 0 if self.redraw else self.read(spec).size == 0
        return self.span is None and nothing

    def schedule(self) -> str:
        """When, in words.

        >>> Choice("0", from_epoch=3, redraw=True).schedule()
        'from epoch 3, redrawn'
        """
        return ", ".join(
            [f"from epoch {self.from_epoch}"] * (self.from_epoch > 1) + ["redrawn"] * self.redraw
        )

    def short(self, spec: Spec) -> str:
        """In few words.

        >>> Choice("0/Wh").short(Spec(1, (4,), 1)), Choice().short(Spec(1, (4,), 1))
        ('0/Wh cut', 'dense')
        """
        if self.is_dense(spec):
            return "dense"
        text = f"{100 * self.drawn_share(spec):.0f} % redrawn" if self.redraw else self.zone
        text = text if len(text) <= 18 else f"{100 * self.read(spec).share:.0f} % of arcs"
        words = [text, self.depth] * (text != "nothing") + [f"span {self.span}"] * (self.span is not None)
        return " ".join(words)
