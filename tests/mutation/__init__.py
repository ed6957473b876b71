"""Conditions taken out of the code one by one, each with the test that has to notice."""
