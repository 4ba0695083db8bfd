"""The system calls that Python, its libraries and the C library make for us on Linux.

Each constant has names with white space between them. Those of all processors stand together: a
name that another processor has, or that is newer than libseccomp, is skipped.
"""

EVERY = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range
fstat fstat64 newfstatat fstatat64 stat stat64 lstat lstat64 statx access faccessat faccessat2
readlink readlinkat getcwd statfs statfs64 fstatfs fstatfs64
poll ppoll ppoll_time64 select pselect6 _newselect pselect6_time64 epoll_create epoll_create1
epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2 pipe pipe2 dup dup2 dup3
timerfd_create timerfd_settime timerfd_gettime signalfd4
socketpair sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg shutdown getsockopt setsockopt
getsockname getpeername
munmap mremap madvise brk mlock mlock2 munlock membarrier
futex futex_time64 futex_waitv set_robust_list get_robust_list rseq set_tid_address
rt_sigaction rt_sigprocmask rt_sigreturn sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait
rt_sigtimedwait_time64 sigaltstack setitimer getitimer alarm pause restart_syscall
getrandom clock_gettime clock_gettime64 clock_getres clock_nanosleep clock_nanosleep_time64
nanosleep gettimeofday time times
getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgid
getpgrp getsid exit exit_group sched_getaffinity sched_yield sched_getparam sched_getscheduler
sched_get_priority_max sched_get_priority_min getcpu getpriority
getrlimit ugetrlimit getrusage sysinfo uname umask wait4 waitid waitpid
"""
"""The calls of every process, whatever their arguments; none of them opens anything by name."""

OPENS = "open openat openat2 getdents64 getdents fadvise64 readahead"
"""The calls that open files and list folders."""

WRITES = """
unlink unlinkat rename renameat renameat2 ftruncate ftruncate64 fallocate fsync
fdatasync fchmod fchown fchown32 utimensat utimensat_time64 copy_file_range
"""
"""The calls that make, replace and remove files."""

LOCKS = "flock"
"""The calls that lock files, besides fcntl(2)."""

CONNECTS = "connect"
"""The call that connects a socket, besides socket(2)."""

NETWORK = "bind inotify_init1 inotify_add_watch inotify_rm_watch"
"""The calls of a resolver, besides socket(2): c-ares watches resolv.conf."""

ACCEPTS = "accept accept4"
"""The calls that take a connection at a socket that listens."""

FORKS = """
fork vfork clone kill tgkill tkill pidfd_open pidfd_send_signal setsid setpgid setpriority
setrlimit prctl seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
"""
"""The calls that make and end copies of the process, and confine them."""
