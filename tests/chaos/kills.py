"""Kill points from outside: the file of slots that a worker of the campaign's build maps (shared/base/kill_point.h)."""

import mmap
import os
import struct
import time

SLOTS = 64
SLOT = struct.Struct("<IIII32s64sIIQ64sI60x")
STATE = struct.Struct("<I")
IDLE, ARMED, DONE = range(3)

# Every KILL_POINT() of the source, with what it takes to get there: the words of the event that is sent to the shard.
# The first six are those that must not be missing from any campaign; "after_send" is tests/chaos/after_send.c; those of jobs
# are the scheduler's (shard/schedule).
POINTS = {
    "receipt": "a frame is in the inbox, nobody has begun it",
    "in_handler": "within a handler, between two of its effects",
    "before_send": "an effect's intent is written, its request not yet",
    "after_send": "a request is in the kernel's hands, its answer not looked for",
    "after_reply": "the answer is there, the journal does not know",
    "before_journal_closed": "the event is done, its rows in the journal are not",
    "before_sequence": "taken and applied, its sequence not recorded",
    "before_handler": "marked as begun, the handler not yet entered",
    "before_intent": "the request is about to leave, no intent yet",
    "after_conclude": "the journal knows the answer, the handler does not",
    "before_done": "the last holder has let go, the inbox does not know",
    "before_cache_commit": "frames applied, the cache's transaction open",
    "after_cache_commit": "committed, the inbox's room not given back",
    "park": "a copy is parked, the inbox still has its own",
    "session_flip": "READY taken, the session half on the board",
    "bury": "a dead letter is written, the inbox still has the event",
    "in_module": "a module's code is entered: for an event, a command, an answer, a job",
    "job_made": "a job is written, who asked for it not told",
    "job_claimed": "the database gave it to us, the agenda does not know",
    "job_noted": "the agenda has it as begun, its handler not entered",
    "job_over": "the last call of the run is through, the agenda does not know",
    "job_ending": "the agenda has it as over, the database was not told",
    "job_told": "the database was told, the agenda has it still",
}

# Each step of a job's run, from its making to its end (tests/integration/test_remind.py).
JOB_POINTS = {
    "job_made": "a job is written, who asked for it not told",
    "job_claimed": "the database gave it to us, the agenda does not know",
    "job_noted": "the agenda has it as begun, its handler not entered",
    "before_intent": "its message is about to leave, no intent yet",
    "before_send": "its message's intent is written, the request not yet",
    "after_reply": "the answer is there, the journal does not know",
    "after_conclude": "the journal knows the answer, the handler does not",
    "job_over": "the last call of the run is through, the agenda does not know",
    "job_ending": "the agenda has it as over, the database was not told",
    "job_told": "the database was told, the agenda has it still",
}


class Slots:
    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(SLOTS * SLOT.size))
        self._file = os.open(path, os.O_RDWR)
        self._map = mmap.mmap(self._file, SLOTS * SLOT.size)

    def arm(self, slot, pid, point, detail="", countdown=1, tickets_min=0, shard=None):
        """pid 0: whichever process comes there first, of that shard if one is given."""
        at = slot * SLOT.size
        STATE.pack_into(self._map, at, IDLE)
        self._map[at:at + SLOT.size] = SLOT.pack(IDLE, pid, countdown, tickets_min, point.encode(), detail.encode(), 0, 0,
                                                 0, b"", 0 if shard is None else shard + 1)
        STATE.pack_into(self._map, at, ARMED)

    def state(self, slot):
        return STATE.unpack_from(self._map, slot * SLOT.size)[0]

    def disarm(self, slot):
        """True when nothing came of it; False when it struck in this very moment."""
        if self.state(slot) == DONE:
            return False
        STATE.pack_into(self._map, slot * SLOT.size, IDLE)
        return True

    def result(self, slot):
        """{tickets, hits, at_us (monotonic), what} of one that is DONE."""
        fields = SLOT.unpack_from(self._map, slot * SLOT.size)
        return {"tickets": fields[6], "hits": fields[7], "at_us": fields[8] // 1000,
                "what": fields[9].split(b"\0")[0].decode("utf-8", "replace")}

    def wait(self, slot, timeout_s):
        """The result, or None when nobody came there; then it is disarmed."""
        deadline = time.monotonic() + timeout_s
        while self.state(slot) != DONE:
            if time.monotonic() >= deadline and self.disarm(slot):
                return None
            time.sleep(0.0005)  # a word in shared memory: nobody can wake us
        return self.result(slot)
