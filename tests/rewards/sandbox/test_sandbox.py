"""The sandbox: honest programs are judged as Python would; each attack gains and harms nothing."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from rewards import sandbox
from rewards.errors import ConfigError
from rewards.errors import Exhausted
from rewards.sandbox import isolation
from rewards.sandbox import testing

AT_REST = (2, 3)  # keeper, fork server, and the judge if it can go on
SQUARE = ["assert f(2) == 4", "assert f(3) == 9"]


@pytest.fixture(scope="module")
def box():
  box = sandbox.Sandbox()
  yield box
  box.close()


def run(box, program, tests=SQUARE, **options):
  return box.run(textwrap.dedent(program), tests, **{"cpu_seconds": 1, **options})


def supervisor(box):
  box.layers()
  return box._process.pid


def processes_below(pid):
  """Returns the command lines of all processes below one, by pid."""
  parents = {}
  for entry in pathlib.Path("/proc").iterdir():
    if entry.name.isdigit():
      try:
        parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
      except OSError:
        continue
  found, waiting = [], [pid]
  while waiting:
    parent = waiting.pop()
    children = [child for child, its in parents.items() if its == parent]
    found += children
    waiting += children
  return found


linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs Linux's /proc and kernel layers"
)


# ---- honest programs ----


@pytest.mark.parametrize(
    "program, test",
    [
        ("def f(x): return x + 1", "assert f(1) == 2"),
        ("def f(): return True", "assert f() == 1"),
        ("def f(): return 1", "assert f() is not True and f() == True"),
        ("def f(): return 0.1 + 0.2", "assert f() != 0.3 and abs(f() - 0.3) < 1e-9"),
        ("def f(): return 0.1 + 0.2", "import math\nassert math.isclose(f(), 0.3)"),
        ("def f(): return 0.1 + 0.2", "assert math.isclose(f(), 0.3)"),
        ("def f(): return 3 ** 5000", "assert f() == 3 ** 5000"),
        ("def f(): return -3 ** 50", "assert f() == -3 ** 50"),
        ("def f(): return float('inf'), -0.0", "assert f() == (float('inf'), 0.0)"),
        ("def f(): return float('nan')", "x = f()\nassert x != x"),
        ("def f(): return complex(1, -2)", "assert f() == 1 - 2j"),
        ("def f(): return b'a\\x00', bytearray(b'b')", "assert f() == (b'a\\x00', b'b')"),
        ("def f(): return {1: [2], 'a': {3, 4}}", "assert f() == {1: [2], 'a': {4, 3}}"),
        ("def f(): return {frozenset({1}): None}", "assert f() == {frozenset({1}): None}"),
        ("def f(): return ((1, (2, ())), ...)", "assert f() == ((1, (2, ())), Ellipsis)"),
        (
            "def f(): return [1, 2], (1, 2)",
            r"""
                a, b = f()
                assert type(a) is list and type(b) is tuple and a != b
            """,
        ),
        (
            r"""
                from collections import Counter
                def f(s): return Counter(s)
            """,
            "assert f('aab') == {'a': 2, 'b': 1}",
        ),
        (
            "from collections import defaultdict\ndef f():\n  d = defaultdict(list)\n  d[1].append(2)\n  return d",
            "assert f() == {1: [2]}",
        ),
        (
            "from collections import OrderedDict\ndef f(): return OrderedDict([(1, 2), (3, 4)])",
            "from collections import OrderedDict\nassert f() == {3: 4, 1: 2} and f() != OrderedDict([(3, 4), (1, 2)])",
        ),
        (
            "from collections import deque\ndef f(): return deque([1, 2])",
            "from collections import deque\nassert f() == deque([1, 2]) and f() != [1, 2]",
        ),
        (
            "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f(): return P(1, 2)",
            "assert f() == (1, 2)",
        ),
        (
            r"""
                import enum
                class C(enum.IntEnum):
                  RED = 3
                def f(): return C.RED
            """,
            "assert f() == 3",
        ),
        ("from fractions import Fraction\ndef f(): return Fraction(1, 3)", "assert f() * 3 == 1"),
        ("from decimal import Decimal\ndef f(): return Decimal('0.5')", "assert f() == 0.5"),
        (
            "import datetime\ndef f(): return datetime.date(2024, 2, 29) + datetime.timedelta(1)",
            "import datetime\nassert f() == datetime.date(2024, 3, 1)",
        ),
        (
            "def f(): return range(3), {1: 2}.keys()",
            r"""
                a, b = f()
                assert list(a) == [0, 1, 2] and b == {1}
            """,
        ),
        ("def f(n):\n  yield from range(n)", "assert list(f(3)) == [0, 1, 2] and sum(f(3)) == 3"),
        ("def f(x): return map(str, x)", "assert list(f([1, 2])) == ['1', '2']"),
        (
            r"""
                def f():
                  n = 0
                  while True:
                    yield n
                    n += 1
            """,
            r"""
                import itertools
                assert list(itertools.islice(f(), 3)) == [0, 1, 2]
            """,
        ),
        ("def f(x): return lambda y: x + y", "assert f(1)(2) == 3"),
        ("import re\ndef f(s): return re.match('a', s)", "assert f('abc') and not f('xbc')"),
        (
            "def f(xs): xs.sort(); xs[0].append(0)",
            r"""
                a = [[2], [1]]
                f(a)
                assert a == [[1, 0], [2]]
            """,
        ),
        ("def f(d): d['b'] = d.pop('a')", "d = {'a': 1}\nf(d)\nassert d == {'b': 1}"),
        (
            "def f(rows): rows[0][0] = 1",
            r"""
                rows = [[0]] * 2
                f(rows)
                assert rows == [[1], [1]] and rows[0] is rows[1]
            """,
        ),
        ("def f(x): return x", "a = [1]\nassert f(a) is a"),
        ("def f(): a = []; a.append(a); return a", "a = f()\nassert a[0] is a"),
        ("def f(g, xs): return [g(x) for x in xs]", "assert f(lambda x: x * 2, [1, 2]) == [2, 4]"),
        ("def f(xs, key): return max(xs, key=key)", "assert f(['a', 'bb'], key=len) == 'bb'"),
        (
            "def f(xs, kind): return [x for x in xs if isinstance(x, kind)]",
            "assert f([1, 'a'], int) == [1]",
        ),
        ("def f(s): return s[::-1]", "assert f('a\\ud800\\0') == '\\0\\ud800a'"),
        ("VALUE = 3\ndef f(): return VALUE", "assert VALUE == f()"),
        ("def sum(a, b): return a * b", "assert sum(2, 3) == 6"),
        (
            r"""
                import sys
                sys.setrecursionlimit(10000)
                def f(n): return 0 if n == 0 else 1 + f(n - 1)
            """,
            "assert f(5000) == 5000",
        ),
        (
            r"""
                def f(): print('x' * 100); return 1
                if __name__ == '__main__':
                  input()
            """,
            "assert f() == 1",
        ),
        (
            r"""
                from __future__ import annotations
                import dataclasses
                @dataclasses.dataclass
                class P:
                  x: int
                def f(): return P(3).x
            """,
            "assert f() == 3",
        ),
        (
            r"""
                import threading
                def f():
                  r = []
                  t = threading.Thread(target=r.append, args=(1,))
                  t.start(); t.join()
                  return r
            """,
            "assert f() == [1]",
        ),
        (
            r"""
                def f():
                  with open('note', 'w') as n: n.write('hi')
                  return open('note').read()
            """,
            "assert f() == 'hi'",
        ),
        (
            r"""
                import hashlib, statistics, zoneinfo, sqlite3, asyncio
                def f(): return hashlib.md5(b'').hexdigest()[:4]
            """,
            "assert f() == 'd41d'",
        ),
        (
            r"""
                import asyncio
                async def g(): return 3
                def f(): return asyncio.run(g())
            """,
            "assert f() == 3",
        ),
        ("import time\ndef f(): time.sleep(0.2); return 1", "assert f() == 1"),
    ],
)
def test_an_honest_program_is_judged_as_python_would_judge_it(box, program, test):
  if "open(" in program and "files" not in box.layers():
    pytest.skip("this machine allows no private file system, so programs may write nothing")
  report = run(box, program, [textwrap.dedent(test)])
  assert report.passed == (True,), report
  assert report.cause == ""


@pytest.mark.parametrize(
    "program, test",
    [
        ("def f(x): return x + 2", "assert f(1) == 2"),
        ("def f(x): return '2'", "assert f(1) == 2"),
        ("def f(x): return (2,)", "assert f(1) == [2]"),
        ("def f(n):\n  yield from range(n)", "assert f(3) == [0, 1, 2]"),
        ("def g(x): return x", "assert f(1) == 1"),
        ("def f(x): return x.missing", "assert f(1) == 1"),
        ("def f(x): return x\nf = None", "assert f(1) == 1"),
    ],
)
def test_a_wrong_program_fails(box, program, test):
  assert run(box, program, [test]).passed == (False,)


def test_tests_are_counted_one_by_one(box):
  tests = [*SQUARE, "assert f(-2) == 4"]
  report = run(box, "def f(x): return 4", tests)
  assert report.passed == (True, False, True)
  assert report.cause == ""
  assert report.reason == "test 2 failed: assert f(3) == 9"


def test_objects_of_the_program_s_classes_can_be_built_changed_and_passed_back(box):
  program = """
      class Node:
        def __init__(self, value): self.value, self.left = value, None
      def depth(node): return 0 if node is None else 1 + depth(node.left)
      def leftmost(node): return node if node.left is None else leftmost(node.left)
  """
  setup = "root = Node(1)\nroot.left = Node(2)\n"
  tests = [
      "assert depth(root) == 2",
      "assert leftmost(root).value == 2",
      "assert leftmost(root) is root.left",
  ]
  assert run(box, program, tests, setup=setup).passed == (True, True, True)


def test_a_class_is_tested_through_its_methods(box):
  program = """
      class Stack:
        def __init__(self): self.items = []
        def push(self, x): self.items.append(x)
        def pop(self): return self.items.pop()
        def __len__(self): return len(self.items)
  """
  test = """
      s = Stack()
      s.push(1)
      s.push([2])
      assert s.pop() == [2] and len(s) == 1 and s.items == [1]
  """
  assert run(box, program, [textwrap.dedent(test)]).passed == (True,)


def test_exceptions_cross_by_their_class_and_arguments(box):
  program = """
      class Empty(ValueError): pass
      def f(x):
        if x == 0: raise ZeroDivisionError("zero")
        if x == 1: raise Empty("one", 1)
        return {}[x]
  """
  test = """
      cases = (0, ZeroDivisionError, ("zero",)), (1, Empty, ("one", 1)), (2, KeyError, (2,))
      for argument, kind, arguments in cases:
        try:
          f(argument)
        except kind as error:
          assert error.args == arguments
        else:
          assert False
      try:
        f(1)
      except ValueError:
        pass
  """
  report = run(box, program, [textwrap.dedent(test)])
  assert report.passed == (True,), report


def test_whole_test_programs_run(box):
  program = "def add(a, b): return a + b"
  humaneval = """
      def check(candidate):
        assert candidate(1, 2) == 3
        assert candidate(0, 0) == 0
      check(add)
  """
  unit = """
      import unittest
      class Test(unittest.TestCase):
        def test_add(self):
          self.assertEqual(add(1, 2), 3)
          with self.assertRaises(TypeError):
            add(1, "a")
      unittest.main()
  """
  tests = [textwrap.dedent(humaneval), textwrap.dedent(unit)]
  assert run(box, program, tests).passed == (True, True)
  assert run(box, "def add(a, b): return 3", tests).passed == (False, False)


def test_the_first_reading_that_compiles_is_run(box):
  report = box.run(["This is prose.", "def f(x): return x * x", "def f(x): return 0"], SQUARE)
  assert report.passed == (True, True)


def test_hash_order_and_random_numbers_are_the_same_in_every_run(box):
  program = "import random\ndef f(): return [str(random.random()), *set('abcdefgh')]"
  seen = set()
  for _ in range(2):
    other = sandbox.Sandbox()
    # The test fails and shows what it got: nothing else tells from outside.
    report = run(other, program, ["raise ValueError(''.join(f()))"])
    seen.add(report.reason)
    other.close()
  assert len(seen) == 1 and "ValueError: 0." in seen.pop()


def test_tests_that_do_not_parse_or_never_use_the_program_judge_nothing(box):
  assert "test 2 is not Python" in run(box, "x = 1", ["assert True", "assert ("]).unscorable
  for test in ("assert 1 == 1", "def check(candidate): assert candidate(1)", "# nothing"):
    report = run(box, "def f(x): return x", [test])
    assert "never use the program" in report.unscorable
    assert report.passed == (False,)


def test_an_argument_that_cannot_cross_is_not_held_against_the_program(box):
  test = "class Own: pass\nassert f(Own()) == 1"
  assert "cannot be run across processes" in run(box, "def f(x): return 1", [test]).unscorable


def test_what_is_not_python_is_named():
  testing.prepare(("assert f(1) == 2",), "import math", "")
  with pytest.raises(ValueError, match="^test 2 is not Python"):
    testing.prepare(("assert f(1) == 2", "assert f(1 =="), "", "")
  with pytest.raises(ValueError, match="^setup is not Python"):
    testing.prepare((), "import", "")


# ---- attacks ----

FORGED = """
    class Forged{base}:
      def __eq__(self, other): return True
      def __ne__(self, other): return False
      def __bool__(self): return True
      def __lt__(self, other): return True
      __le__ = __gt__ = __ge__ = __lt__
      def __hash__(self): return 0
      def __len__(self): return 4
      def __sub__(self, other): return 0
      def __rsub__(self, other): return 0
      def __float__(self): return 4.0
      def __contains__(self, other): return True
      def __instancecheck__(self, other): return True
      @property
      def __class__(self): return int
      def startswith(self, prefix): return True
      def isdigit(self): return True
      def equals(self, other): return True
"""

HOSTILE = {
    "sys_exit": "import sys\nsys.exit(0)",
    "sys_exit_in_the_function": "import sys\ndef f(x): sys.exit(0)",
    "os_exit": "import os\nos._exit(0)",
    "os_exit_in_the_function": "import os\ndef f(x): os._exit(0)",
    "raise_system_exit": "def f(x): raise SystemExit",
    "infinite_loop": "while True: pass",
    "infinite_loop_in_the_function": "def f(x):\n  while True: pass",
    "infinite_recursion": "def f(x): return f(x)",
    "infinite_recursion_without_a_limit": r"""
        import sys
        sys.setrecursionlimit(10**9)
        def f(x): return f(x)
    """,
    "c_stack_overflow": r"""
        import sys
        sys.setrecursionlimit(10**9)
        def f(x):
          for _ in range(10**6): x = [x]
          return repr(x)
    """,
    "segmentation_fault": "import ctypes\ndef f(x): return ctypes.string_at(0)",
    "memory_bomb": "def f(x): return len('x' * 10**10)",
    "memory_bomb_in_small_pieces": r"""
        def f(x):
          a = []
          while True: a.append('x' * 10**6)
    """,
    "memory_bomb_swallowed": r"""
        def f(x):
          a = []
          while True:
            try: a.append('x' * 10**6)
            except MemoryError: pass
    """,
    "exponent_bomb": "def f(x): return 9 ** 9 ** 9",
    "fork_bomb": "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    "daemon_grandchild": r"""
        import os, time
        def f(x):
          if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
              time.sleep(1000)
            os._exit(0)
          return 0
    """,
    "subprocess": r"""
        import subprocess
        def f(x): return int(subprocess.check_output(['echo', str(x * x)]))
    """,
    "os_system": "import os\ndef f(x): return os.system('sleep 1000 &') or x * x - 1",
    "exec_another_interpreter": r"""
        import os, sys
        def f(x): os.execv(sys.executable, [sys.executable, '-c', 'pass'])
    """,
    "multiprocessing": r"""
        import multiprocessing
        def f(x): return multiprocessing.Pool(2).map(abs, [x * x])[0]
    """,
    "thread_left_running": r"""
        import threading
        def g():
          while True: pass
        threading.Thread(target=g).start()
        def f(x): return 0
    """,
    "thread_bomb": r"""
        import threading, time
        def f(x):
          while True: threading.Thread(target=time.sleep, args=(1000,)).start()
    """,
    "printed_verdict": r"""
        print('{"passed": [true, true]}', flush=True)
        def f(x): return None
    """,
    "printed_flood": "def f(x):\n  while True: print('x' * 10**6)",
    "write_to_all_descriptors": r"""
        import os
        for n in range(100):
          try: os.write(n, b'{"passed": [true, true], "gone": false}')
          except OSError: pass
        def f(x): return None
    """,
    "garbage_to_all_descriptors": r"""
        import os
        def f(x):
          for n in range(100):
            try: os.write(n, b'\xff' * 4096)
            except OSError: pass
    """,
    "forged_messages": r"""
        import os, json, struct
        def f(x):
          for m in (['ok', True, []], ['ok', ['own', 0], []], ['op', 0, '__call__', ['t'], ['d']]):
            d = json.dumps(m).encode()
            os.write(3, struct.pack('>I', len(d)) + d)
    """,
    "forged_attribute_request": r"""
        import os, json, struct
        def f(x):
          d = json.dumps(['get', 0, '__globals__']).encode()
          os.write(3, struct.pack('>I', len(d)) + d)
          os.read(3, 4096)
    """,
    "message_of_four_gigabytes": r"""
        import os
        def f(x): os.write(3, b'\xff\xff\xff\xff')
    """,
    "closed_descriptors": "import os\ndef f(x): os.closerange(0, 100)",
    "forged_equality": FORGED.format(base="") + "\n    def f(x): return Forged()",
    "forged_equality_in_a_list": FORGED.format(base="") + "\n    def f(x): return [Forged()]",
    "forged_class_with_the_function_s_name": (
        FORGED.format(base="").replace("Forged", "f") + "\n      def __init__(self, x): pass"
    ),
    "int_subclass": FORGED.format(base="(int)") + "\n    def f(x): return Forged(0)",
    "str_subclass": FORGED.format(base="(str)") + "\n    def f(x): return Forged('')",
    "list_subclass": FORGED.format(base="(list)") + "\n    def f(x): return Forged()",
    "dict_subclass": FORGED.format(base="(dict)") + "\n    def f(x): return Forged()",
    "float_subclass": FORGED.format(base="(float)") + "\n    def f(x): return Forged()",
    "forged_metaclass": r"""
        class Meta(type):
          def __eq__(cls, other): return True
          def __instancecheck__(cls, o): return True
          __hash__ = type.__hash__
        class A(metaclass=Meta): pass
        def f(x): return A
    """,
    "mock": "from unittest import mock\ndef f(x): return mock.ANY",
    "magic_mock": "from unittest import mock\nf = mock.MagicMock()",
    "hostile_repr": r"""
        class A:
          def __repr__(self):
            while True: pass
          __str__ = __repr__
        def f(x): return A()
    """,
    "hostile_exception": r"""
        class E(Exception):
          def __str__(self): raise self
          __repr__ = __str__
          @property
          def args(self): raise self
        def f(x): raise E
    """,
    "raised_assertion_error": "def f(x): raise AssertionError",
    "raised_forged_success": "import unittest\ndef f(x): raise unittest.SkipTest",
    "patched_builtins": r"""
        import builtins
        builtins.AssertionError = type('A', (Exception,), {})
        builtins.exec = builtins.compile = builtins.isinstance = builtins.len = lambda *a: True
        def f(x): return None
    """,
    "patched_codec": r"""
        import json, struct, os
        json.dumps = lambda *a, **k: '["ok", true, []]'
        json.loads = lambda *a: ['ok', True, []]
        struct.pack = lambda *a: b''
        def f(x): return None
    """,
    "patched_runner": r"""
        import sys
        for m in list(sys.modules.values()):
          for n in ('verdict', '_attempt', 'serve', '_answer', 'run', 'passed'):
            if hasattr(m, n): setattr(m, n, lambda *a, **k: {'passed': [True, True], 'gone': False})
          if hasattr(m, 'Peer'):
            m.Peer.encode = lambda *a: True
        def f(x): return None
    """,
    "tracing": r"""
        import sys
        def t(frame, event, arg):
          for n in list(frame.f_locals): frame.f_locals[n] = True
          return t
        sys.settrace(t)
        def f(x):
          frame = sys._getframe()
          while frame:
            frame.f_trace = t
            for v in list(frame.f_locals.values()):
              if isinstance(v, str) and '==' in v: return eval(v.split('==')[1])
            frame = frame.f_back
    """,
    "expected_values_from_frames_and_gc": r"""
        import gc, sys, re
        def f(x):
          found = []
          frame = sys._getframe()
          while frame:
            found += [*frame.f_locals.values(), *frame.f_globals.values()]
            frame = frame.f_back
          found += gc.get_objects()
          for o in found:
            try: m = re.search(r'assert f\(%d\) == (\d+)' % x, str(o)[:10**5])
            except BaseException: continue
            if m: return int(m[1])
    """,
    "expected_values_from_memory": r"""
        import re
        def f(x):
          import ctypes
          for line in open('/proc/self/maps'):
            a, b = (int(n, 16) for n in line.split()[0].split('-'))
            if 'r' in line.split()[1]:
              m = re.search(rb'assert f\(%d\) == (\d+)' % x, ctypes.string_at(a, b - a))
              if m: return int(m[1])
    """,
    "expected_values_from_the_parent": r"""
        import os, re
        def f(x):
          for pid in {os.getppid(), *(int(p) for p in os.listdir('/proc') if p.isdigit())}:
            for name in ('cmdline', 'environ', 'mem', 'fd/0', 'fd/3', 'fd/4', 'fd/5'):
              try: content = open(f'/proc/{pid}/{name}', 'rb').read(10**6)
              except OSError: continue
              m = re.search(rb'assert f\(%d\) == (\d+)' % x, content)
              if m: return int(m[1])
    """,
    "expected_values_from_arguments": r"""
        import sys, os
        def f(x):
          words = [*sys.argv, *sys.orig_argv, *os.environ.values()]
          return eval(' '.join(words).split(f'f({x}) ==')[1])
    """,
    "expected_values_from_files": f"""
        def f(x):
          text = open({str(pathlib.Path(__file__))!r}).read()
          return eval(text.split(f'assert f({{x}}) == ')[1].split(chr(34))[0])
    """,
    "ptrace": r"""
        import ctypes, os
        def f(x):
          libc = ctypes.CDLL(None)
          return [libc.ptrace(16, os.getppid(), 0, 0), libc.ptrace(0, 0, 0, 0)]
    """,
    "huge_return_value": "def f(x): return 'x' * (100 << 20)",
    "huge_list": "def f(x): return [None] * (10 << 20)",
    "huge_integer": "def f(x): return 1 << (1 << 28)",
    "deep_return_value": "def f(x):\n  for _ in range(10**5): x = [x]\n  return x",
    "deep_tuple": r"""
        import sys
        sys.setrecursionlimit(10**6)
        def f(x):
          for _ in range(20000): x = (x,)
          return x
    """,
    "endless_iterator": "import itertools\ndef f(x): return itertools.count()",
    "endless_exception_chain": "def f(x):\n  try: f(x)\n  finally: f(x)",
    "sleep": "import time\ndef f(x): time.sleep(10**6)",
    "sleep_in_small_pieces": "import time\ndef f(x):\n  while True: time.sleep(0.01)",
    "wait_for_itself": "import threading\ndef f(x): threading.Event().wait()",
    "read_the_connection": "import os\ndef f(x):\n  while True: os.read(3, 1)",
    "standard_input": "import sys\ndef f(x): return int(sys.stdin.read())",
    "ignored_signals": r"""
        import signal
        for n in range(1, 65):
          try: signal.signal(n, signal.SIG_IGN)
          except (OSError, ValueError): pass
        def f(x):
          while True: pass
    """,
    "kill_the_parent": "import os\ndef f(x):\n  os.kill(os.getppid(), 9)\n  return 0",
    "kill_everyone": r"""
        import os
        def f(x):
          for target in (-1, 0, 1, -os.getppid(), os.getpgid(0)):
            try: os.kill(target, 9)
            except OSError: pass
    """,
    "kill_itself": "import os, signal\ndef f(x): os.kill(os.getpid(), 9)",
    "stop_itself": r"""
        import os, signal
        def f(x):
          signal.raise_signal(signal.SIGSTOP)
          import time; time.sleep(10**6)
    """,
    "fill_the_disk": r"""
        import os
        n = 0
        while n < 10000:
          n += 1
          for d in ('.', '/tmp', '/dev/shm', '/var/tmp'):
            try: open(f'{d}/fill{n}', 'wb').write(b'x' * (1 << 20))
            except OSError: pass
        def f(x): return 0
    """,
    "sockets": r"""
        import socket
        def f(x):
          s = socket.socket()
          s.bind(('127.0.0.1', 0)); s.listen()
          return 0
    """,
    "url": r"""
        import urllib.request
        def f(x): return int(urllib.request.urlopen('http://127.0.0.1:9/').read())
    """,
    "raised_limits": r"""
        import resource
        for r in range(16):
          for v in ((-1, -1), (1 << 40, 1 << 40)):
            try: resource.setrlimit(r, v)
            except (OSError, ValueError): pass
        def f(x):
          a = []
          while True: a.append('x' * 10**7)
    """,
    "tampering_import": r"""
        import sys
        sys.path += ['/work', '.', '..']
        import rewards
        import rewards.scorer
        rewards.scorer.Scorer.score = lambda *a: 1.0
        def f(x): return None
    """,
    "at_exit": r"""
        import atexit, os
        atexit.register(lambda: os.write(3, b'{"passed": [true, true]}'))
        def f(x): return None
    """,
    "finalizer": r"""
        class A:
          def __del__(self):
            while True: pass
        A()
        def f(x): return None
    """,
    "finalizer_of_the_result": r"""
        import os
        class A:
          def __del__(self): os._exit(0)
        def f(x): return A()
    """,
    "answers_by_call_count": r"""
        calls = 0
        def f(x):
          global calls
          calls += 1
          return [None, True, 1][calls]
    """,
    "nul_byte": "def f(x): return x * x\n\0",
    "lone_surrogate": "def f(x): return x * x\n'\ud800'",
    "source_of_a_megabyte": "x = 1\n" * 180_000 + "def f(x): return x * x",
    "deep_source": "x = " + "(" * 90_000 + ")" * 90_000 + "\ndef f(x): return x * x",
    "deep_unary_source": "x = " + "-" * 150_000 + "1\ndef f(x): return 0",
    "wide_source": "x = 1" + " + 1" * 40_000 + "\ndef f(x): return 0",
    "warning_flood": (
        "import warnings\nwarnings.simplefilter('always')\n" + "1 is 1\n" * 10_000
        + "def f(x):\n  while True: warnings.warn('x' * 1000)"
    ),
    "decoding_declaration": "# -*- coding: utf-7 -*-\ndef f(x): return None",
    "star_import_of_everything": "from os import *\nfrom sys import *\n_exit(0)",
    "garbage": "\x00\x01\x02 {}[]()",
    "nothing": "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_attack(box, name, tmp_path):
  """Each attack passes no test; the sandbox, the machine and the next program do not notice."""
  before = set(os.listdir("/tmp")), {p: os.stat(p).st_mtime for p in (
            "/dev/shm",
            "/var/tmp",
        ) if os.path.isdir(p)}
  pid, mine = supervisor(box), os.getpid()
  started = time.monotonic()
  report = run(box, HOSTILE[name], memory_mb=256)
  assert not any(report.passed), report
  assert not report.unscorable
  assert time.monotonic() - started < 120
  assert supervisor(box) == pid and os.getpid() == mine
  if sys.platform.startswith("linux"):
    assert len(processes_below(pid)) in AT_REST
  left = {n for n in set(os.listdir("/tmp")) - before[0] if n.startswith(("fill", "sandbox"))}
  assert not left
  assert run(box, "def f(x): return x * x").passed == (True, True)


@pytest.mark.parametrize(
    "name, cause",
    [
        ("infinite_loop", "timeout"), ("ignored_signals", "timeout"), ("sleep", "timeout"),
        ("sleep_in_small_pieces", "timeout"), ("memory_bomb", "memory"), ("nul_byte", "syntax"),
        ("garbage", "syntax"), ("os_exit", "crash"), ("infinite_recursion", "crash"),
        ("segmentation_fault", "crash"), ("forged_equality", ""), ("kill_itself", "crash"),
    ],
)
def test_the_cause_is_reported(box, name, cause):
  assert run(box, HOSTILE[name]).cause == cause


@pytest.mark.parametrize(
    "test",
    [
        "assert f(1)",
        "assert not f(1)",
        "assert f(1) != 3",
        "assert not f(1) == 3",
        "assert f(1) in [1, 2]",
        "assert 3 in f(1)",
        "assert f(1) > 2",
        "assert abs(f(1) - 3.5) < 1e-6",
        "assert f(1).startswith('ab')",
        "assert f(1).isdigit()",
        "import math\nassert math.isclose(f(1), 3)",
        "assert isinstance(f(1), int)",
        "assert max(f(1), 7) == 7",
        "try:\n  f(1) == 3\nexcept BaseException:\n  pass",
        "import unittest\nclass T(unittest.TestCase):\n  def test(self): self.assertNotEqual(f(1), 3)\nunittest.main()",
    ],
)
@pytest.mark.parametrize("base", ["", "(int)", "(str)", "(list)"])
def test_an_object_that_claims_everything_satisfies_no_test(box, test, base):
  program = FORGED.format(base=base) + "\n    def f(x): return Forged()"
  assert run(box, program, [test]).passed == (False,)


@pytest.mark.parametrize(
    "program",
    [
        "def set(x): return 0\ndef f(x): return 0",
        "def f(x): return 0\nisinstance = abs = len = lambda *a: 0",
        "class math:\n  isclose = staticmethod(lambda *a: True)\ndef f(x): return 0",
    ],
)
def test_names_that_the_tests_bring_are_not_the_program_s_to_define(box, program):
  tests = [
      "assert set(f(1)) == set([1])",
      "assert len([f(1)]) == 1 and f(1) == 1",
      "assert math.isclose(f(1), 1)",
  ]
  assert run(box, program, tests).passed == (False, False, False)


def test_a_death_is_not_the_exception_that_a_test_expects(box):
  test = "try:\n  f(1)\nexcept BaseException:\n  pass\nelse:\n  assert False"
  assert run(box, "def f(x): raise ValueError", [test]).passed == (True,)
  assert run(box, "import os\ndef f(x): os._exit(0)", [test]).passed == (False,)


def test_a_program_cannot_end_the_tests_as_they_may_end_themselves(box):
  test = "assert f(2) == 4\nimport sys\nsys.exit()"
  assert run(box, "def f(x): return 4", [test]).passed == (True,)
  assert run(box, "import sys\ndef f(x): sys.exit()", ["f(2)"]).passed == (False,)


def test_what_a_program_wrote_is_gone_for_the_next(box):
  if "files" not in box.layers():
    pytest.skip("this machine allows no private file system, so programs may write nothing")
  program = """
      import os
      open('left', 'w').close()
      os.mkdir('folder')
      def f(): return sorted(os.listdir('.'))
  """
  for _ in range(2):
    assert run(box, program, ["assert f() == ['folder', 'left']"]).passed == (True,)


@linux
def test_neither_project_nor_packages_nor_processes_can_be_seen(box):
  if "files" not in box.layers():
    pytest.skip("this machine allows no private file system")
  program = f"""
      import os
      HIDDEN = [{str(pathlib.Path(__file__))!r}, {pytest.__file__!r}, '/etc/passwd', '/proc/self',
                '/home', '/sys']
      def seen(): return [path for path in HIDDEN if os.path.exists(path)]
      def writable():
        folders = ['/', os.path.dirname(os.__file__), *('/' + name for name in os.listdir('/'))]
        return [folder for folder in folders if os.access(folder, os.W_OK)]
  """
  tests = ["assert seen() == []", f"assert writable() == [{isolation.SCRATCH!r}]"]
  assert run(box, program, tests).passed == (True, True)


# ---- with fewer layers ----

WITHOUT = {
    "no_namespaces": ("namespaces", "files"),
    "no_private_files": ("files",),
    "no_seccomp": ("seccomp",),
    "limits_alone": ("namespaces", "files", "seccomp", "user", "privileges"),
}


@linux
@pytest.mark.parametrize("without", WITHOUT)
def test_fewer_layers_still_protect_the_verdict(without):
  box = sandbox.Sandbox(without=WITHOUT[without])
  try:
    assert not box.layers() & set(WITHOUT[without])
    pid = supervisor(box)
    names = ["os_exit_in_the_function", "memory_bomb", "daemon_grandchild", "forged_equality",
             "printed_verdict", "write_to_all_descriptors", "expected_values_from_frames_and_gc",
             "thread_left_running"]
    if without == "limits_alone":
      names += ["infinite_loop", "sleep"]
    else:  # nothing else keeps a program from signals and from /proc
      names += ["kill_everyone", "kill_the_parent", "expected_values_from_the_parent"]
    for name in names:
      report = run(box, HOSTILE[name])
      assert not any(report.passed), (name, report)
      assert len(processes_below(pid)) in AT_REST, name
    assert supervisor(box) == pid
    assert run(box, "def f(x): return x * x").passed == (True, True)
  finally:
    box.close()


@linux
def test_without_private_files_nothing_can_be_written(tmp_path):
  box = sandbox.Sandbox(without=("files",))
  if "seccomp" not in box.layers():
    pytest.skip("this machine refuses seccomp")
  tmp_path.chmod(0o777)
  program = f"def f():\n  for path in ('here', {str(tmp_path / 'there')!r}):\n    open(path, 'w')"
  test = "try:\n  f()\nexcept OSError:\n  pass\nelse:\n  assert False"
  assert run(box, program, [test]).passed == (True,)
  assert not list(tmp_path.iterdir())
  box.close()


# ---- the sandbox's own life ----


def test_a_supervisor_that_was_killed_is_replaced():
  box = sandbox.Sandbox()
  assert run(box, "def f(x): return x * x").passed == (True, True)
  first = supervisor(box)
  below = processes_below(first) if sys.platform.startswith("linux") else []
  os.kill(first, signal.SIGKILL)
  assert run(box, "def f(x): return x * x").passed == (True, True)
  assert supervisor(box) != first
  assert not any(_running(process) for process in below)
  box.close()


@linux
def test_closing_leaves_no_process():
  box = sandbox.Sandbox()
  pid = supervisor(box)
  below = processes_below(pid)
  assert len(below) == 2
  box.close()
  assert not any(os.path.exists(f"/proc/{p}") for p in (pid, *below))


@linux
@pytest.mark.parametrize("busy", [False, True])
def test_everything_ends_with_the_scoring_process_even_when_it_is_killed(busy):
  code = ("from rewards import sandbox; box = sandbox.Sandbox(); box.layers();"
          "print(box._process.pid, flush=True);")
  code += "box.run('while True: pass', ['f()'], cpu_seconds=100)" if busy else "input()"
  client = subprocess.Popen(
      [sys.executable, "-c", code],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      cwd=pathlib.Path(sandbox.__file__).parents[2],
  )
  pid = int(client.stdout.readline())
  time.sleep(0.5 if busy else 0.0)
  below = [pid, *processes_below(pid)]
  assert len(below) >= 3
  client.kill()
  client.communicate()
  for _ in range(100):
    alive = [p for p in below if _running(p)]
    if not alive:
      break
    time.sleep(0.1)
  assert not alive


def _running(pid):
  try:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
  except OSError:
    return False


@linux
def test_many_programs_leave_no_process_and_no_descriptor(box):
  pid = supervisor(box)

  def descriptors():
    processes = [os.getpid(), pid, *processes_below(pid)]
    return sorted(len(os.listdir(f"/proc/{process}/fd")) for process in processes)

  run(box, "def f(x): return x")
  before = descriptors()
  for number in range(100):
    tail = "\nimport os\nos._exit(0)" if number % 8 == 0 else ""
    report = run(box, f"def f(x): return x * x + 0 * {number}" + tail)
    assert report.passed == (number % 8 != 0,) * 2
  run(box, "def f(x): return x")
  assert descriptors() == before


def test_limits_of_the_scoring_process_stay_as_they_were(box):
  import resource

  kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
  before = [resource.getrlimit(kind) for kind in kinds]
  run(box, HOSTILE["raised_limits"])
  assert [resource.getrlimit(kind) for kind in kinds] == before


def test_an_overlong_program_is_not_run(box):
  report = run(box, "#" * (sandbox.PROGRAM_CHARACTERS + 1))
  assert report.cause == "oversize" and report.passed == (False, False)


# ---- exceptions that Python itself swallows ----


@pytest.mark.parametrize(
    "test",
    [
        "assert all(map(f, [1, 2]))",
        "assert not any(map(f, [1, 2]))",
        "assert list(map(f, [1])) == []",
        "assert sum(map(f, [1])) == 0",
        "assert [x for x in iter(f, None)] == []",
    ],
)
@pytest.mark.parametrize(
    "program",
    [
        "def f(*x): raise StopIteration",
        "class E(StopIteration): pass\ndef f(*x): raise E",
        "def f(*x): return next(iter(()))",
    ],
)
def test_a_call_that_ends_an_iteration_passes_no_test(box, program, test):
  report = run(box, program, [test])
  assert report.passed == (False,) and report.cause == "crash"


def test_honest_iterators_end_and_tests_may_expect_it(box):
  generator = "def f(n):\n  yield from range(n)"
  assert run(box, generator, ["assert list(f(3)) == [0, 1, 2]", "assert all(map(list, [f(1)]))"]).passed == (True, True)
  expected = "try:\n  f()\nexcept StopIteration:\n  pass\nelse:\n  assert False"
  assert run(box, "def f(): raise StopIteration", [expected]).passed == (True,)


def test_a_program_that_kills_the_supervisor_twice_is_exhausted_and_the_next_one_is_served(monkeypatch):
  box = sandbox.Sandbox()
  start, started = box._start, []

  def start_and_die():
    start()
    started.append(box._process.pid)
    if len(started) <= 2:
      box._process.kill()

  monkeypatch.setattr(box, "_start", start_and_die)
  with pytest.raises(Exhausted, match="sandbox"):
    run(box, "def f(x): return x * x")
  assert run(box, "def f(x): return x * x").passed == (True, True)
  box.close()


def test_a_sandbox_that_cannot_start_is_a_sentence_for_the_user(monkeypatch):
  monkeypatch.setattr(sys, "executable", "/nowhere/python")
  with pytest.raises(ConfigError, match="the sandbox did not start under /nowhere/python"):
    sandbox.Sandbox().run("", ["assert f()"])
