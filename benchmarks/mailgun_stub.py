"""A stub of Mailgun in a process of its own, as quick as Python can: counts the mails of a request and says that it took them.

Prints its port; a line on its input makes it print how many requests and mails it has taken since the last one; ends with its input.
"""

import asyncio
import sys

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_BODY = b'{"id": "<stub@mg.fair.example>", "message": "Queued. Thank you."}'
_ANSWER = _HEAD % (len(_BODY), _BODY)
counted = [0, 0]


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.lower().index(b"content-length:") + 15
            body = await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
            counted[0] += 1
            counted[1] += _recipients(body)
            writer.write(_ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        writer.close()


def _recipients(body: bytes) -> int:
    """Addresses in the field `to`, of a form in either shape."""
    if body.startswith(b"--"):
        at = body.index(b'name="to"')
        return body[at : body.index(b"\r\n--", at)].count(b"@")
    at = body.index(b"to=") if body.startswith(b"to=") else body.index(b"&to=") + 1
    end = body.find(b"&", at)
    return body[at : end if end > 0 else len(body)].count(b"%40")


async def main() -> None:
    """Serve until the input ends."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(*counted, flush=True)
        counted[:] = 0, 0
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
