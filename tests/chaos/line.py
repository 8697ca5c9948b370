"""One line of a campaign's report."""


class Line:
    """good None: for information."""

    def __init__(self, name, value, good=None, note="", blame=()):
        self.name, self.value, self.good, self.note, self.blame = name, value, good, note, list(blame)

    def __str__(self):
        mark = "    " if self.good is None else "ok  " if self.good else "FAIL"
        return "%s %-34s %s%s" % (mark, self.name, self.value, "  (%s)" % self.note if self.note else "")
