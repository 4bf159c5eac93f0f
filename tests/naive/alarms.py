"""Slow plain twin of the alarm table: one alarm, a method per event, written from the prose of ISA-18.2 and the rules.

It shares no code and no table with the engine. A method gives the word for a refusal, or None after it has changed the
alarm; what was heard lies in ``sounded``, how many instances were opened and ended in ``opened`` and ``ended``.
"""


def worst(reports):
    """Of several (level, inhibited), one per agent, what an alarm shows: the level, and whether it is suppressed."""
    reports = list(reports)
    open_levels = [level for level, inhibited in reports if level and not inhibited]
    if open_levels:
        return max(open_levels), False
    return max([level for level, _ in reports], default=0), any(level for level, _ in reports)


class Alarm:
    def __init__(self, latches):
        self.latches = latches
        self.level = 0  # 0: the process is normal
        self.owed = False
        self.latched = False
        self.shelved_to = None
        self.once = False
        self.suppressed = False
        self.removed = False
        self.standing = False  # an instance is open
        self.opened = self.ended = self.activations = 0
        self.sounded = False
        self.realarm = False

    # -- what is shown

    def held(self):
        return self.shelved_to is not None or self.suppressed or self.removed

    def letter(self):
        if self.removed:
            return "G"
        if self.suppressed:
            return "F"
        if self.shelved_to is not None:
            return "E"
        if self.owed:
            return "B" if self.level else "D"
        return "C" if self.level or self.latched else "A"

    def sound(self):
        if not self.held():
            self.owed = True
            self.sounded = True

    def open_or_join(self):
        if not self.standing:
            self.standing = True
            self.opened += 1
            self.activations = 0
        self.activations += 1

    def end_if_over(self):
        if self.standing and not self.level and not self.owed and not self.latched:
            self.standing = False
            self.ended += 1

    def handle(self, event, level=1, once=False):
        self.sounded = False
        arguments = {"raised": {"level": level}, "shelve": {"once": once}}
        refusal = getattr(self, event)(**arguments.get(event, {}))
        self.end_if_over()
        if self.held() or not self.level or self.owed:
            self.realarm = False
        return refusal

    # -- the process

    def raised(self, level):
        if self.level:
            return "already_active"
        self.level = level
        self.open_or_join()
        if self.shelved_to is not None and level > self.shelved_to:
            self.shelved_to = None
            self.once = False
        if not self.held():
            self.latched = self.latched or self.latches
            self.sound()
        elif not self.suppressed and not self.removed and (self.latched or self.latches):  # a shelf and nothing else
            self.latched = True
            self.owed = True
        return None

    def returned(self):
        if not self.level:
            return "not_active"
        self.level = 0
        if self.once:
            self.shelved_to = None
            self.once = False
        return None

    def level_up(self):
        if not self.level:
            return "not_active"
        if self.level == 2:
            return "at_that_level"
        self.level = 2
        if self.shelved_to == 1:
            self.shelved_to = None
            self.once = False
        self.release()
        return None

    def joined(self):
        if not self.level:
            return "not_active"
        self.activations += 1
        if not self.held():
            self.latched = self.latched or self.latches
            self.sound()
        elif not self.suppressed and not self.removed and (self.latched or self.latches):  # a shelf and nothing else
            self.latched = True
            self.owed = True
        return None

    def level_down(self):
        if not self.level:
            return "not_active"
        if self.level == 1:
            return "at_that_level"
        self.level = 1
        return None

    # -- history

    def missed(self):
        self.open_or_join()
        if self.level or self.suppressed or self.removed:
            return
        if self.shelved_to is not None and not self.latches and not self.latched:
            return
        self.latched = self.latched or self.latches
        self.owed = True

    def passed(self):
        self.open_or_join()

    # -- people

    def acknowledge(self):
        if self.held():
            return "held"
        if self.owed:
            self.owed = False
            self.realarm = bool(self.level)
            return None
        return "already_acknowledged" if self.level or self.latched else "nothing_owed"

    def unacknowledge(self):
        if self.held():
            return "held"
        if self.owed or not (self.level or self.latched):
            return "not_acknowledged"
        self.owed = True
        if self.level:
            self.sound()
        return None

    def reset(self):
        if self.held():
            return "held"
        if not self.latched:
            return "not_latched"
        if self.level:
            return "still_active"
        if self.owed:
            return "not_acknowledged"
        self.latched = False
        return None

    def comment(self):
        return None

    def realarm_due(self):
        if self.held():
            return "held"
        if not self.level:
            return "not_active"
        if self.owed:
            return "not_acknowledged"
        self.sound()
        return None

    # -- holds

    def release(self):
        if not self.held() and self.level:
            self.latched = self.latched or self.latches
            self.sound()

    def shelve(self, once):
        self.shelved_to = max(1, self.level)
        self.once = once

    def unshelve(self):
        if self.shelved_to is None:
            return "not_shelved"
        self.shelved_to = None
        self.once = False
        self.release()
        return None

    shelf_expired = unshelve

    def suppress(self):
        if self.suppressed:
            return "already_suppressed"
        self.suppressed = True
        return None

    def unsuppress(self):
        if not self.suppressed:
            return "not_suppressed"
        self.suppressed = False
        self.release()
        return None

    def remove_from_service(self):
        if self.removed:
            return "already_out_of_service"
        self.removed = True
        return None

    def return_to_service(self):
        if not self.removed:
            return "not_out_of_service"
        self.removed = False
        self.release()
        return None
