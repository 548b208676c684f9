"""Status: a campaign at a glance, from what it has written so far, while it runs or later."""
