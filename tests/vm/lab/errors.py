# SPDX-License-Identifier: LGPL-2.1-or-later
"""The one error that the laboratory itself raises."""


class LabError(Exception):
    """The laboratory could not do its work; the text says what and where to look."""
