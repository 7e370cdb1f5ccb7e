"""The report of a run and its model card: plain values in, text out."""
