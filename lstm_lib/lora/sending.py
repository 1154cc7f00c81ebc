"""What an isolated model must send: the change of its active arcs against a base that both ends have.

Nouns: the base is the parameters before a local training; a change is those of the active arcs after it, as bytes.
A form says how a number is written. float32 writes the new weights, and gives them back bit for bit. float16 and int8
write the *differences* from the base, which are small, so that their error is small, too.

A change is, in this order: 4 letters, a byte that names the form, a digest of the base (8 bytes), the active zone (its
length in 4 bytes, and its text, or a bit for each arc where that is shorter), the numbers, parameter after parameter
in the order of `Spec.shapes`, and a digest of all that (8 bytes). Numbers are little-endian.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_lib.files import replacing
from lstm_lib.isolation.zones import Zone, read_zone
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Params, Spec, check_params, copy_params

LETTERS = b"LoD1"
HEAD = struct.Struct("<4sB8sI")
DIGEST = 8  # bytes of a digest
BITS = 0x80  # beside the form: the zone is a bit for each arc


class Form(NamedTuple):
    """How the numbers of one parameter are written.

    size : bytes a number. extra : bytes a parameter. write : new and old values (n,) as bytes. read : bytes and old
    values as new values.
    """

    size: int
    extra: int
    write: Callable[[Array, Array], bytes]
    read: Callable[[bytes, Array], Array]


def _write16(new: Array, old: Array) -> bytes:
    with np.errstate(over="ignore"):
        change = (new - old).astype("<f2")
    if not np.isfinite(change).all():
        raise ValueError("a weight changed by more than 65504, which float16 can't hold; use form='float32'")
    return change.tobytes()


def _write8(new: Array, old: Array) -> bytes:
    with np.errstate(over="ignore"):
        change = new - old
    if not np.isfinite(change).all():
        raise ValueError("a weight changed by more than a float32 can hold; use form='float32'")
    scale = np.float32(np.abs(change).max() / 127)
    codes = np.rint(change / (scale or 1)).clip(-127, 127).astype(np.int8)
    return struct.pack("<f", scale) + codes.tobytes()


def _read8(data: bytes, old: Array) -> Array:
    (scale,) = struct.unpack_from("<f", data)
    codes = np.frombuffer(data, np.int8, offset=4).astype(np.float32)
    new: Array = old + np.float32(scale) * codes
    return new


FORMS = {
    "float32": Form(
        4, 0, lambda new, old: new.astype("<f4").tobytes(), lambda data, old: np.frombuffer(data, "<f4")
    ),
    "float16": Form(2, 0, _write16, lambda data, old: old + np.frombuffer(data, "<f2").astype(np.float32)),
    "int8": Form(1, 4, _write8, _read8),
}


def _form(name: str) -> Form:
    if name not in FORMS:
        raise ValueError(f"form is {name!r}; the choices are {', '.join(FORMS)}")
    return FORMS[name]


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()[:DIGEST]


def base_digest(spec: Spec, base: Params) -> bytes:
    """8 bytes that tell a base from another: of its shape and all of its weights.

    Raises ValueError for parameters that don't fit the spec or aren't float32.
    """
    if (dtype := check_params(spec, base)) != np.float32:
        raise ValueError(f"the parameters are {dtype}; a change is sent of float32")
    return _digest(repr(spec).encode(), *(base[name].astype("<f4").tobytes() for name in spec.shapes))


def _zone_bytes(active: Zone) -> tuple[bytes, int]:
    """A zone as its text or as bits, whichever is shorter, and the flag that says which."""
    text = str(active).encode()
    bits = np.packbits(np.concatenate([active.mask(name).ravel() for name in active.spec.shapes])).tobytes()
    return (text, 0) if len(text) <= len(bits) else (bits, BITS)


def _zone_of(spec: Spec, data: bytes, flag: int) -> Zone:
    if not flag:
        return read_zone(spec, data.decode())
    flat = np.unpackbits(np.frombuffer(data, np.uint8), count=spec.size).astype(bool)
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in spec.shapes.values())])
    parts = zip(spec.shapes.items(), ends[:-1], ends[1:], strict=True)
    return Zone(spec, {name: flat[first:last].reshape(shape) for (name, shape), first, last in parts})


def size(active: Zone, form: str = "float32") -> int:
    """The bytes of a change of these arcs, before there is one.

    >>> spec = Spec(inputs=7, units=(64,), outputs=1)
    >>> [size(read_zone(spec, "head"), form) for form in FORMS]
    [289, 159, 102]
    """
    kind, used = _form(form), sum(n > 0 for n in active.sizes.values())
    return HEAD.size + len(_zone_bytes(active)[0]) + active.size * kind.size + used * kind.extra + DIGEST


def pack(active: Zone, base: Params, params: Params, form: str = "float32") -> bytes:
    """The change from a base to what was learned, as bytes.

    Parameters
    ----------
    active : the arcs that were trained, `~plan.zone`; no other may differ from the base.
    base, params : before and after, float32.
    form : a row of `FORMS`.

    Raises ValueError for another dtype, weights that aren't finite, an isolated arc that changed, and what a form can't
    hold.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3,), outputs=1)
    >>> base = init_params(spec)
    >>> after = base | {"head/b": base["head/b"] + np.float32(0.5)}
    >>> change = pack(read_zone(spec, "head/b"), base, after)
    >>> len(change), float(unpack(spec, base, change)["head/b"][0])
    (35, 0.5)
    """
    spec, kind = active.spec, _form(form)
    begin = base_digest(spec, base)
    base_digest(spec, params)  # for what it refuses
    numbers = []
    for name in spec.shapes:
        mask = active.mask(name)
        for whose, held in (("base", base), ("params", params)):
            if not np.isfinite(held[name]).all():
                raise ValueError(f"{name} of {whose} holds values that aren't finite")
        if not np.array_equal(params[name][~mask], base[name][~mask]):
            raise ValueError(f"arcs of {name} that are not in the zone {active.short} differ from the base")
        if mask.any():
            numbers.append(kind.write(params[name][mask], base[name][mask]))
    where, flag = _zone_bytes(active)
    head = HEAD.pack(LETTERS, list(FORMS).index(form) | flag, begin, len(where))
    body = b"".join((head, where, *numbers))
    return body + _digest(body)


def unpack(spec: Spec, base: Params, change: bytes) -> Params:
    """What was learned, from the base and a change; the base stays as it is.

    Exact for float32. Raises ValueError for bytes that are no change or are damaged, and for another base.
    """
    body = change[:-DIGEST]
    if len(body) < HEAD.size or _digest(body) != change[-DIGEST:]:
        raise ValueError(f"these {len(change)} bytes are no change, or they are damaged; ask for them again")
    letters, which, begin, length = HEAD.unpack_from(body)
    if letters != LETTERS:
        raise ValueError(f"the change begins with {letters!r}; this lstm_lib reads {LETTERS!r}")
    if which & ~BITS >= len(FORMS):
        raise ValueError(f"the change has form {which & ~BITS}; this lstm_lib knows 0 to {len(FORMS) - 1}")
    if begin != (mine := base_digest(spec, base)):
        raise ValueError(f"the change was made on another base, {begin.hex()}; this one is {mine.hex()}")
    at = HEAD.size + length
    active, kind = _zone_of(spec, body[HEAD.size : at], which & BITS), [*FORMS.values()][which & ~BITS]
    counts = [count for count in active.sizes.values() if count]
    expected = at + sum(kind.extra + count * kind.size for count in counts)
    if len(body) != expected:
        raise ValueError(f"the change has {len(body)} bytes before its digest; its zone asks for {expected}")
    params = copy_params(base)
    for name, count in active.sizes.items():
        if count:
            end = at + kind.extra + count * kind.size
            mask = active.mask(name)
            params[name][mask] = kind.read(body[at:end], base[name][mask])
            at = end
    return params


def save_change(path: str | Path, active: Zone, base: Params, params: Params, form: str = "float32") -> Path:
    """`pack` into one file, which takes the place of another in one go; returns its path."""
    change = pack(active, base, params, form)
    with replacing(path) as file:
        file.write(change)
    return Path(path)


def load_change(path: str | Path, spec: Spec, base: Params) -> Params:
    """What was learned, from a file written by `save_change`; ValueError with the path, else as `unpack`."""
    try:
        return unpack(spec, base, Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
