"""One scan through the chain as a list that a person can act on."""

from lithoscope_services.checklist.make import Checklist, make_checklist
from lithoscope_services.checklist.page import checklist_page
from lithoscope_services.checklist.row import CheckRow

__all__ = ["CheckRow", "Checklist", "checklist_page", "make_checklist"]
