"""How good the exported model is: metrics, intervals, segments, gates."""
