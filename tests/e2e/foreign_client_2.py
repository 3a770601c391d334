"""A client of revision 2 of the Airwave protocol, written from PROTOCOL.md alone.

    python3 foreign_client_2.py URL SCENARIO

It plays one scenario against a gateway, checks what every client may rely on, and prints what it
finds, one JSON object a line: {"received": text}, {"closed": [code, reason]} or {"noted": value}.
"""

import json
import os
import signal
import sys
from collections import deque

from foreign_client import TEXT, TIMEOUT_SECONDS, Closed, WebSocket, await_go, report


class Channel:
    """What a client knows of a channel: where it stands, and what it was handed."""

    def __init__(self):
        self.epoch = None
        self.offset = None
        self.events = []

    @property
    def position(self):
        return None if self.epoch is None else {"e": self.epoch, "o": self.offset}

    def move(self, offset):
        """Every offset comes once, one after the other."""
        assert offset == self.offset + 1, (offset, self.offset)
        self.offset = offset


class Client:
    """It keeps its channels from one connection to the next."""

    def __init__(self, url):
        self.url = url + "?v=2"
        self.channels = {}
        self.connect()

    def connect(self):
        self.socket = WebSocket(self.url)
        self.frames = deque()
        self.requests = 0
        welcome = self.hear()
        assert welcome["t"] == "welcome" and welcome["v"] == 2, welcome
        self.max = welcome["max"]

    def cut(self):
        """The connection breaks, without a goodbye."""
        self.socket.drop()

    def say(self, *frames):
        """One message: a frame, or a batch of them."""
        text = json.dumps(frames[0] if len(frames) == 1 else frames)
        assert len(text.encode()) <= self.max, "larger than the gateway takes"
        self.socket.send(TEXT, text.encode())

    def number(self):
        self.requests += 1
        return self.requests

    def hear(self):
        """The next frame, alone or out of a batch. Positions are kept as they come."""
        while not self.frames:
            message = json.loads(self.socket.receive())
            self.frames.extend(message if isinstance(message, list) else [message])
        frame = self.frames.popleft()
        channel = self.channels.get(frame.get("c"))
        if frame["t"] == "msg":
            channel.move(frame["o"])
            channel.events.append(frame["d"])
        elif frame["t"] == "skip":
            channel.move(frame["o"])
        return frame

    def answer(self, number):
        """The answer to a request; others that come before it are about something else."""
        while True:
            frame = self.hear()
            if frame.get("n") == number:
                return frame

    def sub(self, name):
        channel = self.channels.setdefault(name, Channel())
        frame = {"t": "sub", "c": name, "n": self.number()}
        if channel.position is not None:
            frame["p"] = channel.position
        return frame

    def subscribe(self, name):
        """Subscribes, or resumes, and takes what was missed."""
        request = self.sub(name)
        self.say(request)
        ok = self.answer(request["n"])
        self.take(ok, request.get("p"))
        return ok

    def take(self, ok, asked):
        assert ok["t"] == "ok", ok
        channel = self.channels[ok["c"]]
        top = ok["p"]
        if asked is None:
            assert ok["r"] == "none" and "m" not in ok, ok
        elif ok["r"] == "ok":
            assert top["e"] == asked["e"] and top["o"] == asked["o"] + ok["m"], ok
            while channel.offset < top["o"]:
                self.hear()
            return
        else:
            assert ok["r"] == "lost" and "m" not in ok, ok
        channel.epoch, channel.offset = top["e"], top["o"]

    def leave(self):
        self.socket.say_goodbye(1000, "client left")
        self.await_close()

    def await_close(self):
        try:
            while True:
                self.hear()
        except Closed as closed:
            report(closed=[closed.code, closed.reason])


def note(value):
    report(noted=value)


def note_frame(frame):
    """A frame as it came, but for what the server makes up."""
    frame = {**frame}
    if "p" in frame:
        frame["p"] = frame["p"]["o"]
    report(received=json.dumps(frame, separators=(",", ":"), ensure_ascii=False))


def resume(url):
    client = Client(url)
    ok = client.subscribe("news")
    note_frame(ok)
    channel = client.channels["news"]
    while len(channel.events) < 3:
        client.hear()
    client.cut()
    note(channel.events)
    await_go()
    client.connect()
    note_frame(client.subscribe("news"))
    note(channel.events)
    while len(channel.events) < 8:
        client.hear()
    note(channel.events)
    client.leave()


def resume_before_any_event(url):
    client = Client(url)
    client.subscribe("news")
    client.cut()
    note("away")
    await_go()
    client.connect()
    note_frame(client.subscribe("news"))
    note(client.channels["news"].events)
    client.cut()
    client.connect()
    note_frame(client.subscribe("news"))
    client.leave()


def cut_while_resuming(url):
    client = Client(url)
    client.subscribe("news")
    channel = client.channels["news"]
    client.cut()
    note("away")
    await_go()
    attempts = 0
    while len(channel.events) < 250:
        client.connect()
        attempts += 1
        request = client.sub("news")
        client.say(request)
        ok = client.answer(request["n"])
        assert ok["r"] == "ok" and ok["m"] == 250 - len(channel.events), ok
        for _ in range(min(17, ok["m"])):
            client.hear()
        client.cut()
    note(attempts)
    note(channel.events == list(range(250)))


def lost(url):
    client = Client(url)
    client.subscribe("news")
    client.cut()
    note("away")
    await_go()
    client.connect()
    note_frame(client.subscribe("news"))
    channel = client.channels["news"]
    note(channel.events)
    while len(channel.events) < 1:
        client.hear()
    note(channel.events)
    channel.epoch = "another"
    client.cut()
    client.connect()
    note_frame(client.subscribe("news"))
    client.leave()


def publish_once(url):
    client = Client(url)
    client.subscribe("chat")
    channel = client.channels["chat"]
    batch = [
        {"t": "pub", "c": "chat", "e": "m", "d": d, "n": client.number(), "i": f"{d}-{os.urandom(16).hex()}"}
        for d in range(20)
    ]
    client.say(*batch)
    # The connection breaks before any answer was read: nobody knows what was published.
    client.cut()
    note("cut")
    await_go()
    client.connect()
    again = [{**frame, "n": client.number()} for frame in batch]
    client.say(*again)
    answers = {}
    while len(answers) < 20:
        frame = client.hear()
        answers[frame["n"]] = frame
    for frame in again:
        answer = answers[frame["n"]]
        assert answer["t"] == "ok" and answer["i"] == frame["i"], answer
        assert answer["p"]["o"] == frame["d"] + 1, answer
    client.subscribe("chat")
    note(channel.events == list(range(20)))
    client.say({"t": "pub", "c": "chat", "e": "m", "d": 20})
    while len(channel.events) < 21:
        frame = client.hear()
        assert frame["t"] == "msg", "a publish without a number has no answer"
    client.leave()


def leave_me_out(url):
    client = Client(url)
    client.subscribe("chat")
    number = client.number()
    client.say({"t": "pub", "c": "chat", "e": "m", "d": 1, "n": number, "x": True})
    heard = sorted((client.hear(), client.hear()), key=lambda frame: frame["t"])
    for frame in heard:
        note_frame({key: frame[key] for key in frame if key != "i"})
    client.cut()
    client.connect()
    # The position moved with the event that left this client out.
    note_frame(client.subscribe("chat"))
    client.leave()


def late_answers(url):
    client = Client(url)
    first = client.sub("slow")
    unsub = {"t": "unsub", "c": "slow", "n": client.number()}
    second = client.sub("slow")
    third = client.sub("slow")
    client.say(first)
    client.say(unsub)
    note_frame(client.hear())
    client.say(second, third)
    client.subscribe("news")
    note("asked")
    note_frame(client.hear())
    note_frame(client.hear())
    client.leave()


def refused(url):
    client = Client(url)
    for name in ["private-ledger", "private-broken", "no spaces"]:
        client.say({"t": "sub", "c": name, "n": client.number()})
        note_frame(client.hear())
    for frame in [
        {"c": "news", "e": "headline"},
        {"c": "chat", "e": ""},
        {"c": "chat", "e": "m", "i": "a\nb"},
        {"c": "chat", "e": "m", "i": "x" * 199},
        {"c": "chat", "e": "too large"},
    ]:
        client.say({"t": "pub", "d": "x" * 2_000 if frame["e"] == "too large" else 1, "n": client.number(), **frame})
        note_frame(client.hear())
    client.leave()


def batches(url):
    client = Client(url)
    names = [f"c{i}" for i in range(20)]
    requests = {}
    for name in names:
        request = client.sub(name)
        requests[request["n"]] = request
    client.say(*requests.values())
    for _ in names:
        ok = client.hear()
        assert ok["c"] == requests[ok["n"]]["c"]
        client.take(ok, None)
    note("live")
    while sum(len(client.channels[name].events) for name in names) < 200:
        client.hear()
    note(all(client.channels[name].events == list(range(10)) for name in names))
    client.say({"t": "sub"}, 7, None, [], {"t": "unsub", "c": "c0", "n": client.number()})
    note_frame(client.hear())
    client.leave()


def gone(url):
    client = Client(url)
    client.subscribe("hour")
    note_frame(client.hear())
    client.subscribe("news")
    note("live")
    note_frame(client.hear())
    client.leave()


def bye(url):
    client = Client(url)
    client.subscribe("news")
    note("live")
    frame = client.hear()
    note([frame["t"], frame["r"], type(frame["ms"]).__name__])
    client.await_close()


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in [
        resume,
        resume_before_any_event,
        cut_while_resuming,
        lost,
        publish_once,
        leave_me_out,
        late_answers,
        refused,
        batches,
        gone,
        bye,
    ]
}

if __name__ == "__main__":
    # Whatever a server does or leaves undone, this ends.
    signal.alarm(TIMEOUT_SECONDS)
    SCENARIOS[sys.argv[2]](sys.argv[1])
