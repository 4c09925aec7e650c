"""The network: title vectors, LSTM and heads; the n-gram as a module; the average of several models."""
