"""The exercises of notebooks 04a and 04b on Adam's step: the step itself, what its corrections are for, the rule of a
docstring, and how sure a difference between forms is. The answers to the first are those of `Adam`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.training.adam import Adam

from .exercise import Case, Exercise, Mistake, Problem

SETTINGS = {"lr": 0.1, "beta1": 0.7, "beta2": 0.95, "eps": 0.05}  # an eps that is felt, and two β that differ


def walk(gradients: Array, w: Array, lr: float, beta1: float, beta2: float, eps: float) -> Array:
    """The path of weights under these gradients by the library's rule."""
    optimizer = Adam(lr=lr, beta1=beta1, beta2=beta2, eps=eps, form="paper")
    params = {"w": w.copy()}
    state, path = optimizer.init(params), [w]
    for g in gradients:
        optimizer.step(params, {"w": g}, state)
        path.append(params["w"].copy())
    return np.array(path)


def faulty(
    gradients: Array, w: Array, fault: str, lr: float, beta1: float, beta2: float, eps: float
) -> Array:
    """The path of an Adam with one fault in it; "" is none."""
    m = v = np.zeros_like(w)
    path = [w]
    for k, g in enumerate(gradients):
        t = {"t stays 1": 1, "t from 0": k, "t from 2": k + 2}.get(fault, k + 1)
        b1, b2 = (beta2, beta1) if fault == "β exchanged" else (beta1, beta2)
        kept, added = (1 - b1, b1) if fault == "weights of m exchanged" else (b1, 1 - b1)
        m = kept * m + (1 if fault == "m adds g" else added) * g
        g2 = g if fault == "g for g²" else g * g
        kept = beta1 if fault == "β₁ in v" else b2
        v = kept * v + (1 if fault == "v adds g²" else 1 - kept) * g2
        with np.errstate(all="ignore"):
            c1, c2 = 1 - b1**t, 1 - b2**t
            c1, c2 = (1 - b1 if fault == "m without t" else c1), (1 - b2 if fault == "v without t" else c2)
            c1, c2 = (c2, c1) if fault == "corrections exchanged" else (c1, c2)
            m_hat = m if fault in ("no correction", "no correction of m") else m / c1
            v_hat = v if fault in ("no correction", "no correction of v") else v / c2
            if fault in ("corrected twice", "m corrected twice"):
                m = m_hat
            if fault in ("corrected twice", "v corrected twice"):
                v = v_hat
            if fault == "multiplied":
                m_hat, v_hat = m * c1, v * c2
            below = {
                "eps in the root": np.sqrt(v_hat + eps),
                "no root": v_hat + eps,
                "no eps": np.sqrt(v_hat),
                "eps hat": np.sqrt(v_hat) + eps / np.sqrt(c2),
                "m over m": np.sqrt(np.abs(m_hat)) + eps,
            }.get(fault, np.sqrt(v_hat) + eps)
            step = lr * (g if fault == "g for m" else m_hat) / below
        w = w + step if fault == "uphill" else w - step
        if fault == "eps at the weight":
            w = path[-1] - (lr * m_hat / np.sqrt(v_hat) + eps)
        if fault == "no rate":
            w = path[-1] - m_hat / below
        path.append(w)
    return np.array(path)


FAULTS = {
    "uphill": ("sign", "The step goes uphill."),
    "no correction": ("missing factor", "Neither moment is corrected for its start at 0."),
    "no correction of m": ("missing factor", "One of the moments is not corrected for its start at 0."),
    "no correction of v": ("missing factor", "One of the moments is not corrected for its start at 0."),
    "t stays 1": ("count of steps", "t does not advance."),
    "m without t": ("count of steps", "In the correction of m."),
    "v without t": ("count of steps", "In the correction of v."),
    "t from 2": ("count of steps", "Which t has the first step?"),
    "t from 0": ("count of steps", "Which t has the first step?"),
    "β exchanged": ("swapped", "β₁ and β₂."),
    "β₁ in v": ("formula", "In v: which of the two β?"),
    "m corrected twice": ("formula", "The corrected m must not go into the next step."),
    "v corrected twice": ("formula", "The corrected v must not go into the next step."),
    "corrections exchanged": ("swapped", "The corrections of m and v."),
    "weights of m exchanged": ("swapped", "In m: what is kept and what is added."),
    "m adds g": ("missing factor", "In m."),
    "v adds g²": ("missing factor", "In v."),
    "g for g²": ("missing factor", "In v: it is the mean of what?"),
    "g for m": ("formula", "The step is made of the gradient, not of its mean."),
    "corrected twice": ("formula", "The corrected moments must not go into the next step."),
    "multiplied": ("inverse", "The corrections multiply where they have to divide."),
    "eps in the root": ("formula", "Where does ε stand: under the root or beside it?"),
    "eps hat": ("formula", "This is the form with ε̂, which is another rule."),
    "eps at the weight": ("formula", "ε is added to the step, not to the root."),
    "no eps": ("missing term", "Below the fraction line."),
    "no root": ("formula", "v has the unit of a squared gradient."),
    "m over m": ("formula", "What is below the fraction line?"),
    "no rate": ("missing factor", "How long is a step?"),
}


def _path(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    curvature, w = rng.uniform(0.5, 3, case.H), rng.normal(size=case.H)
    steps = case.T

    def gradient(at: Array) -> Array:
        return curvature * at

    def path(fault: str) -> Array:
        """Gradients belong to the weights that the faulty walk itself has reached."""
        gradients = [gradient(w)]
        for _ in range(steps - 1):
            gradients.append(gradient(faulty(np.array(gradients), w, fault, **SETTINGS)[-1]))
        return faulty(np.array(gradients), w, fault, **SETTINGS)

    gradients = [gradient(w)]
    for _ in range(steps - 1):
        gradients.append(gradient(walk(np.array(gradients), w, **SETTINGS)[-1]))
    right = walk(np.array(gradients), w, **SETTINGS)
    wrong = [Mistake(kind, path(fault), where) for fault, (kind, where) in FAULTS.items()]
    wrong += [
        Mistake("first step lost", right[1:], "The path begins with the start."),
        Mistake("last step lost", right[:-1]),
        Mistake("one step", right[-1], "The whole path is asked for."),
    ]
    given = {"gradient": gradient, "w": w, "steps": steps, **SETTINGS}
    return Problem(given, right, mistakes=tuple(wrong))


def _uncorrected(case: Case) -> Problem:
    t = np.arange(1, 6) if case.B > 1 else np.array([3])
    one, two = 1 - 0.9**t, 1 - 0.999**t
    wrong = (
        Mistake("missing factor", one),
        Mistake("missing factor", 1 / np.sqrt(two)),
        Mistake("inverse", np.sqrt(two) / one),
        Mistake("formula", one / two, "There is a root below."),
        Mistake("formula", np.sqrt(one / two)),
        Mistake("swapped", two / np.sqrt(one)),
        Mistake("off by one", (1 - 0.9 ** (t + 1)) / np.sqrt(1 - 0.999 ** (t + 1))),
    )
    return Problem({"t": t}, one / np.sqrt(two), mistakes=wrong)


def _effective(case: Case) -> Problem:
    t = np.arange(1, 6) if case.B > 1 else np.array([3])
    right = 1 / np.sqrt(1 - 0.999**t)
    wrong = (
        Mistake("inverse", 1 / right),
        Mistake("formula", 1 / (1 - 0.999**t), "There is a root."),
        Mistake("swapped", 1 / np.sqrt(1 - 0.9**t), "β₁ and β₂."),
        Mistake("missing term", 1 / np.sqrt(0.999**t)),
        Mistake("formula", 1 - 0.999**t),
        Mistake("off by one", 1 / np.sqrt(1 - 0.999 ** (t + 1))),
    )
    return Problem({"t": t}, right, mistakes=wrong)


def _docstring(case: Case) -> Problem:
    """The rule that a docstring of TensorFlow had, and what it is taken for."""
    rng = np.random.default_rng(case.seed)
    lr, b1, b2, eps = (SETTINGS[name] for name in ("lr", "beta1", "beta2", "eps"))
    start, gradients = rng.normal(size=case.H), rng.normal(size=(case.T, case.H))

    def path(step: Callable[..., Array]) -> Array:
        m = v = np.zeros(case.H)
        walked = [start]
        for t, g in enumerate(gradients, 1):
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
            walked.append(walked[-1] - lr * step(1 - b1**t, 1 - b2**t, m, v, g))
        return np.array(walked[1:])

    wrong = (
        Mistake("formula", path(lambda one, two, m, v, g: np.sqrt(two) / one * m / (np.sqrt(v) + eps)),
                "That is (4.12): where does the root end?"),
        Mistake("formula", path(lambda one, two, m, v, g: two / one * m / (np.sqrt(v) + eps)), "Where is the root?"),
        Mistake("inverse", path(lambda one, two, m, v, g: np.sqrt(one / two) * m / (np.sqrt(v) + eps))),
        Mistake("missing factor", path(lambda one, two, m, v, g: m / (np.sqrt(v) + eps)), "Nothing is corrected."),
        Mistake("formula", path(lambda one, two, m, v, g: m / one / (np.sqrt(v / two) + eps)),
                "That is Algorithm 1."),
        Mistake("formula", path(lambda one, two, m, v, g: np.sqrt(two / one) * m / np.sqrt(v + eps)),
                "Where does ε stand: under the root or beside it?"),
        Mistake("formula", path(lambda one, two, m, v, g: np.sqrt(two / one) * g / (np.sqrt(v) + eps)),
                "The step is made of the gradient, not of its mean."),
        Mistake("sign", path(lambda one, two, m, v, g: -np.sqrt(two / one) * m / (np.sqrt(v) + eps)),
                "The step goes uphill."),
    )  # fmt: skip
    right = path(lambda one, two, m, v, g: np.sqrt(two / one) * m / (np.sqrt(v) + eps))
    trace = {"settings": SETTINGS, "start": start, "gradients": gradients}
    return Problem({"trace": trace}, right, mistakes=wrong)


def _standard_error(case: Case) -> Problem:
    apart = np.random.default_rng(case.seed).normal(1, 2, (8 if case.B > 1 else 5, 3))
    spread, n = apart.std(axis=0, ddof=1), len(apart)
    wrong = (
        Mistake("missing factor", spread, "That is the spread of single seeds; what is that of their mean?"),
        Mistake("formula", spread / n, "There is a root."),
        Mistake("divided", apart.std(axis=0) / np.sqrt(n), "The spread of a sample: n - 1 seeds are free."),
        Mistake("squared factor", spread**2 / n, "That is a variance."),
        Mistake("formula", apart.mean(axis=0) / spread * np.sqrt(n), "That is how many of them the mean is."),
    )
    return Problem({"apart": apart}, spread / np.sqrt(n), mistakes=wrong)


ARGUMENTS = ("gradient", "w", "steps", "lr", "beta1", "beta2", "eps")
EXERCISES = (
    Exercise(
        "04.adam",
        "the path of Adam's steps",
        "(4.5) to (4.9)",
        "Two running means, both corrected for their start at 0, then their ratio; t begins with 1.",
        _path,
        ARGUMENTS,
    ),
    Exercise(
        "04.uncorrected",
        "the step without correction, in learning rates",
        "(4.11)",
        "With a gradient of 1, m is the sum of its weights, and so is v; β₁ is 0.9, β₂ 0.999.",
        _uncorrected,
        ("t",),
    ),
    Exercise(
        "04.effective_eps",
        "ε in Algorithm 1 that acts like ε̂ = 1",
        "(4.13)",
        "Compare (4.12) with the same line with a constant in the place of ε √(1 - β₂ᵗ).",
        _effective,
        ("t",),
    ),
    Exercise(
        "04.docstring",
        "the path of the rule with the root over the whole fraction",
        "04b, section 1: α_t = α √((1 - β₂ᵗ) / (1 - β₁ᵗ)), times m / (√v + ε)",
        "As (4.12), with another rate: m over √v + ε, and no other correction.",
        _docstring,
        ("trace",),
    ),
    Exercise(
        "04.standard_error",
        "the standard error of each mean difference",
        "the spread over the seeds / √n",
        "The mean of n numbers varies less than each of them: by how much?",
        _standard_error,
        ("apart",),
    ),
)
