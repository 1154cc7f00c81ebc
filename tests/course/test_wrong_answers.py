"""Wrong answers that students give, each a change to the notebook's own solution, and the diagnosis that each gets.

The table was written from the mistakes that people make, not from the table of diagnoses: it is run through the
notebooks' cells as a student's answer is.
"""

from __future__ import annotations

from collections import Counter

import pytest

from lstm_lib.course import EXERCISES
from lstm_lib.course.judge import judge
from lstm_lib.course.mistakes import KINDS
from tests.course.solutions import answer, checks, solved

# exercise, what stands in the solution, what the student writes, the kind of mistake
WRONG = """
02.slope_sigmoid | sigmoid(z) * (1 - sigmoid(z))  # (7) | 1 - sigmoid(z) ** 2 | other slope
02.slope_sigmoid | sigmoid(z) * (1 - sigmoid(z))  # (7) | z * (1 - z) | slope at the wrong place
02.slope_sigmoid | sigmoid(z) * (1 - sigmoid(z))  # (7) | 1 - sigmoid(z) | missing factor
02.slope_sigmoid | sigmoid(z) * (1 - sigmoid(z))  # (7) | sigmoid(z) * (sigmoid(z) - 1) | sign
02.slope_tanh | 1 - np.tanh(z) ** 2 | np.tanh(z) * (1 - np.tanh(z)) | other slope
02.slope_tanh | 1 - np.tanh(z) ** 2 | 1 - np.tanh(z) | missing factor
02.slope_tanh | 1 - np.tanh(z) ** 2 | 1 - z**2 | slope at the wrong place
02.slope_tanh | 1 - np.tanh(z) ** 2 | 1 + np.tanh(z) ** 2 | wrong sign of a term
02.c | c = fc + ig + e.c | c = fc + e.c | missing term
02.c | c = fc + ig + e.c | c = a.c_prev + ig + e.c | a factor lost in a term
02.c | c = fc + ig + e.c | c = fc - ig + e.c | wrong sign of a term
02.h | h = o * tc + e.h | h = o * c + e.h | missing factor
02.h | h = o * tc + e.h | h = tc + e.h | missing factor
02.do | do = dh * v.tc | do = dh * v.c | missing factor
02.do | do = dh * v.tc | do = dh | missing factor
02.do | do = dh * v.tc | do = dh * v.o | other quantity
02.dtc | dtc = dh * v.o | dtc = -dh * v.o | sign
02.dtc | dtc = dh * v.o | dtc = dh * v.tc | other quantity
02.dc | dc_later + dtc * (1 - v.tc**2) | dtc * (1 - v.tc**2) | missing term
02.dc | dc_later + dtc * (1 - v.tc**2) | dc_later | missing term
02.dc | dc_later + dtc * (1 - v.tc**2) | dc_later + dtc * (1 - v.c**2) | slope at the wrong place
02.dc | dc_later + dtc * (1 - v.tc**2) | dc_later + dtc | a factor lost in a term
02.dc | dc_later + dtc * (1 - v.tc**2) | dc_later - dtc * (1 - v.tc**2) | wrong sign of a term
02.dc | dc_later + dtc * (1 - v.tc**2) | (dc_later + dtc) * (1 - v.tc**2) | missing factor
02.dc | dc_later + dtc * (1 - v.tc**2) | dc_later + dh * (1 - v.tc**2) | missing factor
02.dfc | dc.copy(), dc.copy() | dc * v.f, dc | squared factor
02.dig | dc.copy(), dc.copy() | dc, -dc | sign
02.df | dfc * inputs["c_prev"] | dfc * v.c | time index
02.df | dfc * inputs["c_prev"] | dfc | missing factor
02.df | dfc * inputs["c_prev"] | dfc * v.f | other quantity
02.dc_prev | dfc * v.f | dfc * v.i | other gate
02.dc_prev | dfc * v.f | dc_later * v.f | road
02.dc_prev | dfc * v.f | dfc | missing factor
02.di | dig * v.g, dig * v.i | dig * v.i, dig * v.g | other quantity
02.di | dig * v.g, dig * v.i | dig * v.g**2, dig | squared factor
02.dg | dig * v.g, dig * v.i | dig * v.g, dig | missing factor
02.dz_f | df * v.f * (1 - v.f) | df | missing slope
02.dz_f | df * v.f * (1 - v.f) | df * (1 - v.f**2) | other slope
02.dz_f | df * v.f * (1 - v.f) | df * v.i * (1 - v.i) | other gate
02.dz_f | df * v.f * (1 - v.f) | df * v.f * (1 - v.i) | other gate
02.dz_f | df * v.f * (1 - v.f) | df * (1 - v.f) | missing factor
02.dz_f | df * v.f * (1 - v.f) | v.f * (1 - v.f) | missing factor
02.dz_f | df * v.f * (1 - v.f) | di * v.f * (1 - v.f) | other quantity
02.dz_f | df * v.f * (1 - v.f) | dc * v.c * v.f * (1 - v.f) | time index
02.dz_f | df * v.f * (1 - v.f) | (df * v.f * (1 - v.f)).T | transposed
02.dz_f | df * v.f * (1 - v.f) | -df * v.f * (1 - v.f) | sign
02.dz_f | df * v.f * (1 - v.f) | df * v.f * (1 + v.f) | wrong sign of a term
02.dz_f | df * v.f * (1 - v.f) | (df * v.f * (1 - v.f)).round(4) | precision
02.dz_f | df * v.f * (1 - v.f) | (df * v.f * (1 - v.f)).astype("float16") | dtype
02.dz_f | df * v.f * (1 - v.f) | df * v.f * (1 - v.f) + 1 | constant
02.dz_f | df * v.f * (1 - v.f) | 3 * df * v.f * (1 - v.f) | constant factor
02.dz_f | df * v.f * (1 - v.f) | df * np.nan | nan
02.dz_i | di * v.i * (1 - v.i) | di * v.i * (1 - v.f) | other gate
02.dz_i | di * v.i * (1 - v.i) | di * (1 - v.i**2) | other slope
02.dz_o | do * v.o * (1 - v.o) | do * (1 - v.o**2) | other slope
02.dz_o | do * v.o * (1 - v.o) | do * sigmoid(v.o) * (1 - sigmoid(v.o)) | slope at the wrong place
02.dz_g | dg * (1 - v.g**2) | dg * v.g * (1 - v.g) | other slope
02.dz_g | dg * (1 - v.g**2) | dg * (1 - v.o**2) | other gate
02.dz_g | dg * (1 - v.g**2) | dg * (1 + v.g**2) | wrong sign of a term
02.dz_g | dg * (1 - v.g**2) | dg * (1 - np.tanh(v.g) ** 2) | slope at the wrong place
02.dz | dc * c_prev * v.f * (1 - v.f), | dc * v.c * v.f * (1 - v.f), | time index
02.dz | dh * v.tc * v.o * (1 - v.o), | dc * v.tc * v.o * (1 - v.o), | rows
02.dz | dc_later + dh * v.o * (1 - v.tc**2) | dc_later | road
02.dWx | dz @ inputs["x"].T, | inputs["x"] @ dz.T, | transposed
02.dWx | dz @ inputs["x"].T, | dz @ inputs["x"].T / B, | averaged
02.dWx | dz @ inputs["x"].T, | dz[:, :1] @ inputs["x"][:, :1].T, | one sample
02.dWx | dz @ inputs["x"].T, | dz @ inputs["h_prev"].T, | other quantity
02.dWh | dz @ inputs["h_prev"].T | dz @ v.h.T | time index
02.dWh | dz @ inputs["h_prev"].T | -dz @ inputs["h_prev"].T | sign
02.db | dz.sum(axis=1) | dz | not summed
02.db | dz.sum(axis=1) | dz.sum(axis=1, keepdims=True) | not summed
02.db | dz.sum(axis=1) | dz.mean(axis=1) | averaged
02.db | dz.sum(axis=1) | dz.sum(axis=0) | summed over gates
02.db | dz.sum(axis=1) | dz[:, 0] | one sample
02.dx | weights["Wx"].T @ dz | weights["Wx"][:3].T @ dz[:3] | missing term
02.dx | weights["Wx"].T @ dz | dz.T @ weights["Wx"] | transposed
02.dh_prev | weights["Wh"].T @ dz | weights["Wh"][3:].T @ dz[3:] | missing term
02.dh_prev | weights["Wh"].T @ dz | weights["Wh"].T @ dz / B | averaged
02.dyhat | 2 * (yhat - y) / y.size | (yhat - y) / y.size | missing factor
02.dyhat | 2 * (yhat - y) / y.size | 2 * (yhat - y) / len(y) | averaged
02.dyhat | 2 * (yhat - y) / y.size | 2 * (y - yhat) / y.size | sign
02.dyhat | 2 * (yhat - y) / y.size | 2 * (yhat - y) | summed
02.jacobian | np.diag(p) - np.outer(p, p) | np.diag(p * (1 - p)) | missing term
02.jacobian | np.diag(p) - np.outer(p, p) | np.eye(len(p)) - np.outer(p, p) | missing factor
02.ds | (p - y) / len(y) | p - y | one batch
02.ds | (p - y) / len(y) | (p - y) / y.size | averaged
02.ds | (p - y) / len(y) | (y - p) / len(y) | sign
02.ds | (p - y) / len(y) | -y / p / len(y) | missing slope
02.head | ds.sum(axis=1), | ds.mean(axis=1), | one batch
02.head | ds @ h.T, | h @ ds.T, | transposed
02.head | W.T @ ds | W @ ds | raises
02.c_road | f[:0:-1] | f[::-1] | shape
02.c_road | return np.append(kept, np.ones_like(f[:1]), 0) * dc_T | return np.cumprod(f[::-1], 0)[::-1] * dc_T | late
02.c_road | return np.append(kept, np.ones_like(f[:1]), 0) * dc_T | return np.append(np.ones_like(f[:1]), kept, 0) * dc_T | late
02.c_road | return np.append(kept, np.ones_like(f[:1]), 0) * dc_T | return np.append(kept, np.ones_like(f[:1]), 0) | missing factor
02.c_road | return np.append(kept, np.ones_like(f[:1]), 0) * dc_T | return (np.append(kept, np.ones_like(f[:1]), 0) * dc_T)[::-1] | reversed
02.powers | -n * np.log10(f) | -n * np.log(f) | formula
02.powers | -n * np.log10(f) | n * np.log10(f) | sign
02.n99 | np.log(0.01) / np.log(r) | np.log(0.99) / np.log(r) | formula
02.n99 | np.log(0.01) / np.log(r) | np.log(r) / np.log(0.01) | inverse
03.forward_step | h = o * np.tanh(c)  # (6) | h = o * c | missing factor
03.forward_step | c = f * c_prev + i * g  # (4) | c = f * c_prev | missing term
03.forward_step | c = f * c_prev + i * g  # (4) | c = i * c_prev + f * g | other gate
03.step_backward | dc = dc + dh * o * (1 - np.tanh(c) ** 2)  # (6') | dc = dh * o * (1 - np.tanh(c) ** 2) | road
03.step_backward | dc = dc + dh * o * (1 - np.tanh(c) ** 2)  # (6') | dc = dc | road
03.step_backward | dc = dc + dh * o * (1 - np.tanh(c) ** 2)  # (6') | dc += dh * o * (1 - np.tanh(c) ** 2) | mutates
03.step_backward | dc = dc + dh * o * (1 - np.tanh(c) ** 2)  # (6') | dc = dc + dh * o * (1 - c**2) | slope at the wrong place
03.step_backward | dc = dc + dh * o * (1 - np.tanh(c) ** 2)  # (6') | dc = dc + dh * o | missing slope
03.step_backward | do = dh * np.tanh(c)  # (6') | do = dc * np.tanh(c) | other quantity
03.step_backward | df, di, dg = dc * c_prev, dc * g, dc * i  # (4') | df, di, dg = dc * c, dc * g, dc * i | time index
03.step_backward | df, di, dg = dc * c_prev, dc * g, dc * i  # (4') | df, di, dg = dc * c_prev, dc * i, dc * g | other gate
03.step_backward | da * ACT[cell][gate][1](a) | da | missing slope
03.step_backward | da * ACT[cell][gate][1](a) | da * ACT["standard"][gate][1](a) | one cell
03.step_backward | return dz, p["0/Wh"].T @ dz, dc * f | return dz, p["0/Wh"].T @ dz, dc | road
03.step_backward | return dz, p["0/Wh"].T @ dz, dc * f | return dz, dc * f, p["0/Wh"].T @ dz | swapped
03.step_backward | return dz, p["0/Wh"].T @ dz, dc * f | return dz, p["0/Wh"].T @ dz | count
03.step_backward | return dz, p["0/Wh"].T @ dz, dc * f | return dz | type
03.step_backward | return dz, p["0/Wh"].T @ dz, dc * f | pass | empty
03.step_backward | (df, di, do, dg), (f, i, o, g) | (df, di, dg, do), (f, i, g, o) | unlike
03.weight_gradients | "0/b": dz.sum(axis=1) | "0/b": dz[:, 0] | one batch
03.weight_gradients | "0/b": dz.sum(axis=1) | "bias": dz.sum(axis=1) | names
03.weight_gradients | "0/Wx": dz @ x.T | "0/Wx": dz @ x.T / x.shape[1] | one batch
03.weight_gradients | "0/Wx": dz @ x.T | "0/Wx": x @ dz.T | transposed
03.forward_sequence | h, c, kept = forward_step(cell, p, x, h, c) | h, _, kept = forward_step(cell, p, x, h, c) | road
03.forward_sequence | for x in xs: | for x in xs[::-1]: | reversed
03.backward_sequence | grads[name] += gradient  # (15) | grads[name] = gradient | one step
03.backward_sequence | for kept in reversed(trace): | for kept in trace: | reversed
03.backward_sequence | for kept in reversed(trace): | for kept in reversed(trace[1:]): | first step lost
03.backward_sequence | for kept in reversed(trace): | for kept in trace[-1:]: | one step
03.backward_sequence | dz, dh, dc = backward_step(cell, p, kept, dh, dc)  # (14) | dz, dh, _ = backward_step(cell, p, kept, dh, dc) | road
03.backward_sequence | dz, dh, dc = backward_step(cell, p, kept, dh, dc)  # (14) | dz, _, dc = backward_step(cell, p, kept, dh, dc) | road
03.backward_sequence | grads[name] += gradient  # (15) | grads[name] += gradient / len(trace) | averaged over time
03.mse | 2 * (yhat - y) / yhat.size | (yhat - y) / yhat.size | missing factor
03.mse | np.mean((yhat - y) ** 2) | np.sum((yhat - y) ** 2) | summed
03.ds | (p - y) / len(y) | p - y | one batch
03.error_products | n - 1 | n | off by one
03.cosine | a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) | a @ b | missing factor
03.flops | T * 2 * 4 * H * (H + D + 1) * B | T * 2 * 4 * H * (H + D) * B | missing term
03.flops | T * 2 * 4 * H * (H + D + 1) * B | 2 * 4 * H * (H + D + 1) * B | missing factor
03.bound | 1 / (1 - share) | 1 / share | formula
03.trace_size | (D + 6 * H) * B * T | (D + 8 * H) * B * T | double
04.adam | w - lr * m_hat / (np.sqrt(v_hat) + eps)  # (4.5) | w + lr * m_hat / (np.sqrt(v_hat) + eps) | sign
04.adam | w - lr * m_hat / (np.sqrt(v_hat) + eps)  # (4.5) | w - lr * m_hat / np.sqrt(v_hat + eps) | formula
04.adam | w - lr * m_hat / (np.sqrt(v_hat) + eps)  # (4.5) | w - lr * m / (np.sqrt(v) + eps) | missing factor
04.adam | w - lr * m_hat / (np.sqrt(v_hat) + eps)  # (4.5) | w - lr * m_hat / np.sqrt(v_hat) | missing term
04.adam | w - lr * m_hat / (np.sqrt(v_hat) + eps)  # (4.5) | w - (lr * m_hat / np.sqrt(v_hat) + eps) | formula
04.adam | w - lr * m_hat / (np.sqrt(v_hat) + eps)  # (4.5) | w - lr * m_hat / (np.sqrt(v_hat) + eps / np.sqrt(1 - beta2**t)) | formula
04.adam | m / (1 - beta1**t) | m / (1 - beta1) | count of steps
04.adam | m / (1 - beta1**t) | m | missing factor
04.adam | v / (1 - beta2**t) | v | missing factor
04.adam | (1 - beta2) * g**2  # (4.2) | (1 - beta2) * g | missing factor
04.adam | range(1, steps + 1) | range(2, steps + 2) | count of steps
04.adam | path = [w] | path = [] | first step lost
04.uncorrected | (1 - 0.9**t) / np.sqrt(1 - 0.999**t) | (1 - 0.9**t) / (1 - 0.999**t) | formula
04.effective_eps | 1 / np.sqrt(1 - 0.999**t) | np.sqrt(1 - 0.999**t) | inverse
06.rows | for gate in range(4) for unit in range(4) | for unit in range(4) for gate in range(4) | order of gates
06.rows | for gate in range(4) for unit in range(4) | for gate in range(1) for unit in range(4) | missing term
06.through | (len(rows), 4)  # | (4, len(rows))  # | transposed
06.through | (len(rows), 4)  # | (len(rows), 16)  # | formula
06.weights | 16 + 4 + 1 | 16 + 4 | missing term
06.flops | 2 * weights[0] * weights[1] * 24 * 32 | weights[0] * weights[1] * 24 * 32 | half
07.sensitivity | np.abs(w * m_hat) | w * m_hat | sign
07.sensitivity | np.abs(w * m_hat) | np.abs(w) | missing factor
07.snr | np.abs(m_hat) / np.sqrt(v_hat) | np.abs(m_hat) / v_hat | formula
"""
ROWS = [tuple(part.strip() for part in line.split(" | ")) for line in WRONG.strip().splitlines()]


@pytest.mark.parametrize(("name", "stands", "written", "kind"), ROWS, ids=[f"{r[0]}: {r[2]}" for r in ROWS])
def test_a_wrong_answer_gets_its_diagnosis(name: str, stands: str, written: str, kind: str) -> None:
    notebook = solved(name.partition(".")[0])
    ((cell, expression),) = ((k, e) for k, n, e in checks(notebook) if n == name)
    assert judge(EXERCISES[name], answer(notebook, cell, expression, (stands, written))).kind == kind


def test_the_table_is_wide() -> None:
    """At least 100 wrong answers, of many kinds and of every exercise that has more than a number to say."""
    assert len(set(ROWS)) == len(ROWS) >= 100
    kinds = Counter(row[3] for row in ROWS)
    assert set(kinds) <= set(KINDS)
    assert len(kinds) > 30
    assert kinds["unlike"] < 8  # no common mistake explains it: to be kept rare
    assert set(EXERCISES) - {row[0] for row in ROWS} <= {"03.clip"}
