"""How fast flexmail is, as ratios to something measured beside it in the same run."""
