"""Measure how good a model is over time: as of earlier days (backtest), and on newer careers (monitor)."""
