"""A window opened for analysis: each measure computed once, from the frames of one lake version."""

from cloudxai_analysis.study.study import Study

__all__ = ["Study"]
