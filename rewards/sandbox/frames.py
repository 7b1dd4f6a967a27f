"""Messages over a pipe or socket: four bytes of length, then the bytes.

  write_frame(4, b"ready")  ->  00 00 00 05 r e a d y
"""

import os
import select
import struct
import time


def write_frame(descriptor: int, data: bytes) -> None:
  """Writes one message to a pipe or socket: its length, then the bytes."""
  view = memoryview(struct.pack(">I", len(data)) + data)
  while view:
    view = view[os.write(descriptor, view):]


def read_frame(
    descriptor: int, most: int = 1 << 30, timeout_seconds: float | None = None
) -> bytes | None:
  """Returns the next message; None at the end of the stream, or after a time.

  Raises:
    ValueError: it says that it is longer than `most` bytes.
  """
  deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
  head = _read_bytes(descriptor, 4, deadline)
  if head is None:
    return None
  size = struct.unpack(">I", head)[0]
  if size > most:
    raise ValueError(f"a message of {size} bytes, and at most {most} are read")
  return _read_bytes(descriptor, size, deadline)


def _read_bytes(descriptor: int, size: int, deadline: float | None) -> bytes | None:
  parts = []
  while size:
    if deadline is not None:
      poll = select.poll()
      poll.register(descriptor, select.POLLIN)
      if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        return None
    try:
      part = os.read(descriptor, min(size, 1 << 20))
    except ConnectionError:
      return None
    if not part:
      return None
    parts.append(part)
    size -= len(part)
  return b"".join(parts)
