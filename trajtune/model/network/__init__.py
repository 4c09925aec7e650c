"""The network: title vectors, LSTM, heads, and the Markov prior inside it."""
