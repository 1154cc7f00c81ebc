"""The habits of scikit-learn: settings that are read, set and shown, and what its tools ask an estimator for."""

from __future__ import annotations

import inspect
from typing import Any, Self

from lstm_lib.training.settings import called


class Estimator:
    """Settings by the names of the arguments; what was learned has names that end with an underscore."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name; `deep` is there for scikit-learn."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Change settings and return the forecaster; ValueError for a name that there isn't."""
        for name, value in params.items():
            if name not in (known := self.get_params()):
                raise ValueError(f"there is no parameter {name!r}; the parameters are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        return called(type(self), **self.get_params())

    def _check_fitted(self) -> None:
        if hasattr(self, "params_"):
            return
        try:
            from sklearn.exceptions import NotFittedError as Unfitted
        except ImportError:
            Unfitted = ValueError
        raise Unfitted(f"this {type(self).__name__} has learned nothing yet; call fit(split) first")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        targets, inputs = TargetTags(required=True, multi_output=True), InputTags(three_d_array=True)
        return Tags("regressor", targets, regressor_tags=RegressorTags(), input_tags=inputs)
