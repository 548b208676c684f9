"""Report: a campaign on one page, for people who did not run it."""
