"""What a hostile test could try. Each is Python that says `breach(...)` when it got somewhere.

All are harmless without a sandbox: they aim at what `world` made, send signal 0 where others would
kill, and open without writing. What only uses things up is in `bombs`.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.sandbox import Ended, Limits
from tests.sandbox.cells import HOLD

PRELUDE = (
    HOLD
    + """
import ctypes, errno, glob, resource, signal, socket, struct
PLACE, VICTIM, TCP, UDP, ABSTRACT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
BROKER = int(sys.argv[6])
MARK = "violet-" + "secret-4711"
SECRET, TARGET = PLACE + "/secret.txt", PLACE + "/target.txt"
REPO, RUN, SITE = PLACE + "/repo", PLACE + "/run", PLACE + "/venv/lib/python3/site-packages"
libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
def breach(what=""): tell(f"breach {what}")
def got(text): MARK in text and breach()
def seen(path):
    try: return open(path, errors="replace").read()
    except OSError: return ""
def call(x86, arm, *args):
    ctypes.set_errno(0)
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return libc.syscall(ctypes.c_long(x86 if X86 else arm), *words), ctypes.get_errno()
def considered(result):
    # Any other errno says that the kernel went into the call.
    if result[0] >= 0 or result[1] not in (errno.EPERM, errno.ENOSYS, errno.EACCES): breach(result)
signal.alarm(25)  # ends what nobody stopped
"""
)

PLENTY = Limits(wall_s=60)


@dataclass(frozen=True)
class Attack:
    """`needs`: what it takes to succeed without a sandbox, beside what any user has; "" where that is nothing.
    `weak_user`, `weak_root`: whether the weak level, as an ordinary user or as root, is known to leave it open (its
    notes say so). `leaves`: a file it leaves behind for Podium to read. `broker`: whether it is about a real one.
    `ends`: how it may end confined; `limits`: within which ceilings."""

    name: str
    code: str
    needs: str = ""
    weak_user: bool = False
    weak_root: bool = False
    leaves: str = ""
    broker: bool = False
    limits: Limits = PLENTY
    ends: tuple[Ended, ...] = ("exited",)


ATTACKS = (
    Attack("read a file outside", "got(open(SECRET).read())", weak_user=True),
    Attack("read through a symlink", "os.symlink(SECRET, 'link'); got(open('link').read())", weak_user=True),
    Attack("read through /proc/self/root", "got(open('/proc/self/root' + SECRET).read())", weak_user=True),
    Attack("read through /proc/self/cwd", "got(open('/proc/self/cwd/' + '../' * 20 + SECRET).read())", weak_user=True),
    Attack(
        "read through a directory's descriptor",
        "d = os.open(PLACE, os.O_PATH); got(os.read(os.open('secret.txt', os.O_RDONLY, dir_fd=d), 99).decode())",
        weak_user=True,
    ),
    Attack("hard-link a file outside", "os.link(SECRET, 'hard'); got(open('hard').read())", weak_user=True),
    Attack("read the victim's environment", "got(open(f'/proc/{VICTIM}/environ').read())", weak_user=True),
    Attack(
        "read any process's environment",
        "[got(seen(p)) for p in glob.glob('/proc/[0-9]*/environ')]",
        weak_user=True,
    ),
    Attack("write a file outside", "open(TARGET, 'w').write('x')", weak_user=True),
    Attack("append to a file outside", "open(TARGET, 'a').write('x')", weak_user=True),
    Attack("truncate a file outside", "os.truncate(TARGET, 0)", weak_user=True),
    Attack("create a file outside", "open(PLACE + '/new', 'w')", weak_user=True),
    Attack("delete a file outside", "os.unlink(TARGET)", weak_user=True),
    Attack("rename a file outside", "os.rename(TARGET, PLACE + '/renamed')", weak_user=True),
    Attack("remove a folder outside", "os.rmdir(PLACE + '/folder')", weak_user=True),
    Attack("link into a folder outside", "os.symlink('/', PLACE + '/root')", weak_user=True),
    Attack("change a mode outside", "os.chmod(TARGET, 0o777)", weak_user=True),
    Attack("change times outside", "os.utime(TARGET, (1, 1))", weak_user=True),
    Attack(
        "write through a symlinked folder",
        "os.symlink(PLACE, 'out'); open('out/target.txt', 'w').write('x')",
        weak_user=True,
    ),
    Attack("put a hook into the user's repository", "open(REPO + '/.git/hooks/pre-commit', 'w')", weak_user=True),
    Attack(
        "have the user's git run a program",
        "open(REPO + '/.git/config', 'a').write('[core]\\nfsmonitor = true\\n')",
        weak_user=True,
    ),
    Attack("put code into the user's conftest.py", "open(REPO + '/conftest.py', 'a').write('1')", weak_user=True),
    Attack("put a hook into the run's own copy", "open(RUN + '/git/hooks/post-index-change', 'w')", weak_user=True),
    Attack(
        "have the run's git run a program",
        "open(RUN + '/git/config', 'a').write('[diff]\\nexternal = true\\n')",
        weak_user=True,
    ),
    Attack("point the run's tree elsewhere", "open(RUN + '/tree/.git', 'w').write('gitdir: /x')", weak_user=True),
    Attack("put a sitecustomize where Python looks", "open(SITE + '/sitecustomize.py', 'w')", weak_user=True),
    Attack("put a .pth where Python looks", "open(SITE + '/it.pth', 'w').write('import it')", weak_user=True),
    Attack("change an installed module", "open(SITE + '/installed.py', 'a').write('1')", weak_user=True),
    Attack("leave a link for Podium to read", "os.symlink(SECRET, 'left')", leaves="left"),
    Attack("leave a linked folder for Podium to read", "os.symlink(PLACE, 'out')", leaves="out/secret.txt"),
    Attack("leave a hard link for Podium to read", "os.link(SECRET, 'left')", leaves="left", weak_user=True),
    Attack(
        "swap a file for a link while it is read",
        """
if os.fork() == 0:
    while True:
        open('good', 'w').close(); os.rename('good', 'left')
        os.symlink(SECRET, 'bad'); os.rename('bad', 'left')
""",
        leaves="left",
    ),
    Attack(
        "swap a folder for a link while it is read",
        """
os.mkdir('folder'); open('folder/secret.txt', 'w').close()
if os.fork() == 0:
    while True:
        os.rename('folder', 'aside'); os.symlink(PLACE, 'folder')
        os.unlink('folder'); os.rename('aside', 'folder')
""",
        leaves="folder/secret.txt",
    ),
    Attack("connect by TCP", "socket.create_connection(('127.0.0.1', TCP), 5); breach()"),
    Attack(
        "speak to the broker",
        """
s = socket.create_connection(('127.0.0.1', BROKER), 5); words = s.makefile('rw', newline='')
words.readline().startswith('INFO') or sys.exit()
words.write('CONNECT {"verbose":false}\\r\\nSUB > 1\\r\\nPUB gate.r-1.plan.decision 2\\r\\n{}\\r\\nPING\\r\\n')
words.flush()
'PONG' in [words.readline().strip() for _ in range(3)] and breach()
""",
        broker=True,
    ),
    Attack(
        "connect by MPTCP",
        "s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); s.connect(('127.0.0.1', TCP)); breach()",
        needs="a kernel with MPTCP",
    ),
    Attack(
        "connect by TCP fast open",
        "s = socket.socket(); s.sendto(b'x', socket.MSG_FASTOPEN, ('127.0.0.1', TCP)); breach()",
    ),
    Attack("send by UDP", "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', UDP))"),
    Attack("connect to a unix socket", "s = socket.socket(socket.AF_UNIX); s.connect(PLACE + '/s.sock'); breach()"),
    Attack(
        "send a unix datagram",
        "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', PLACE + '/d.sock')",
    ),
    Attack(
        "point a datagram pair elsewhere",
        "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.sendto(b'x', PLACE + '/d.sock')",
    ),
    Attack("connect to an abstract socket", "s = socket.socket(socket.AF_UNIX); s.connect('\\0' + ABSTRACT); breach()"),
    Attack("open a netlink socket", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); breach()"),
    Attack("open a vsock socket", "considered(call(41, 198, 40, 1, 0))"),
    Attack("open a packet socket", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW); breach()", needs="CAP_NET_RAW"),
    Attack("open a crypto socket", "considered(call(41, 198, 38, 5, 0))"),
    Attack("signal another process", "os.kill(VICTIM, 0); breach()", weak_user=True),
    Attack("kill another process", "os.kill(VICTIM, 9)", weak_user=True),
    Attack("signal everybody", "os.kill(-1, 0); breach()"),
    Attack(
        "signal by pidfd",
        "f = os.pidfd_open(VICTIM); signal.pidfd_send_signal(f, 0); breach()",
        weak_user=True,
    ),
    Attack("trace another process", "considered(call(101, 117, 0x4206, VICTIM, 0, 0))"),
    Attack(
        "read another process's memory",
        "considered(call(310, 270, VICTIM, 0, 0, 0, 0, 0))",
    ),
    Attack("open another process's memory", "open(f'/proc/{VICTIM}/mem', 'rb'); breach()", weak_user=True),
    Attack("open the parent's memory", "open(f'/proc/{os.getppid()}/mem', 'r+b'); breach()", weak_user=True),
    Attack(
        "put a filter of its own over the one that holds it",
        """
class Filter(ctypes.Structure): _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
libc.prctl(38, 1, 0, 0, 0); libc.prctl(22, 2, ctypes.byref(Filter(1, ctypes.addressof(allow))), 0, 0)
considered(call(425, 425, 1, 0))
""",
    ),
    Attack(
        "be dumped, and traced by a child",
        """
libc.prctl(4, 1, 0, 0, 0); libc.prctl(0x59616D61, -1, 0, 0, 0)
os.fork() == 0 and considered(call(101, 117, 0x4206, os.getppid(), 0, 0)); os.wait()
""",
    ),
    Attack("limit another process", "resource.prlimit(VICTIM, resource.RLIMIT_NOFILE, (9, 9)); breach()"),
    Attack("slow another process down", "os.setpriority(os.PRIO_PROCESS, VICTIM, 19); breach()"),
    Attack("pin another process", "os.sched_setaffinity(VICTIM, {0}); breach()"),
    Attack(
        "make a user namespace",
        "considered(call(272, 97, 0x10000000))",
        needs="a kernel that lets everybody make user namespaces",
    ),
    Attack("make a mount namespace", "considered(call(272, 97, 0x00020000))", needs="CAP_SYS_ADMIN"),
    Attack(
        "clone into a user namespace",
        "considered(call(56, 220, 0x10000000 | 17, 0, 0, 0, 0))",
        needs="a kernel that lets everybody make user namespaces",
    ),
    Attack("clone3", "considered(call(435, 435, 0, 0))"),
    Attack("enter a namespace", "considered(call(308, 268, -1, 0))"),
    Attack("mount", "considered(call(165, 40, 0, 0, 0, 0, 0))", needs="CAP_SYS_ADMIN"),
    Attack("change the root", "considered(call(161, 51, 0))", needs="CAP_SYS_CHROOT"),
    Attack("io_uring", "considered(call(425, 425, 1, 0))"),
    Attack("keyrings", "considered(call(250, 219, 0, -3, 0))"),
    Attack("add a key", "considered(call(248, 217, 0, 0, 0, 0, 0))"),
    Attack("bpf", "considered(call(321, 280, 0, 0, 0))", needs="a kernel that lets everybody load BPF, or CAP_BPF"),
    Attack("perf events", "considered(call(298, 241, 0, 0, -1, -1, 0))"),
    Attack(
        "userfaultfd",
        "considered(call(323, 282, -1))",
        needs="a kernel that lets everybody handle page faults, or CAP_SYS_PTRACE",
    ),
    Attack("memory files, which no limit counts", "considered(call(319, 279, b'x', 0))"),
    Attack("system V shared memory", "considered(call(29, 194, 0, 4096, 0o600))"),
    Attack("message queues", "considered(call(240, 180, b'podium-test', 0))"),
    Attack("file handles", "considered(call(304, 265, -100, 0, 0))", needs="CAP_DAC_READ_SEARCH"),
    Attack("type into the terminal", "considered(call(16, 29, 0, 0x5412, b'x'))"),
    Attack("paste into the console", "considered(call(16, 29, 0, 0x541C, b'x'))"),
    Attack("a system call of tomorrow", "considered(call(463, 463, 0, 0, 0, 0, 0))", needs="Linux 6.13"),
    Attack(
        "configure the kernel",
        "os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY); breach()",
        needs="root, and a /proc/sys that is not mounted read-only",
    ),
    Attack(
        "open a disk",
        "[os.open(p, os.O_RDONLY) for p in glob.glob('/dev/[vs]d[a-z]') + ['/dev/mem', '/dev/kmsg']]; breach()",
        needs="root, and a disk",
    ),
    Attack(
        "keep capabilities",
        "int(open('/proc/self/status').read().split('CapEff:')[1].split()[0], 16) and breach()",
        needs="root",
    ),
    Attack("gain privileges by exec", "libc.prctl(39, 0, 0, 0, 0) == 1 or breach()"),
    Attack(
        "use a descriptor it was not given",
        "[breach(fd) for fd in range(4, 4096) if fd != lock and not libc.fcntl(fd, 1, 0) < 0]",
    ),
    Attack("read the parent's folder", "'other' in os.listdir('..') and breach()", weak_user=True, weak_root=True),
    Attack(
        "read another job's scratch",
        "got(open(os.getcwd() + '/../other/secret').read())",
        weak_user=True,
    ),
)
