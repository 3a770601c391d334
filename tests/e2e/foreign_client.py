"""A client of the Airwave protocol, written from PROTOCOL.md alone with Python's standard library.

    python3 foreign_client.py URL SCENARIO

It plays one scenario against a gateway and prints what it finds, one JSON object a line:
{"received": text}, {"closed": [code, reason]}, {"refused": [status, body]} or {"noted": text}.
"""

import base64
import hashlib
import json
import os
import signal
import socket
import struct
import sys
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 20
ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Refused(Exception):
    """The server answered the handshake with an ordinary HTTP response."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


class Closed(Exception):
    """The server closed the connection."""

    def __init__(self, code, reason):
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class WebSocket:
    """As much of RFC 6455 as a client of the protocol needs."""

    def __init__(self, url, headers=None):
        self.pongs = []
        self._leaving = False
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port))
        self._stream = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            "Host": parts.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            **(headers or {}),
        }
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"GET {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            self._read_response(key)
        except Refused:
            self.drop()
            raise

    def _read_response(self, key):
        status = int(self._stream.readline().split()[1])
        headers = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if status != 101:
            body = self._stream.read(int(headers.get("content-length", 0)))
            raise Refused(status, body.decode())
        accept = base64.b64encode(hashlib.sha1((key + ACCEPT_GUID).encode()).digest()).decode()
        assert headers["sec-websocket-accept"] == accept, headers
        assert headers["upgrade"].lower() == "websocket", headers
        assert "sec-websocket-protocol" not in headers, headers
        assert "sec-websocket-extensions" not in headers, headers

    def send(self, opcode, payload, final=True):
        size = len(payload)
        head = bytes([(0x80 if final else 0) | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        key = os.urandom(4)
        repeated = (key * (size // 4 + 1))[:size]
        masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
        self._socket.sendall(head + key + masked.to_bytes(size, "big"))

    def receive(self):
        """The next text message. Control frames between are dealt with."""
        message = b""
        while True:
            first, second = self._read(2)
            assert second & 0x80 == 0, "a server must not mask"
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self._read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._read(8))
            payload = self._read(size)
            opcode = first & 0x0F
            if opcode == PING:
                self.send(PONG, payload)
            elif opcode == PONG:
                self.pongs.append(payload)
            elif opcode == CLOSE:
                if not self._leaving:
                    self.send(CLOSE, payload[:2])
                self.drop()
                code = struct.unpack(">H", payload[:2])[0] if payload else 1005
                raise Closed(code, payload[2:].decode())
            else:
                assert opcode in (TEXT, CONTINUATION), f"unexpected opcode {opcode}"
                message += payload
                if first & 0x80:
                    return message.decode()

    def say_goodbye(self, code, reason):
        """Starts to close; the answer comes as `Closed`, after what is still on its way."""
        self._leaving = True
        self.send(CLOSE, struct.pack(">H", code) + reason.encode())

    def drop(self):
        self._stream.close()
        self._socket.close()

    def _read(self, size):
        data = self._stream.read(size)
        if len(data) < size:
            raise Closed(1006, "")
        return data


class Client:
    """One connection, from `welcome` on. What comes is printed as it came."""

    def __init__(self, url):
        self.socket = WebSocket(url)
        self.expect("welcome")

    def say(self, **frame):
        self.say_text(json.dumps(frame))

    def say_text(self, text):
        self.socket.send(TEXT, text.encode())

    def hear(self):
        text = self.socket.receive()
        report(received=text)
        return json.loads(text)

    def expect(self, kind, channel=None):
        """The next frame, which must be of this type; none other may come before it."""
        frame = self.hear()
        assert frame["t"] == kind and frame.get("c") == channel, (kind, channel, frame)
        return frame

    def subscribe(self, channel):
        self.say(t="sub", c=channel)
        self.expect("ok", channel)

    def refuse(self, channel):
        self.say(t="sub", c=channel)
        self.expect("err", channel)

    def leave(self):
        self.socket.say_goodbye(1000, "client left")
        self.await_close()

    def await_close(self):
        """Hears until the server closes the connection."""
        try:
            while True:
                self.hear()
        except Closed as closed:
            report(closed=[closed.code, closed.reason])


def report(**finding):
    print(json.dumps(finding), flush=True)


def await_go():
    """Waits until the test has done its part."""
    sys.stdin.readline()


def subscribe(url):
    client = Client(url)
    client.subscribe("news")
    while client.expect("msg", "news")["e"] != "end":
        pass
    client.leave()


def subscribe_twice(url):
    client = Client(url)
    client.subscribe("news")
    client.subscribe("news")
    client.expect("msg", "news")
    client.subscribe("other")
    client.leave()


def subscribe_twice_while_pending(url):
    client = Client(url)
    client.say(t="sub", c="slow")
    client.say(t="sub", c="slow")
    client.subscribe("news")
    client.expect("ok", "slow")
    client.subscribe("other")
    client.leave()


def unsubscribe_while_pending(url):
    client = Client(url)
    client.say(t="sub", c="slow")
    client.say(t="unsub", c="slow")
    client.subscribe("news")
    await_go()
    client.subscribe("other")
    client.leave()


def unsubscribe(url):
    client = Client(url)
    client.subscribe("news")
    client.say(t="unsub", c="news")
    client.say(t="unsub", c="never held")
    client.subscribe("other")
    client.expect("msg", "other")
    client.leave()


def denied(url):
    client = Client(url)
    for channel in ["private-ledger", "PRESENCE-room", "private-broken", "no spaces", "x" * 201]:
        client.refuse(channel)
    client.subscribe("news")
    client.leave()


def publish(url):
    client = Client(url)
    client.subscribe("chat.1")
    client.say(t="pub", c="chat.1", e="message", d={"text": "Grüße", "list": [1, None, True]})
    client.expect("msg", "chat.1")
    client.say(t="pub", c="chat.1", e="typing")
    client.expect("msg", "chat.1")
    for channel, event in [
        ("news", "headline"),
        ("private-ledger", "entry"),
        ("private-broken", "entry"),
        ("no spaces", "message"),
        ("chat.1", ""),
        ("chat.1", "throw"),
    ]:
        client.say(t="pub", c=channel, e=event, d=1)
        client.expect("err", channel)
    client.leave()


def limits(url):
    client = Client(url)
    client.subscribe("a")
    client.subscribe("b")
    client.refuse("c")
    client.subscribe("a")
    client.refuse("d")
    client.say(t="pub", c="chat.1", e="message", d=1)
    client.say(t="pub", c="chat.1", e="message", d=2)
    client.expect("err", "chat.1")
    client.leave()


def ended(url):
    client = Client(url)
    client.subscribe("news")
    client.expect("err", "news")
    client.leave()


def answer_pings(url):
    client = Client(url)
    for _ in range(3):
        client.expect("ping")
        client.say(t="pong")
    client.subscribe("news")
    client.leave()


def ignore_pings(url):
    Client(url).await_close()


def malformed(url):
    client = Client(url)
    for text in [
        "",
        "{",
        "null",
        "[]",
        '["sub","news"]',
        '[{"t":"sub","c":"news"}]',
        "{}",
        '{"c":"news"}',
        '{"t":null,"c":"news"}',
        '{"t":"sub"}',
        '{"t":"sub","c":7}',
        '{"t":"sub","c":["news"]}',
        '{"t":"pub","c":"chat.1","d":1}',
        '{"t":"pub","c":"chat.1","e":{},"d":1}',
        '{"t":"SUB","c":"news"}',
        '{"t":"wave","c":"news"}',
        '{"t":"__proto__","c":"news"}',
        '{"t":"welcome","id":"mine"}',
        '{"t":"ok","c":"news"}',
        '{"t":"msg","c":"news","e":"headline","d":1,"i":"1"}',
        '{"t":"pong","c":7}',
        '{"__proto__":{"t":"sub","c":"news"}}',
        "[" * 60_000,
    ]:
        client.say_text(text)
    client.socket.send(BINARY, b'{"t":"sub","c":"news"}')
    client.socket.send(BINARY, bytes(65_536))
    client.say_text('\n{ "x": {"c": "other"}, "c": "new\\u0073", "n": 1, "t": "sub" }\n')
    client.expect("ok", "news")
    client.leave()


def fragments(url):
    client = Client(url)
    client.socket.send(TEXT, b'{"t":"sub",', final=False)
    client.socket.send(PING, b"still there")
    client.socket.send(CONTINUATION, b'"c":', final=False)
    client.socket.send(CONTINUATION, b'"news"}')
    client.expect("ok", "news")
    for payload in client.socket.pongs:
        report(noted=payload.decode())
    client.leave()


def largest(url):
    client = Client(url)
    frame = '{"t":"sub","c":"news","x":"%s"}'
    # Bytes count, not characters.
    client.say_text(frame % ("é" * ((65_536 - len(frame % "")) // 2) + "-"))
    client.expect("ok", "news")
    client.leave()


def oversize(url):
    client = Client(url)
    frame = '{"t":"sub","c":"news","x":"%s"}'
    client.say_text(frame % ("é" * ((65_536 - len(frame % "")) // 2) + "--"))
    client.await_close()


def slow(url):
    client = Client(url)
    client.subscribe("flood")
    await_go()
    count = 0
    try:
        while True:
            assert json.loads(client.socket.receive())["d"]["n"] == count, "out of order"
            count += 1
    except Closed as closed:
        report(noted=f"read {'some' if count > 0 else 'none'} in order")
        report(closed=[closed.code, closed.reason])


def connect(url):
    client = Client(url)
    client.leave()


def await_end(url):
    Client(url).await_close()


def refusals(url):
    parts = urlsplit(url)
    foreign = [
        (url, {"Origin": "https://elsewhere.example"}),
        (url, {"Origin": f"http://{parts.hostname}:1"}),
        (url, {"Origin": "http://app.example.elsewhere", "Host": "app.example"}),
        (url, {"Origin": "http://elsewhere-app.example", "Host": "app.example"}),
        (url, {"Origin": f"http://elsewhere.example@{parts.netloc}"}),
        (url, {"Origin": "null"}),
        (url + "/", {}),
        (url + "/below", {}),
        (url.replace("/_broadcast", "/"), {}),
        (url, {"Upgrade": None}),
        (url, {"Upgrade": "h2c"}),
        (url, {"Sec-WebSocket-Key": None}),
        (url, {"Connection": None}),
    ]
    for target, headers in foreign:
        try:
            WebSocket(target, headers).drop()
            report(noted="connected")
        except Refused as refused:
            report(refused=[refused.status, refused.body])


def unknown_subject(url):
    try:
        report(received=WebSocket(url, {"Cookie": "user=broken"}).receive())
    except Closed as closed:
        report(closed=[closed.code, closed.reason])


def refused(url):
    try:
        Client(url)
    except Refused as refusal:
        report(refused=[refusal.status, refusal.body])


def own_origins(url):
    netloc = urlsplit(url).netloc
    for origin in [f"http://{netloc}", f"HTTP://{netloc}", f"https://{netloc}"]:
        report_keys(WebSocket(url, {"Origin": origin}))
    report_keys(WebSocket(url, {"Origin": "http://app.example", "Host": "App.example:80"}))


def later_revision(url):
    for query in ["?v=2", "?a=b&v=3", "?v=x"]:
        report_keys(WebSocket(url + query))


def report_keys(websocket):
    """Which keys the first frame has; then the connection is cut without a goodbye."""
    report(noted=" ".join(json.loads(websocket.receive())))
    websocket.drop()


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in [
        subscribe,
        subscribe_twice,
        subscribe_twice_while_pending,
        unsubscribe_while_pending,
        unsubscribe,
        denied,
        publish,
        limits,
        ended,
        answer_pings,
        ignore_pings,
        malformed,
        fragments,
        largest,
        oversize,
        slow,
        connect,
        await_end,
        refusals,
        unknown_subject,
        refused,
        own_origins,
        later_revision,
    ]
}

if __name__ == "__main__":
    # Whatever a server does or leaves undone, this ends.
    signal.alarm(TIMEOUT_SECONDS)
    SCENARIOS[sys.argv[2]](sys.argv[1])
