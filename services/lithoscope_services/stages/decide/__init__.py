"""Numbers to answers: which rules fire, what is proposed, what people said to it."""

from lithoscope_services.stages.decide.stage import DecideStage

__all__ = ["STAGE", "DecideStage"]

STAGE = DecideStage()
