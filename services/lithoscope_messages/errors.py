"""Errors of the contract.

MessageError (ValueError)       what arrived is no message of ours
├── UnknownMessageError         its type or version is not known here
└── PayloadError                its bytes do not fit its header
"""


class MessageError(ValueError):
    """What arrived is not a message of ours; the text names the field."""


class UnknownMessageError(MessageError):
    """The type or the version of a message is not known to this program."""


class PayloadError(MessageError):
    """The array bytes of a message do not fit its header."""
