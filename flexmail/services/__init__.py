"""The stories: each file is one, owns its transactions and reads from top to bottom.

Every moment is given as `now`, aware and in UTC. A service knows nothing of HTTP; what it refuses
it raises as one of `flexmail.errors`.
"""
