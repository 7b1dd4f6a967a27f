"""Calls and plain values between a trusted process and one that may say anything.

Two Peers on the ends of a socket. One real exchange, where the tests call the program's `add`:

  ["op", 0, "__call__", ["t", 1, 2], ["d"]]   ->
                                              <-  ["ok", 3, []]

Values travel by type: exactly None, bool, int, float, complex, str, bytes, bytearray, list, tuple,
dict, set, frozenset, deque, Counter, OrderedDict, range, dict views, Ellipsis, Fraction, Decimal,
dates, builtin types; a subclass that keeps its base's `__eq__` (defaultdict, namedtuple, IntEnum)
travels as its base. Shared and cyclic containers stay so. Everything else stays where it is, and
the other side gets an opaque proxy. Arguments changed in place by a call are changed in the caller.

JSON underneath, never pickle: the trusted side builds every object itself, out of checked parts.
What the untrusted side can do is what a function can do: answer, raise, or change its arguments.
"""

import builtins
import collections
from collections.abc import Callable
import datetime
import decimal
import fractions
import json
import re
import types
from typing import Any

from rewards.sandbox import frames

MESSAGE_BYTES = 16 << 20


class Unsupported(Exception):
  """A trusted argument that cannot be sent: an object that is neither plain nor callable."""


class Refused(BaseException):
  """A test asked a proxy for what only a plain value may answer: comparison, truth, str methods."""


class Gone(BaseException):
  """The other side has died, or sent what is not a message."""


_CONTAINERS = {
    list: "l", tuple: "t", dict: "d", set: "s", frozenset: "f", collections.deque: "q",
    collections.Counter: "C", collections.OrderedDict: "O",
}
_MAPPINGS = (dict, collections.Counter, collections.OrderedDict)
_MAKERS = {tag: kind for kind, tag in _CONTAINERS.items()}
_VIEWS = {"keys": type({}.keys()), "values": type({}.values()), "items": type({}.items())}
_DATES = {k.__name__: k for k in (datetime.date, datetime.time, datetime.datetime)}
# What a subclass may travel as, the more special first.
_BASES = (collections.Counter, collections.OrderedDict, dict, list, tuple, set, frozenset,
          collections.deque, str, int, float, complex, bytes, bytearray)
_TYPES = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)}
_EXCEPTIONS = {n: k for n, k in _TYPES.items() if issubclass(k, BaseException)}
_INT64 = 1 << 63
_CONVERT = {int: int.__int__, float: float.__float__, complex: complex.__complex__,
            str: str.__str__, bytes: bytes.__bytes__, bytearray: bytearray.copy}

# What a proxy passes on to its object besides calls. None of them hears what the tests expect;
# comparison, arithmetic and truth would, or would decide. Those are refused or do not exist.
_OPERATIONS = ("__len__", "__getitem__", "__setitem__", "__delitem__", "__iter__",
               "__next__", "__str__", "__repr__", "__enter__", "__exit__")
# Methods of plain values, which a test may call on a result with what it expects in the arguments.
_PLAIN_METHODS = {name for kind in _BASES for name in dir(kind)}


class Proxy:
  """Stands for an object of the other side.

  truthy: the object is of no class of the program. constructs: it is a class that the tests call by
  name, as in `Stack()`; what it builds is `built`: its methods are what is tested.
  """

  __slots__ = ("_peer", "_number", "_truthy", "_constructs", "_built")

  def __init__(self, peer: "Peer", number: int, truthy: bool):
    for name, value in zip(Proxy.__slots__, (peer, number, truthy, False, False)):
      object.__setattr__(self, name, value)

  def __call__(self, *arguments, **keywords):
    result = self._peer.ask("op", self._number, "__call__", arguments, keywords)
    if self._constructs and type(result) is Proxy:
      object.__setattr__(result, "_built", True)
    return result

  def __getattr__(self, name):
    if name.startswith("__") or not self._peer.trusted:
      raise AttributeError(name)
    if name in _PLAIN_METHODS and not self._built:
      self._refuse(f".{name}")
    return self._peer.ask("get", self._number, name)

  def __setattr__(self, name, value):
    self._peer.ask("set", self._number, name, value)

  def _refuse(self, what: str):
    if not self._peer.trusted:
      return NotImplemented
    self._peer.refused = True
    raise Refused(f"{what} asked of an object that is not a plain value")

  def __bool__(self):
    return True if self._truthy else self._refuse("truth")

  def __reduce_ex__(self, protocol):
    return self._refuse("a copy")

  __hash__ = object.__hash__


def _operation(name: str):
  def operate(self, *arguments, **keywords):
    return self._peer.ask("op", self._number, name, arguments, keywords)

  return operate


def _refusal(name: str):
  return lambda self, other: self._refuse(name)


for _name in _OPERATIONS:
  setattr(Proxy, _name, _operation(_name))
for _name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
  setattr(Proxy, _name, _refusal(_name))


class Peer:
  """One end of the wire.

  Args:
    stream: the descriptor of a connected socket.
    trusted: True at the end that decides. It exports nothing but callables, and lets them be called
      and nothing else; its proxies refuse to be compared.
    program: at the other end, the module whose classes are the program's own.
  """

  def __init__(self, stream: int, *, trusted: bool, program: types.ModuleType | None = None):
    self.trusted = trusted
    self.refused = False  # a proxy refused something: whatever follows in this test is void
    self.stopped = False  # a call raised StopIteration, which `map` takes for its own end
    self.gone = ""  # why the other side is no longer listened to
    self.calls = 0  # how often the other side was asked
    self.exception_types: dict[str, type] = {}  # the program's own ones, as the tests know them
    self._stream = stream
    self._program = program
    self._exports: list[Any] = []
    self._exported: dict[int, int] = {}
    self._proxies: dict[int, Proxy] = {}

  # ---- messages ----

  def send(self, message: list) -> None:
    try:
      data = json.dumps(message).encode()
    except RecursionError:
      raise Unsupported("nested too deeply") from None
    if len(data) > MESSAGE_BYTES:
      raise Unsupported(f"more than {MESSAGE_BYTES} bytes")
    try:
      frames.write_frame(self._stream, data)
    except ConnectionError:
      self._lose("it ended")

  def receive(self) -> list:
    """Raises Gone at the end of the stream or on anything but a message."""
    if self.gone:
      raise Gone(self.gone)
    try:
      data = frames.read_frame(self._stream, MESSAGE_BYTES)
      message = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
      self._lose("it wrote into its connection")
    if data is None:
      self._lose("it ended")
    if type(message) is not list or not message:
      self._lose("it wrote into its connection")
    return message

  def _lose(self, why: str):
    self.gone = why
    raise Gone(why)

  # ---- requests ----

  def ask(self, kind: str, *parts: Any) -> Any:
    """Sends a request and returns its answer, serving the other side's requests meanwhile."""
    self.calls += 1
    known = _Numbers()
    self.send([kind, *(self.encode(part, known) for part in parts)])
    while True:
      message = self.receive()
      if message[0] in ("ok", "raise"):
        try:
          return self._take(message, known)
        except StopIteration:
          self.stopped |= parts[1:2] != ("__next__",)
          raise
      self.serve(message)

  def _take(self, message: list, known: "_Numbers") -> Any:
    try:
      kind, result, changes = message
      values = list(known.containers)
      built = self.decode(result, values) if kind == "ok" else self._exception(result, values)
      for number, node in changes:
        container = known.containers[_index(number, known.containers)]
        content = _MAKERS[node[0]]()
        self._fill(content, node, values)
        _refill(container, content)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, AttributeError):
      self._lose("it wrote into its connection")
    if kind == "raise":
      raise built
    return built

  def serve(self, message: list) -> None:
    """Answers one request of the other side."""
    values: list[Any] = []
    try:
      kind, *parts = message
      parts = [self.decode(part, values) for part in parts]
      if kind == "names" and not self.trusted:
        action: Callable[[], Any] = lambda: _lookup(vars(self._program), *parts)
      elif kind in ("op", "get", "set"):
        target = self._exports[_index(parts[0], self._exports)]
        if self.trusted and (kind, parts[1]) != ("op", "__call__"):
          raise ValueError(kind)
        action = lambda: _perform(kind, target, *parts[1:])
      else:
        raise ValueError(kind)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, AttributeError):
      self._lose("it wrote into its connection")
    before = [] if self.trusted else message[1:]
    try:
      result = action()
    except (Gone, Unsupported):
      raise
    except BaseException as error:  # whatever it is, it belongs to the caller on the other side
      self._answer("raise", error, parts, values, before)
    else:
      self._answer("ok", result, parts, values, before)

  def _answer(self, kind: str, result: Any, parts: list, values: list, before: list) -> None:
    try:
      known = _Numbers(values)
      encode = self.encode if kind == "ok" else self._encode_exception
      encoded = encode(result, known)
      changes = []
      again = _Numbers()
      if values and [self.encode(part, again) for part in parts] != before:
        changes = [[n, self._items(value, type(value), known)] for n, value in enumerate(values)]
      self.send([kind, encoded, changes])
    except (RecursionError, MemoryError, Unsupported) as error:
      if self.trusted:
        raise
      self.send(["raise", [[type(error).__name__], ["t"]], []])

  # ---- values ----

  def encode(self, value: Any, known: "_Numbers") -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
      return value
    if kind is int:
      return value if -_INT64 < value < _INT64 else ["i", hex(value)]
    if kind is Proxy and value._peer is self:
      return ["own", value._number]
    if kind not in _CONTAINERS:
      kind = _plain_base(kind)
      if kind is None:
        return self._encode_other(value, type(value))
      if kind not in _CONTAINERS:
        return self.encode(_CONVERT[kind](value), known)
    if kind is not tuple and kind is not frozenset:
      number = known.number(value)
      if number is not None:
        return ["ref", number]
    return self._items(value, kind, known)

  def _items(self, value: Any, kind: type, known: "_Numbers") -> list:
    """Encodes a container by its contents, as its builtin kind holds them."""
    parts = [_CONTAINERS[kind]]
    if kind in _MAPPINGS:
      for key, item in dict.items(value):
        parts.append(self.encode(key, known))
        parts.append(self.encode(item, known))
    else:
      parts.extend([self.encode(item, known) for item in kind.__iter__(value)])
    return parts

  def _encode_other(self, value: Any, kind: type) -> Any:
    if kind is bytes or kind is bytearray:
      return ["b" if kind is bytes else "B", value.hex()]
    if kind is complex:
      return ["c", value.real, value.imag]
    if kind is range:
      return ["range", *(self.encode(n, _Numbers()) for n in (value.start, value.stop, value.step))]
    if value is Ellipsis or value is NotImplemented:
      return ["single", str(value)]
    if kind is decimal.Decimal:
      return ["decimal", str(value)]
    if kind is fractions.Fraction:
      return ["fraction", hex(value.numerator), hex(value.denominator)]
    if kind.__name__ in _DATES and kind is _DATES[kind.__name__]:
      return ["date", kind.__name__, value.isoformat()]
    if kind is datetime.timedelta:
      return ["delta", value.days, value.seconds, value.microseconds]
    if isinstance(value, type) and _TYPES.get(value.__name__) is value:
      return ["type", value.__name__]
    for name, view in _VIEWS.items():
      if kind is view:
        content = dict.fromkeys(value) if name == "keys" else list(value)
        return ["view", name, self.encode(content, _Numbers())]
    if self.trusted and not callable(value):
      raise Unsupported(f"an argument of type {kind.__name__}")
    return self._export(value, kind)

  def _export(self, value: Any, kind: type) -> list:
    number = self._exported.get(id(value))
    if number is None:
      number = self._exported[id(value)] = len(self._exports)
      self._exports.append(value)
    if isinstance(value, type) and issubclass(value, BaseException):
      return ["error", value.__name__, [c.__name__ for c in value.__mro__]]
    own = self._program is not None and kind.__module__ == self._program.__name__
    return ["proxy", number, not own]

  def decode(self, node: Any, values: list) -> Any:
    """Builds a value; containers are appended to `values` in the order of `encode`.

    Raises:
      ValueError, TypeError, LookupError, ArithmeticError, RecursionError: not a value.
    """
    if node is None or type(node) in (bool, int, float, str):
      return node
    if type(node) is not list or not node or type(node[0]) is not str:
      raise ValueError("not a value")
    tag = node[0]
    maker = _MAKERS.get(tag)
    if maker is None:
      return self._decode_other(tag, node[1:], values)
    if maker is tuple or maker is frozenset:
      return maker(self.decode(node[n], values) for n in range(1, len(node)))
    value = maker()
    values.append(value)
    self._fill(value, node, values)
    return value

  def _fill(self, container: Any, node: list, values: list) -> None:
    if isinstance(container, dict):
      for n in range(1, len(node), 2):
        key = self.decode(node[n], values)
        container[key] = self.decode(node[n + 1], values)
    else:
      add = container.add if isinstance(container, set) else container.append
      for n in range(1, len(node)):
        add(self.decode(node[n], values))

  def _decode_other(self, tag: str, parts: list, values: list) -> Any:
    if tag == "ref":
      return values[_index(parts[0], values)]
    if tag == "own":
      return self._exports[_index(parts[0], self._exports)]
    if tag == "proxy":
      return self._proxy(*parts)
    if tag == "error":
      return self.exception_types.setdefault(_text(parts[0]), _exception_type(*parts))
    if tag == "i":
      return int(_text(parts[0]), 16)
    if tag in ("b", "B"):
      return (bytes if tag == "b" else bytearray).fromhex(_text(parts[0]))
    if tag == "c":
      return complex(float(parts[0]), float(parts[1]))
    if tag == "range":
      return range(*(self.decode(part, values) for part in parts))
    if tag == "single":
      return {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}[parts[0]]
    if tag == "decimal":
      return decimal.Decimal(_text(parts[0]))
    if tag == "fraction":
      return fractions.Fraction(int(_text(parts[0]), 16), int(_text(parts[1]), 16))
    if tag == "date":
      return _DATES[parts[0]].fromisoformat(_text(parts[1]))
    if tag == "delta":
      return datetime.timedelta(*parts)
    if tag == "type":
      return _TYPES[parts[0]]
    if tag == "view":
      content = self.decode(parts[1], [])
      if parts[0] == "keys":
        return content.keys()
      return dict(enumerate(content)).values() if parts[0] == "values" else dict(content).items()
    raise ValueError(tag)

  def _proxy(self, number: int, truthy: bool) -> Proxy:
    if type(number) is not int:
      raise ValueError("not a proxy")
    if number not in self._proxies:
      self._proxies[number] = Proxy(self, number, truthy is True or not self.trusted)
    return self._proxies[number]

  # ---- exceptions: the class by name, the arguments by value ----

  def _encode_exception(self, error: BaseException, known: "_Numbers") -> list:
    names = [kind.__name__ for kind in type(error).__mro__]
    try:
      arguments = self.encode(tuple(error.args), _Numbers())
    except (Unsupported, RecursionError):
      arguments = ["t"]
    return [names, arguments]

  def _exception(self, node: list, values: list) -> BaseException:
    names, arguments = node
    kind = self.exception_types.get(names[0]) or _exception_type(names[0], names)
    error = kind.__new__(kind)
    error.args = self.decode(arguments, [])
    error.from_program = True  # a SystemExit of the program is not one of the tests
    return error


class _Numbers:
  """Numbers the mutable containers of one message, in the order in which they are met."""

  def __init__(self, values: list | None = None):
    self.containers: list[Any] = list(values or ())
    self._numbers = {id(value): n for n, value in enumerate(self.containers)}

  def number(self, value: Any) -> int | None:
    """Returns the number of a container met before; None, and a new number, on the first time."""
    number = self._numbers.get(id(value))
    if number is None:
      self._numbers[id(value)] = len(self.containers)
      self.containers.append(value)
    return number


def _lookup(namespace: dict, names: list) -> list:
  return [(name, namespace[name]) for name in names if name in namespace]


def _perform(kind: str, target: Any, name: str, *rest: Any) -> Any:
  if kind == "get":
    return getattr(target, name)
  if kind == "set":
    return setattr(target, name, *rest)
  arguments, keywords = rest
  if name == "__call__":
    return target(*arguments, **keywords)
  if name not in _OPERATIONS:
    raise ValueError(name)
  method = getattr(type(target), name, None)
  if method is None:
    raise TypeError(f"{type(target).__name__!r} object has no {name}")
  return method(target, *arguments, **keywords)


def _plain_base(kind: type) -> type | None:
  """Returns the builtin as which a subclass may travel: one whose equality it did not change."""
  for base in _BASES:
    if issubclass(kind, base):
      return base if kind is not base and kind.__eq__ is base.__eq__ else None
  return None


def _refill(container: Any, content: Any) -> None:
  if not isinstance(container, type(content)):
    raise ValueError("a container cannot change its type")
  container.clear()
  if isinstance(container, (list, collections.deque)):
    container.extend(content)
  else:
    container.update(content)


def _index(number: Any, sequence: list) -> int:
  if type(number) is not int or not 0 <= number < len(sequence):
    raise ValueError("no such number")
  return number


def _text(value: Any) -> str:
  if type(value) is not str:
    raise ValueError("not a text")
  return value


def _exception_type(name: Any, bases: Any) -> type:
  """Returns the builtin exception class `name`, or a new one under its nearest builtin base."""
  if not re.fullmatch(r"\w{1,100}", _text(name)) or type(bases) is not list:
    raise ValueError("not an exception")
  if name in _EXCEPTIONS:
    return _EXCEPTIONS[name]
  base = next((_EXCEPTIONS[b] for b in bases if type(b) is str and b in _EXCEPTIONS), Exception)
  return type(name, (base,), {})
