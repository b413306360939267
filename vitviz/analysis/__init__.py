"""Analyses of a trace: attention, attribution, ablation, the logit lens, tokens and predictions."""
