"""What stands behind a `Forecaster`.

- arrays: windows that are given as arrays: refused, laid out, scaled;
- bands: the intervals of a forecast;
- drivers: what a forecast depends on, and a check of that;
- estimator: the habits of scikit-learn;
- recipe: what is read of a series, and how numbers become forecasts in its unit;
- store: the file of a fitted forecaster.
"""
