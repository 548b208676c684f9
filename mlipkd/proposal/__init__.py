"""Proposals: a campaign sized to a dataset, for those who have none yet."""
