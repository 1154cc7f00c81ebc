"""A sequence autoencoder of our engine: an LSTM reads a day and leaves a code of k numbers, another writes the day.

Nouns: the *encoder* reads a day, step by step, and its head turns its last state into the code; the *decoder* reads
the code, the same at every step, beside a clock, and writes a value a step. Both are networks of `lstm_lib`; what
joins them is the error of the code: it is read T times, so its error is the sum over T steps.

Letters: N days of T steps, k numbers of a code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_lib.network.backward import backward
from lstm_lib.network.cells import Array
from lstm_lib.network.forward import forward
from lstm_lib.network.losses import mse
from lstm_lib.network.spec import Params, Spec, init_params, is_whole
from lstm_lib.training.adam import Adam
from lstm_lib.training.rates import as_rate
from lstm_lib.training.samples import batches

BYTES = 127  # a code's number is sent as a whole number of -127 to 127
ROOM = 2  # the largest number that can be sent, as a multiple of the largest in training


@dataclass
class Autoencoder:
    """Two networks and their parameters.

    encoder : reads (N, T, 1), puts out (N, k). decoder : reads (N, T, k + 2), puts out (N, T, 1).
    limit : (k,) the largest number of the code that is sent.
    """

    encoder: Spec
    decoder: Spec
    params: dict[str, Params]
    limit: Array

    @classmethod
    def begin(cls, k: int, units: int = 32, seed: int = 0, dtype: str = "float32") -> Autoencoder:
        """Untrained, with `units` in either network."""
        encoder, decoder = Spec(1, (units,), k), Spec(k + 2, (units,), 1, output="every")
        drawn = {
            "encoder": init_params(encoder, seed, dtype),
            "decoder": init_params(decoder, seed + 1, dtype),
        }
        return cls(encoder, decoder, drawn, np.ones(k))

    def read(self, code: Array, T: int) -> Array:
        """What the decoder reads: the code at every step, and the time of day as a point on a circle."""
        angle = 2 * np.pi * np.arange(T) / T
        clock = np.broadcast_to(np.stack([np.sin(angle), np.cos(angle)], -1), (len(code), T, 2))
        return np.concatenate([np.repeat(code[:, None], T, axis=1), clock], axis=-1).astype(code.dtype)

    def gradients(self, days: Array) -> tuple[float, dict[str, Params]]:
        """Loss of days (N, T, 1) and its gradients, of both networks."""
        code, read_trace = forward(self.encoder, self.params["encoder"], days)
        given = self.read(code, days.shape[1])
        again, written_trace = forward(self.decoder, self.params["decoder"], given)
        loss, dy = mse(again, days)
        of_decoder = backward(self.decoder, self.params["decoder"], written_trace, dy, also=("x",))
        dcode = of_decoder.pop("x")[..., : code.shape[1]].sum(axis=1)
        of_encoder = backward(self.encoder, self.params["encoder"], read_trace, dcode)
        return loss, {"encoder": of_encoder, "decoder": of_decoder}

    def encode(self, days: Array) -> Array:
        """Codes of days (N, T, 1) as they are sent: int8 (N, k); ValueError as `fit_code`."""
        _check(days)
        code = forward(self.encoder, self.params["encoder"], days)[0]
        return np.rint(code / self.limit * BYTES).clip(-BYTES, BYTES).astype(np.int8)

    def decode(self, codes: Array, T: int) -> Array:
        """Days (N, T, 1) from what was sent; ValueError for codes of another shape."""
        if np.ndim(codes) != 2 or codes.shape[1] != len(self.limit):
            raise ValueError(f"codes have the shape {np.shape(codes)}; expected (N, {len(self.limit)})")
        dtype = self.params["decoder"]["head/b"].dtype
        given = self.read((codes * self.limit / BYTES).astype(dtype), T)
        return forward(self.decoder, self.params["decoder"], given)[0]


def fit_code(
    days: Array,
    k: int,
    *,
    units: int = 32,
    epochs: int = 60,
    batch: int = 32,
    lr: float = 5e-3,
    seed: int = 0,
) -> Autoencoder:
    """Train an autoencoder on days (N, T, 1), scaled, none missing; the rate falls along a cosine.

    Raises ValueError for days of another shape, none, missing values, and numbers of codes, epochs or days a step that
    are none.

    >>> days = np.sin(np.linspace(0, 9, 96, dtype="float32")).reshape(4, 24, 1)
    >>> model = fit_code(days, k=1, units=4, epochs=1)
    >>> model.encode(days).shape, model.decode(model.encode(days), 24).shape
    ((4, 1), (4, 24, 1))
    """
    _check(days)
    for name, given in (("k", k), ("epochs", epochs), ("batch", batch)):
        if not is_whole(given, 1):
            raise ValueError(f"{name} is {given!r}; expected a whole number of at least 1")
    model, optimizer, rate = (
        Autoencoder.begin(k, units, seed, str(days.dtype)),
        Adam(lr, clip_norm=1.0),
        as_rate("cosine"),
    )
    states = {name: optimizer.init(params) for name, params in model.params.items()}
    rng, made, steps = np.random.default_rng(seed), 0, epochs * -(-len(days) // batch)
    for _ in range(epochs):
        for some in batches(rng.permutation(len(days)), batch):
            _, grads = model.gradients(days[some])
            for name, state in states.items():
                optimizer.step(model.params[name], grads[name], state, scale=rate(made / steps))
            made += 1
    code = forward(model.encoder, model.params["encoder"], days)[0]
    model.limit = np.maximum(ROOM * np.abs(code).max(axis=0), np.finfo(code.dtype).tiny)
    return model


def _check(days: Array) -> None:
    if np.ndim(days) != 3 or days.shape[-1] != 1 or not days.size:
        raise ValueError(f"days have the shape {np.shape(days)}; expected (N, T, 1), at least one day")
    if not np.isfinite(days).all():
        raise ValueError(
            f"{int((~np.isfinite(days)).any(axis=(1, 2)).sum())} days have missing values; drop them"
        )
