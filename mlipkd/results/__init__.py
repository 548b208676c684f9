"""Results: rows become tables, and tables a summary, figures and a report."""
