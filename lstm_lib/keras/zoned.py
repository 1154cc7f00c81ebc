"""A layer whose zone can change, and the model around it, whose optimiser must go along.

Nouns: the *model* of a layer is the one that is trained with it. The layer knows it once it was called by it, or was
given it (`set_zone`, `Isolation`); then a file can be loaded at any zone (`storing`).
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from lstm_lib.isolation.plan import Plan, isolate
from lstm_lib.isolation.zones import Zone, nothing, read_zone
from lstm_lib.network.spec import Spec

from .backend import tf
from .compiled import MATRICES
from .interface import LSTMInterface
from .moments import Moments
from .rebuilding import check_divisible, steps_of
from .variables import ArcVariables

DEPTHS = ("hold", "skip", "cut")
# Under which a zone can change: variables are made and written in their scope.
STRATEGIES = (type(None), tf.distribute.MirroredStrategy, tf.distribute.OneDeviceStrategy)
ZoneLike = Zone | str | None  # what a zone is given as: itself, its text, or None for no arc


class ZonedLSTM(LSTMInterface):
    """What `IsolatedLSTM` is as far as its zone goes."""

    arcs: ArcVariables
    moments: Moments
    _spec: Spec

    def __init__(self, units: int, zone: ZoneLike, depth: str, span: int | None, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        if zone is not None and not isinstance(zone, Zone | str):
            raise ValueError(f"zone is a Zone, its text or None; got a {type(zone).__name__}")
        self._zone_given = zone
        self._depth, self._span = checked(depth, span)
        self._plan: Plan | None = None
        self._traced = self._called = False
        self._model: Any = None  # a reference
        self.elsewhere: str | None = None  # the zone of a loaded file whose moments may stand at other arcs
        self.on_loan: str | None = None  # the layer's own zone while it has that of a file

    @property
    def depth(self) -> str:
        """The depth of its plan."""
        return self._depth

    @property
    def span(self) -> int | None:
        """The span of its plan."""
        return self._span

    @property
    def zone(self) -> Zone:
        """The isolated arcs, as a zone of `plan.spec`; the layer must be built."""
        return self.plan.zone

    @property
    def plan(self) -> Plan:
        """What is left to do, for a network of this layer and one output; the layer must be built."""
        if self._plan is None:
            raise ValueError(
                f"layer {self.name!r} has no plan yet: its zone needs the number of inputs; build the layer first"
            )
        return self._plan

    def set_zone(
        self,
        zone: ZoneLike,
        depth: str = "same",
        span: int | str | None = "same",
        model: Any = None,
        optimizer: Any = None,
    ) -> bool:
        """Isolate another zone from now on. Weights keep their values, and moments go with their arcs.

        Parameters
        ----------
        zone, depth, span : as for the layer; "same" keeps what is.
        model : the model that is trained with this layer, once it has been run: its optimiser is carried over
            (`model.optimizer` becomes another object with another structure) and, where needed, its functions are
            traced anew. Other functions that were traced with the layer give NaN from then on: trace them again,
            and compile() another model that shares the layer.
        optimizer : the optimiser of a training loop of one's own, for a model that isn't compiled. It gets what it
            keeps for the new arcs; without it make an optimiser anew. Trace the step anew if this returns True.

        Returns
        -------
        Whether something must be traced anew. A zone of the same structure, such as other units in the same
        number, keeps variables and graphs, and only writes new values into them.

        Raises ValueError as the layer does; without `model` when the layer has been traced; for a model without it; for
        an optimiser that can't be divided by arcs, such as Muon. Nothing is changed then.

        >>> from lstm_lib.keras import IsolatedLSTM
        >>> layer = IsolatedLSTM(4, zone="0[0,2]", depth="cut")
        >>> layer.build((None, 3, 5))
        >>> layer.set_zone("0[1,3]"), layer.set_zone("0[2:4]")
        (False, True)
        """
        depth, span = checked(
            self._depth if depth == "same" else depth, self._span if span == "same" else span
        )
        if not self.built:
            self._zone_given, self._depth, self._span = zone, depth, span
            return False
        plan = isolate(self._spec, self._read(zone), depth, span)
        if model is None and (self._traced or optimizer is not None):
            raise ValueError(
                f"layer {self.name!r} already is part of a traced function, which would go on with the old zone; "
                "give the model it belongs to: set_zone(..., model=model)"
                if self._traced
                else "give the model that the optimiser trains too: set_zone(..., model=model, optimizer=optimizer)"
            )
        if model is not None:
            self.check_change(model, optimizer)
            self.belong_to(model)
        self.on_loan = None
        if (plan.zone, plan.depth, plan.span) == (self.zone, self._depth, self._span):
            return False
        with getattr(model, "distribute_strategy", tf.distribute.get_strategy()).scope():
            return self._change(plan, model, optimizer)

    def _read(self, zone: ZoneLike) -> Zone:
        """The zone on this layer's own spec, without what it says of the head."""
        spec = self._spec
        if zone is None:
            return nothing(spec)
        found = read_zone(spec, zone) if isinstance(zone, str) else zone
        theirs = found.spec
        if (theirs.inputs, theirs.units, theirs.cell) != (spec.inputs, spec.units, spec.cell):
            raise ValueError(
                f"the zone was made for {theirs}; layer {self.name!r} needs one for inputs={spec.inputs}, "
                f"units={spec.units}, cell='standard'"
            )
        masks = {name: mask for name in MATRICES.values() if (mask := found.mask(name)).any()}
        if found.size and not masks:
            raise ValueError(f"the zone {found} has arcs of the head alone; those of a layer are named 0/...")
        return Zone(spec, masks)

    def _change(self, plan: Plan, model: Any, own: Any) -> bool:
        """Put the arcs where the plan wants them; True if anything must be traced anew."""
        optimizer = getattr(model, "optimizer", None) if own is None else own
        if optimizer is not None and optimizer.built:
            others, old = self.moments.read(optimizer, self.arcs), self.arcs.active()
            anew = self.arcs.hold(plan)
            trained = _trained(model, optimizer, old, self.arcs.active()) if anew else None
            now = self.moments.write(optimizer, trained, self.arcs, others)
            if own is None:
                model.optimizer = now
            elif now is not own:  # the object that the user has becomes the new one
                vars(own).clear()
                vars(own).update(vars(now))
        else:  # in a loop of one's own an optimiser that has the old variables shall notice
            anew = self.arcs.hold(plan, anew=self._called and optimizer is None)
        if anew and getattr(model, "train_function", None) is not None:
            model.make_train_function(force=True)
        if anew and model is not None:
            model.test_function = model.predict_function = None
        self._plan, self._depth, self._span = plan, plan.depth, plan.span
        return anew

    # --------------------------------------------------------------------------------------------- its model

    def its_model(self) -> Any:
        """The model that is trained with this layer, once it is known; else None.

        No property: Keras walks what properties give when it saves.
        """
        return None if self._model is None else self._model()

    def _is_trained(self) -> bool:
        """Whether a model is known that is trained."""
        return bool(getattr(getattr(self.its_model(), "optimizer", None), "built", False))

    def check_change(self, model: Any, own: Any = None) -> None:
        """Refuse a model, or an optimiser of one's own, with which the zone can't change; nothing is touched."""
        if all(layer is not self for layer in model._flatten_layers()):
            raise ValueError(f"the model {model.name!r} has no layer that is this {self.name!r}")
        strategy = getattr(model, "_distribute_strategy", None)
        if not isinstance(strategy, STRATEGIES):
            raise ValueError(
                f"the model {model.name!r} was made under a {type(strategy).__name__}; a zone can change under "
                f"{' and '.join(one.__name__ for one in STRATEGIES[1:])} alone: choose it before training"
            )
        theirs = getattr(model, "optimizer", None)
        if own is not None and theirs is not None and theirs is not own:
            raise ValueError(
                f"the model {model.name!r} is compiled, with an optimiser of its own: leave optimizer out"
            )
        optimizer = own or theirs
        if optimizer is None:
            return
        check_divisible(optimizer)
        active = self.arcs.active() if self.built and self.trainable else {}
        if optimizer.built and active and not active.keys() & {id(v) for v in optimizer._trainable_variables}:
            raise ValueError(f"the optimiser {optimizer.name!r} has no variable of layer {self.name!r}")

    def belong_to(self, model: Any) -> None:
        """Know the model that is trained with this layer.

        Raises ValueError where a file was loaded into both, before this was known, with moments for other arcs.
        """
        self._model, optimizer = ref(model), getattr(model, "optimizer", None)
        if optimizer is None:
            return
        with tf.init_scope():
            if self.elsewhere is not None and optimizer.built and steps_of(optimizer):
                raise ValueError(
                    f"the weights of layer {self.name!r}, which isolates {str(self.zone)!r}, were loaded from a file "
                    f"of {self.elsewhere!r} before it was known which model they belong to: the moments of "
                    f"{optimizer.name!r} stand at other arcs. Now it is known: load the file again"
                )
        self.elsewhere = None

    def meet_model(self, training: bool) -> None:
        """Know who calls: at the outermost a compiled model, which is trained, or none was known that is."""
        self._called = True
        self._traced |= not tf.executing_eagerly()
        outermost = self._get_call_context().entry_layer
        if outermost is self:
            self._maybe_reset_call_context()
        elif getattr(outermost, "optimizer", None) is not None and (training or not self._is_trained()):
            self.belong_to(outermost)
        if self.on_loan is not None:
            raise ValueError(
                f"layer {self.name!r} has the zone {str(self.zone)!r} of a file that was not loaded to its end; "
                f"give it its own again: set_zone({self.on_loan!r}, model=model)"
            )


def _trained(model: Any, optimizer: Any, old: dict[int, str], new: dict[int, str]) -> list[Any]:
    """The variables for an optimiser, in the model's order; then what it has besides, its own or frozen meanwhile."""
    known = optimizer._trainable_variables
    variables: list[Any] = list(model.trainable_variables)
    if any(id(v) in old for v in known):  # the layer may be frozen now
        variables += [v for v in model.variables if id(v) in new and all(v is not w for w in variables)]
    return variables + [v for v in known if id(v) not in old and all(v is not w for w in variables)]


def checked(depth: str, span: Any) -> tuple[str, int | None]:
    """A depth and a span that this layer has; ValueError otherwise."""
    if depth not in DEPTHS:
        why = "; 'cache' remembers states, which a single layer can't" if depth == "cache" else ""
        raise ValueError(f"depth is {depth!r}; the choices are {', '.join(DEPTHS)}{why}")
    spec = Spec(1, (1,), 1)
    return depth, isolate(spec, nothing(spec), depth, span).span
