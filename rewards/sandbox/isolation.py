"""What the kernel takes away from a process that runs untrusted Python.

One real use, in the order in which the sandbox's fork server calls it:

  unshare(); bare_root(); available()    once, in the fork server; each returns what it got
  confine(limits, layers)                in each child, just before the untrusted program runs

Every layer of LAYERS is optional, since containers and laptops withhold some. Not here: who runs
what, and who decides (sandbox.py).
"""

from collections.abc import Collection
import ctypes
import dataclasses
import functools
import math
import os
import resource
import struct
import sys
import time

# namespaces: own pid, network, ipc and mount namespace; no route out, no other process in sight.
# files:      a bare read-only root with the standard library alone, and a small scratch in memory.
# seccomp:    no new process, socket, signal or limit; without `files`, no writing to any file.
# user:       where we are root, another user.
# privileges: no capability, and no way to gain one.
# limits:     rlimits on CPU, memory, file size, open files, processes.
LAYERS = ("namespaces", "files", "seccomp", "user", "privileges", "limits")

SCRATCH = "/tmp"  # inside of the bare root
SCRATCH_OPTIONS = "size=16m,nr_inodes=1024,mode=1777"
NOBODY = 65534
FILE_BYTES = 16 << 20
OPEN_FILES = 64
PROCESSES = 64  # threads count; forking is refused by seccomp

_LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True)
if _LINUX:  # looked up here once, and not in each child
  _libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
  _libc.capset.argtypes = [ctypes.c_char_p, ctypes.c_char_p]

_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_MS_NOATIME, _MS_NODIRATIME, _MS_RELATIME, _ST_RELATIME = 1024, 2048, 1 << 21, 4096
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
  """cpu_seconds: of CPU time, None for any. memory_mb: address space, the interpreter included."""

  cpu_seconds: int | None
  memory_mb: int


def _call(function, *arguments) -> None:
  if function(*arguments) != 0:
    number = ctypes.get_errno()
    raise OSError(number, f"{function.__name__}: {os.strerror(number)}")


def _prctl(option: int, value: int, address: int = 0) -> None:
  _call(_libc.prctl, option, value, address, 0, 0)


def die_with_parent() -> None:
  """Asks the kernel for SIGKILL when the parent dies; elsewhere the closed pipe must do."""
  if _LINUX:
    _prctl(_PR_SET_PDEATHSIG, 9)


def hide_memory(hide: bool = True) -> None:
  """Closes /proc/<pid>/mem, environ and fd of this process to others of the same user."""
  if _LINUX:
    _prctl(_PR_SET_DUMPABLE, int(not hide))


def adopt_orphans() -> None:
  """Makes orphaned descendants children of this process, so that it can find and reap them."""
  if _LINUX:
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def unshare(without: Collection[str] = ()) -> set[str]:
  """Leaves the host's namespaces; the caller's next child is pid 1 of the new pid namespace.

  Returns:
    {"namespaces"}, or an empty set where the kernel or a container refuses.
  """
  if not _LINUX or "namespaces" in without:
    return set()
  flags = _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
  uid, gid = os.geteuid(), os.getegid()
  try:
    if uid != 0:
      hide_memory(False)  # a hidden process may not even write its own maps
      _call(_libc.unshare, flags | _CLONE_NEWUSER)
      maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
      for name, text in maps.items():
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
          file.write(text)
    else:
      _call(_libc.unshare, flags)
    _call(_libc.mount, b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)
  except OSError:
    return set()  # the namespaces that we may have got do no harm
  finally:
    hide_memory()
  return {"namespaces"}


def bare_root(without: Collection[str] = ()) -> set[str]:
  """Moves into a root of its own: the standard library and shared libraries, read-only; a scratch.

  Needs the mount namespace of `unshare`. Packages, the project, the home directory, /proc and /etc
  are not there. Returns {"files"}, or an empty set where mounting is refused.
  """
  if not _LINUX or "files" in without:
    return set()
  root = "/proc"  # always there, and nothing below needs the one of the host any more
  try:
    _mount("tmpfs", root, "tmpfs", 0, "size=1m,mode=755")
    for path in _library_paths():
      os.makedirs(root + path, exist_ok=True)
      _bind_read_only(path, root + path)
    for path in _package_paths():
      if os.path.isdir(root + path):
        _mount("tmpfs", root + path, "tmpfs", _MS_RDONLY, "size=4k")
    os.makedirs(f"{root}/dev", exist_ok=True)
    for name in ("null", "urandom"):
      open(f"{root}/dev/{name}", "wb").close()
      _mount(f"/dev/{name}", f"{root}/dev/{name}", "", _MS_BIND, "")
    os.mkdir(root + SCRATCH)
    _mount("tmpfs", root + SCRATCH, "tmpfs", _MS_NOSUID | _MS_NODEV, SCRATCH_OPTIONS)
    _mount("tmpfs", root, "tmpfs", _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID, "size=1m,mode=755")
    os.chroot(root)
    os.chdir(SCRATCH)
  except OSError:
    return set()
  return {"files"}


def _library_paths() -> list[str]:
  """Directories that a running interpreter imports from, parents before children."""
  wanted = {os.path.dirname(os.__file__), "/lib", "/lib64", "/usr/lib",
            "/usr/lib64", os.path.join(sys.base_prefix, "lib"), "/usr/share/zoneinfo"}
  wanted = sorted({os.path.realpath(path) for path in wanted if os.path.isdir(path)})
  kept: list[str] = []
  for path in wanted:
    if not any(path.startswith(f"{parent}/") for parent in kept):
      kept.append(path)
  # A symbolic link such as /lib64 -> usr/lib64 is a name by which the dynamic loader asks.
  links = [p for p in ("/lib", "/lib64") if os.path.islink(p)]
  return kept + links


def _package_paths() -> list[str]:
  version = f"python{sys.version_info.major}.{sys.version_info.minor}"
  libraries = {os.path.realpath(os.path.dirname(os.__file__)), "/usr/lib/python3",
               os.path.realpath(os.path.join(sys.base_prefix, "lib", version)),
               f"/usr/local/lib/{version}"}
  kinds = ("site-packages", "dist-packages")
  return sorted(f"{library}/{kind}" for library in libraries for kind in kinds)


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
  _call(_libc.mount, source.encode(), target.encode(), kind.encode() or None,
        ctypes.c_ulong(flags), options.encode() or None)


def _bind_read_only(source: str, target: str) -> None:
  _mount(source, target, "", _MS_BIND | _MS_REC, "")
  # Flags that the host's mount carries are locked for us: they must be repeated. Those of statvfs
  # are those of mount, but for relatime.
  has = os.statvfs(target).f_flag
  flags = has & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_NOATIME | _MS_NODIRATIME)
  flags |= _MS_RELATIME if has & _ST_RELATIME else 0
  _mount("none", target, "", _MS_REMOUNT | _MS_BIND | _MS_RDONLY | flags, "")


def wipe_scratch() -> None:
  """Empties the scratch of `bare_root`: a fresh one in its place, if anything stands in it."""
  if os.listdir(SCRATCH):
    os.chdir("/")
    _call(_libc.umount2, SCRATCH.encode(), _MNT_DETACH)
    _mount("tmpfs", SCRATCH, "tmpfs", _MS_NOSUID | _MS_NODEV, SCRATCH_OPTIONS)
    os.chdir(SCRATCH)


def enter_nowhere() -> None:
  """Makes an empty directory that is gone already the current one: nothing can be made in it."""
  path = f"/tmp/sandbox-{os.getpid()}-{os.urandom(8).hex()}"
  os.mkdir(path, 0o700)
  os.chdir(path)
  os.rmdir(path)


def confine(limits: Limits, layers: Collection[str]) -> None:
  """Gives up, for good, all that the untrusted program in this process must not have.

  Args:
    limits: of CPU time and memory.
    layers: what is to be applied, as `available` found it.
  """
  limit(limits)
  if "user" in layers:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
  if "privileges" in layers:
    _drop_capabilities()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
  if "seccomp" in layers:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(_filter("files" in layers)[0]))


def limit(limits: Limits) -> None:
  """Sets the rlimits of this process, soft and hard alike, so that none can be raised again.

  CPU time ends by SIGXCPU, and a second later, for who ignores that, by SIGKILL.
  """
  if limits.cpu_seconds is not None:
    _set_limit("RLIMIT_CPU", limits.cpu_seconds, limits.cpu_seconds + 1)
  for name, value in (
      ("RLIMIT_AS", limits.memory_mb << 20),
      ("RLIMIT_FSIZE", FILE_BYTES),
      ("RLIMIT_NOFILE", OPEN_FILES),
      ("RLIMIT_NPROC", PROCESSES),
      ("RLIMIT_CORE", 0),
      ("RLIMIT_MEMLOCK", 0),
      ("RLIMIT_MSGQUEUE", 0),
  ):
    _set_limit(name, value, value)


def limit_cpu(more_seconds: int) -> None:
  """Lets this process use so many more seconds of CPU time from now on."""
  used = math.ceil(time.process_time())
  _set_limit("RLIMIT_CPU", used + more_seconds, resource.RLIM_INFINITY)


def _set_limit(name: str, soft: int, hard: int) -> None:
  kind = getattr(resource, name, None)
  if kind is None:
    return
  inherited = resource.getrlimit(kind)[1]
  if inherited != resource.RLIM_INFINITY:
    hard = inherited if hard == resource.RLIM_INFINITY else min(hard, inherited)
    soft = min(soft, hard)
  try:
    resource.setrlimit(kind, (soft, hard))
  except (ValueError, OSError):
    if name != "RLIMIT_AS":  # macOS knows it and refuses it
      raise


def _drop_capabilities() -> None:
  header = struct.pack("=Ii", 0x20080522, 0)  # version 3, this process
  _call(_libc.capset, header, bytes(24))


def available(without: Collection[str] = ()) -> set[str]:
  """Returns those of "seccomp", "user", "privileges" and "limits" that `confine` can apply here.

  Tries each in a child that is thrown away. Another user who cannot read the standard library (an
  interpreter in root's home, no `files`) is of no use.
  """
  found = {"limits"}
  for layer in {"seccomp", "user", "privileges"} - set(without):
    if layer == "seccomp" and _LINUX and os.uname().machine in _MACHINES:
      _filter(True), _filter(False)  # made once, and inherited by each child
    child = os.fork()
    if not child:
      status = 1
      try:
        confine(Limits(cpu_seconds=1, memory_mb=512), {layer})
        os.listdir(os.path.dirname(os.__file__))
        status = 0
      finally:
        os._exit(status)
    if os.waitpid(child, 0)[1] == 0:
      found.add(layer)
  return found


# ---- seccomp: a classic BPF program over the number and the arguments of each system call ----

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCH = 0, 4  # offsets into struct seccomp_data
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_CLONE_THREAD = 0x00010000
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# Numbers on (x86_64, aarch64). Refused always: processes, signals to others, the network, kernel
# interfaces, and memory or ipc objects that no rlimit counts or that outlive their process.
_REFUSED = {
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "kcmp": (312, 272), "socket": (41, 198), "io_uring_setup": (425, 425), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "mount_setattr": (442, 442), "setpriority": (141, 140), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "ioprio_set": (251, 30), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "personality": (135, 92), "migrate_pages": (256, 238), "move_pages": (279, 239),
}
# Refused besides where there is no private file system: whatever changes a file or a directory.
_REFUSED_WRITING = {
    "creat": (85, None), "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "unlink": (87, None), "unlinkat": (263, 35), "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None), "mknodat": (259, 33),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "openat2": (437, 437),
}
_CLONE, _CLONE3, _PRLIMIT = (56, 220), (435, 435), (302, 261)
_OPEN, _OPENAT = (2, None), (257, 56)


class _Program:
  """Instructions of a classic BPF program, and what a failed condition skips."""

  def __init__(self):
    self.code: list[bytes] = []

  def add(self, operation: int, operand: int, if_true: int = 0, if_false: int = 0) -> None:
    self.code.append(struct.pack("=HBBI", operation, if_true, if_false, operand))

  def refuse(self, number: int | None, error: int = _EPERM) -> None:
    if number is not None:
      self.add(_EQUAL, number, 0, 1)
      self.add(_RETURN, _ERRNO | error)

  def refuse_bits(self, number: int | None, argument: int, bits: int, allowed_if_set: bool) -> None:
    """Looks at the low half of one argument of one system call."""
    if number is not None:
      self.add(_EQUAL, number, 0, 4)
      self.add(_LOAD, 16 + 8 * argument)
      self.add(_ANY_BIT, bits, *((1, 0) if allowed_if_set else (0, 1)))
      self.add(_RETURN, _ERRNO | _EPERM)
      self.add(_RETURN, _ALLOW)


@functools.cache
def _filter(may_write: bool) -> tuple[ctypes.Array, ctypes.Array]:
  """Returns struct sock_fprog, and the instructions that it points to."""
  if not _LINUX or os.uname().machine not in _MACHINES:
    raise OSError(_ENOSYS, "no system call table for this machine")
  arch, column = _MACHINES[os.uname().machine]
  program = _Program()
  program.add(_LOAD, _ARCH)
  program.add(_EQUAL, arch, 1, 0)
  program.add(_RETURN, _KILL)
  program.add(_LOAD, _NUMBER)
  program.add(_AT_LEAST, 0x40000000, 0, 1)  # the x32 calls: the same ones under other numbers
  program.add(_RETURN, _KILL)
  program.refuse_bits(_CLONE[column], 0, _CLONE_THREAD, allowed_if_set=True)
  program.refuse(_CLONE3[column], _ENOSYS)  # its flags lie in memory; the C library then uses clone
  program.refuse_bits(_PRLIMIT[column], 0, 0xFFFFFFFF, allowed_if_set=False)  # of other processes
  for numbers in _REFUSED.values():
    program.refuse(numbers[column])
  if not may_write:
    program.refuse_bits(_OPEN[column], 1, _WRITE_FLAGS, allowed_if_set=False)
    program.refuse_bits(_OPENAT[column], 2, _WRITE_FLAGS, allowed_if_set=False)
    for numbers in _REFUSED_WRITING.values():
      program.refuse(numbers[column])
  program.add(_RETURN, _ALLOW)
  instructions = ctypes.create_string_buffer(b"".join(program.code))
  header = struct.pack("@HP", len(program.code), ctypes.addressof(instructions))
  return ctypes.create_string_buffer(header), instructions
