"""How good a model is over time: as of earlier days (backtest), and on careers newer than its bundle."""
