"""Which system calls a confined program may make, and their numbers (x86_64, aarch64)."""

from __future__ import annotations

import errno
import os
import socket

from servers.sandbox import linux
from servers.sandbox.bpf import ALLOW, Rule, When, assemble, fail

UNKNOWN_FROM = 463
"""The first number newer than what this table was written against (Linux 6.10, mseal)."""

NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "setsockopt": (54, 208),
    "ioctl": (16, 29),
    "clone": (56, 220),
    "clone3": (435, 435),
    "unshare": (272, 97),
    "setns": (308, 268),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fsconfig": (431, 431),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "nfsservctl": (180, 42),
    "lookup_dcookie": (212, 18),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "kill": (62, 129),
    "prlimit64": (302, 261),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
}

NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN_CONNECT = 30
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
SOCK_TYPE_MASK = 0xF

PRIVILEGED = """ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise process_mrelease
    bpf perf_event_open userfaultfd keyctl add_key request_key memfd_secret unshare setns mount umount2
    pivot_root chroot move_mount open_tree fsopen fsmount fsconfig fspick mount_setattr swapon swapoff reboot
    kexec_load kexec_file_load init_module finit_module delete_module acct quotactl quotactl_fd settimeofday
    clock_settime adjtimex clock_adjtime sethostname setdomainname syslog vhangup nfsservctl lookup_dcookie
    open_by_handle_at name_to_handle_at fanotify_init iopl ioperm modify_ldt uselib migrate_pages move_pages"""
SYSV_IPC = """shmget shmat shmctl msgget msgsnd msgrcv msgctl semget semop semctl semtimedop mq_open
    mq_unlink"""


def supported() -> bool:
    """Whether the numbers of this machine's architecture are known here."""
    return linux.machine() in ("x86_64", "aarch64")


def _rules(names: str, verdict: int, *when: When) -> list[Rule]:
    column = ("x86_64", "aarch64").index(linux.machine())
    numbers = (NUMBERS[name][column] for name in names.split())
    return [Rule(number, verdict, when) for number in numbers if number is not None]


def _deny(names: str, *when: When, error: int = errno.EPERM) -> list[Rule]:
    return _rules(names, fail(error), *when)


def _allow_socket(name: str, family: int, kind: int, protocols: tuple[int, ...]) -> list[Rule]:
    typed = (When(0, "eq", family), When(1, "eq", kind, SOCK_TYPE_MASK))
    return [rule for p in protocols for rule in _rules(name, ALLOW, *typed, When(2, "eq", p))]


def _common() -> list[Rule]:
    """What nothing of ours ever needs, confined specialists and their jobs alike."""
    # A datagram pair could be pointed at any named socket afterwards; a connected stream cannot.
    pairs = [
        rule
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
        for rule in _allow_socket("socketpair", socket.AF_UNIX, kind, (0,))
    ]
    return [
        *_deny(PRIVILEGED),
        *_deny("io_uring_setup io_uring_enter io_uring_register", error=errno.ENOSYS),
        *_deny("clone", When(0, "any", NEW_NAMESPACES)),
        # Its flags are behind a pointer; libc falls back to clone.
        *_deny("clone3", error=errno.ENOSYS),
        *_deny("ioctl", When(1, "eq", TIOCSTI)),
        *_deny("ioctl", When(1, "eq", TIOCLINUX)),
        *_deny("kill", When(0, "eq", 0xFFFFFFFF)),
        *pairs,
        *_deny("socketpair", error=errno.EACCES),
        # Same-user processes could otherwise be strangled from here.
        *_deny("prlimit64 sched_setaffinity sched_setscheduler sched_setparam sched_setattr", When(0, "ne", 0)),
        *_deny("setpriority", When(0, "ne", 0)),
        *_deny("setpriority", When(1, "ne", 0)),
        *_deny("ioprio_set", When(0, "ne", 1)),
        *_deny("ioprio_set", When(1, "ne", 0)),
    ]


def job_filter(*, loopback: bool, metadata: bool, truncation: bool = True) -> bytes:
    """The filter of an untrusted program.

    `loopback`: TCP and UDP sockets, for a program that is alone in its network namespace. `metadata`:
    changes of mode, owner, times and attributes take effect; without, they appear to succeed (Landlock does
    not control them, so they would reach files outside). `truncation`: by name, and by opening to read, for
    the same reason with its first two ABIs.
    """
    rules = [*_common(), *_deny(SYSV_IPC, error=errno.ENOSYS), *_deny("memfd_create", error=errno.ENOSYS)]
    if loopback:
        for family in (socket.AF_INET, socket.AF_INET6):
            rules += _allow_socket("socket", family, socket.SOCK_STREAM, (0, socket.IPPROTO_TCP))
            rules += _allow_socket("socket", family, socket.SOCK_DGRAM, (0, socket.IPPROTO_UDP))
        rules += _deny("socket", error=errno.EACCES)
    else:
        rules += _deny("socket connect bind listen", error=errno.EACCES)
    if not truncation:
        rules += _deny("truncate", error=errno.EACCES)
        for name, flags in (("open", 1), ("openat", 2)):
            to_read = When(flags, "eq", os.O_RDONLY, os.O_ACCMODE)
            rules += _deny(name, to_read, When(flags, "any", os.O_TRUNC), error=errno.EACCES)
        rules += _deny("openat2", error=errno.ENOSYS)
    if not metadata:
        rules += _deny("chmod fchmod fchmodat fchmodat2 utime utimes futimesat utimensat", error=0)
        rules += _deny("chown fchown lchown fchownat")
        rules += _deny("setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr", error=errno.EOPNOTSUPP)
    return assemble(rules, machine=linux.machine(), unknown_from=UNKNOWN_FROM)


def specialist_filter(*, tcp: bool, udp: bool, exec: bool) -> bytes:
    """The filter of a specialist: outgoing TCP if `tcp`, UDP if `udp`, new programs if `exec`, no other network."""
    rules = [*_common(), *_deny(SYSV_IPC, error=errno.ENOSYS)]
    if tcp:
        for family in (socket.AF_INET, socket.AF_INET6):
            rules += _allow_socket("socket", family, socket.SOCK_STREAM, (0, socket.IPPROTO_TCP))
        # Fast open connects without connect(2), past Landlock's port rule.
        rules += _deny("sendto", When(3, "any", MSG_FASTOPEN))
        rules += _deny("sendmsg", When(2, "any", MSG_FASTOPEN))
        rules += _deny("sendmmsg", When(3, "any", MSG_FASTOPEN))
        rules += _deny("setsockopt", When(1, "eq", socket.IPPROTO_TCP), When(2, "eq", TCP_FASTOPEN_CONNECT))
    if udp:
        for family in (socket.AF_INET, socket.AF_INET6):
            rules += _allow_socket("socket", family, socket.SOCK_DGRAM, (0, socket.IPPROTO_UDP))
    rules += _deny("socket bind listen", error=errno.EACCES)
    if not tcp and not udp:
        rules += _deny("connect", error=errno.EACCES)
    if not exec:
        rules += _deny("execve execveat")
    return assemble(rules, machine=linux.machine(), unknown_from=UNKNOWN_FROM)
