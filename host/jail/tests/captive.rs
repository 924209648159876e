//! A captive tries to get out. Each test starts this program again, as a process that locks itself in the way a worker does
//! and then does what somebody would who had broken out of WebAssembly: it makes the system call itself.

#![expect(unsafe_code, reason = "who has broken out asks nobody")]
#![expect(clippy::print_stdout, reason = "a test without a harness says what it found")]

use std::alloc::{Layout, alloc, dealloc};
use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, ExitStatus, exit};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use casparian_jail::{Bounds, Confinement, Isolation, bound, close_inherited};
use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// An exit code of its own for a captive whose call the kernel refused, so that no other failure looks like it.
const REFUSED: u8 = 42;
/// And for one whose call went through.
const WENT_THROUGH: u8 = 43;
/// Whose user number is nobody's, by custom.
const NOBODY: u32 = 65_534;

type Feat = fn() -> ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("captive") => captive(&arguments[2]),
        filter => watch(filter.filter(|filter| !filter.starts_with('-')).unwrap_or_default()),
    }
}

fn captive(name: &str) -> ExitCode {
    let feats: Vec<(String, Feat)> = all().into_iter().map(|(name, feat, _)| (name, feat)).collect();
    let (_, feat) = feats.iter().find(|(known, _)| known == name).expect("a captive of this name");
    feat()
}

/// What is expected of a captive's end.
#[derive(Clone, Copy)]
enum End {
    Signal(i32),
    Exit(u8),
}

fn watch(filter: &str) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for (name, _, expected) in all().into_iter().filter(|(name, ..)| name.contains(filter)) {
        for is_nobody in [false, true] {
            let status = start(&name, is_nobody);
            let right = match expected {
                End::Signal(signal) => status.signal() == Some(signal),
                End::Exit(code) => status.code() == Some(code.into()),
            };
            let user = if is_nobody { "nobody" } else { "who runs this" };
            println!(
                "test {name}, as {user} ... {}",
                if right { "ok".to_owned() } else { format!("FAILED: {status}") }
            );
            if right { passed += 1 } else { failed += 1 }
        }
    }
    println!("\ntest result: {passed} passed; {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts this program again, without an environment, as workers are started; where it can be, as a user without any rights.
fn start(name: &str, is_nobody: bool) -> ExitStatus {
    let exe = std::env::current_exe().expect("this program");
    // SAFETY: it takes nothing and changes nothing.
    if !is_nobody || unsafe { libc::geteuid() } != 0 {
        return Command::new(exe).args(["captive", name]).env_clear().status().expect("a captive");
    }
    // Where this lies may be closed to nobody.
    let folder = tempfile::tempdir().expect("a folder");
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("an open folder");
    let copy = folder.path().join("captive");
    std::fs::copy(exe, &copy).expect("a copy");
    let mut command = Command::new(&copy);
    command.args(["captive", name]).env_clear().uid(NOBODY).gid(NOBODY).current_dir("/");
    command.status().expect("a captive")
}

/// Every test: a sentence, what the captive does, and how it must end.
fn all() -> Vec<(String, Feat, End)> {
    let killed = End::Signal(libc::SIGSYS);
    let refused = End::Exit(REFUSED);
    let fine = End::Exit(0);
    let mut all = Vec::new();
    let mut test = |name: &str, feat: Feat, end: End| all.push((name.to_owned(), feat, end));

    // E-36: what the list of system calls stops, each on the thread that was there before and on the first one.
    test(
        "a captive that opens a file dies",
        || locked(|| call(libc::SYS_openat, [at(), path(), 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that opens a file the newer way dies",
        || locked(|| call(libc::SYS_openat2, [at(), path(), 0, 24, 0, 0])),
        killed,
    );
    test(
        "a captive that asks what a file is like dies",
        || locked(|| call(libc::SYS_statx, [at(), path(), 0, 0xfff, scratch(), 0])),
        killed,
    );
    test(
        "a captive that asks what a file is like the older way dies",
        || locked(|| call(libc::SYS_newfstatat, [at(), path(), scratch(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that reads a link dies",
        || locked(|| call(libc::SYS_readlinkat, [at(), path(), scratch(), 100, 0, 0])),
        killed,
    );
    test(
        "a captive that makes a file in memory dies",
        || locked(|| call(libc::SYS_memfd_create, [path(), 0, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that makes a TCP socket dies",
        || locked(|| socket(libc::AF_INET, libc::SOCK_STREAM)),
        killed,
    );
    test(
        "a captive that makes a UDP socket dies",
        || locked(|| socket(libc::AF_INET, libc::SOCK_DGRAM)),
        killed,
    );
    test(
        "a captive that makes a unix socket dies",
        || locked(|| socket(libc::AF_UNIX, libc::SOCK_STREAM)),
        killed,
    );
    test(
        "a captive that makes a raw socket dies",
        || locked(|| socket(libc::AF_PACKET, libc::SOCK_RAW)),
        killed,
    );
    test(
        "a captive that connects dies",
        || locked(|| call(libc::SYS_connect, [0, scratch(), 16, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that sends to an address dies",
        || locked(|| call(libc::SYS_sendto, [0, scratch(), 1, 0, scratch(), 16])),
        killed,
    );
    test(
        "a captive that starts a program dies",
        || locked(|| call(libc::SYS_execve, [path(), 0, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that starts a program by descriptor dies",
        || locked(|| call(libc::SYS_execveat, [0, path(), 0, 0, 0, 0])),
        killed,
    );
    // S-04: one is too many.
    test("a captive that forks dies", || locked(s_04_one_fork), killed);
    test(
        "a captive that forks the newer way dies",
        || locked(|| call(libc::SYS_clone3, [scratch(), 88, 0, 0, 0, 0])),
        killed,
    );
    #[cfg(target_arch = "x86_64")]
    test("a captive that forks the oldest way dies", || locked(|| call(libc::SYS_vfork, [0; 6])), killed);
    test(
        "a captive that starts a thread dies",
        || {
            locked(|| {
                thread::spawn(|| ());
                Ok(0)
            })
        },
        killed,
    );
    test(
        "a captive that traces its parent dies",
        || locked(|| call(libc::SYS_ptrace, [libc::PTRACE_ATTACH.into(), parent(), 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that reads its parent's memory dies",
        || locked(|| call(libc::SYS_process_vm_readv, [parent(), scratch(), 1, scratch(), 1, 0])),
        killed,
    );
    test(
        "a captive that writes its parent's memory dies",
        || locked(|| call(libc::SYS_process_vm_writev, [parent(), scratch(), 1, scratch(), 1, 0])),
        killed,
    );
    test(
        "a captive that signals its parent dies",
        || locked(|| call(libc::SYS_kill, [parent(), 0, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that signals its parent's thread dies",
        || locked(|| call(libc::SYS_tgkill, [parent(), parent(), 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that signals by descriptor dies",
        || locked(|| call(libc::SYS_pidfd_send_signal, [0, 0, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that has itself signalled by a descriptor dies",
        || locked(|| call(libc::SYS_fcntl, [0, libc::F_SETOWN.into(), parent(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that makes memory executable dies",
        || {
            locked(|| {
                call(libc::SYS_mprotect, [page(), 4096, (libc::PROT_READ | libc::PROT_EXEC).into(), 0, 0, 0])
            })
        },
        killed,
    );
    test(
        "a captive that makes memory executable by a key dies",
        || locked(|| call(libc::SYS_pkey_mprotect, [page(), 4096, libc::PROT_EXEC.into(), -1, 0, 0])),
        killed,
    );
    test("a captive that maps executable memory dies", || locked(map_executable), killed);
    test(
        "a captive that maps shared memory, which nobody counts, dies",
        || locked(|| map(libc::MAP_SHARED | libc::MAP_ANONYMOUS)),
        killed,
    );
    test(
        "a captive that maps a stack, which nobody counts, dies",
        || locked(|| map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN)),
        killed,
    );
    test(
        "a captive that takes a page of memory from the machine dies",
        || locked(|| call(libc::SYS_madvise, [page(), 4096, libc::MADV_HWPOISON.into(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that takes a page of memory from the machine softly dies",
        || locked(|| call(libc::SYS_madvise, [page(), 4096, libc::MADV_SOFT_OFFLINE.into(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that has its pages merged with those of others dies",
        || locked(|| call(libc::SYS_madvise, [page(), 4096, libc::MADV_MERGEABLE.into(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that hides the right to execute among other bits dies",
        || locked(|| call(libc::SYS_mprotect, [page(), 4096, 0x0f00_0000_0000_0007, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that attaches shared memory dies",
        || locked(|| call(libc::SYS_shmat, [0, 0, libc::SHM_EXEC.into(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that sets up an io_uring dies",
        || locked(|| call(libc::SYS_io_uring_setup, [8, scratch(), 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that sets up asynchronous IO dies",
        || locked(|| call(libc::SYS_io_setup, [8, scratch(), 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that loads a program into the kernel dies",
        || locked(|| call(libc::SYS_bpf, [0, scratch(), 48, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that counts events dies",
        || locked(|| call(libc::SYS_perf_event_open, [scratch(), 0, -1, -1, 0, 0])),
        killed,
    );
    test(
        "a captive that handles page faults dies",
        || locked(|| call(libc::SYS_userfaultfd, [0; 6])),
        killed,
    );
    test(
        "a captive that asks Landlock for another set of rules dies",
        || locked(|| call(libc::SYS_landlock_create_ruleset, [scratch(), 8, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that adds a filter dies",
        || locked(|| call(libc::SYS_seccomp, [1, 0, scratch(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that wants to outlive its parent dies",
        || locked(|| call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG.into(), 0, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that wants to be dumped dies",
        || locked(|| call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE.into(), 1, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that becomes somebody else dies",
        || locked(|| call(libc::SYS_setresuid, [0, 0, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that makes a namespace dies",
        || locked(|| call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0, 0, 0])),
        killed,
    );
    test(
        "a captive that mounts dies",
        || locked(|| call(libc::SYS_mount, [path(), path(), path(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that raises a limit dies",
        || locked(|| call(libc::SYS_prlimit64, [0, 4, scratch(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that talks to a device dies",
        || locked(|| call(libc::SYS_ioctl, [0, 0x5412, scratch(), 0, 0, 0])),
        killed,
    );
    test(
        "a captive that makes a call of which there is none dies",
        || locked(|| call(100_000, [0; 6])),
        killed,
    );
    #[cfg(target_arch = "x86_64")]
    test(
        "a captive that numbers its calls in another way dies",
        || locked(|| call(0x4000_0000 | libc::SYS_getpid, [0; 6])),
        killed,
    );
    test(
        "the first thread of a captive is as locked in as the others",
        || {
            lock();
            answer(call(libc::SYS_openat, [at(), path(), 0, 0, 0, 0]))
        },
        killed,
    );

    test(
        "a captive that asks for nothing gets nothing",
        || locked(|| if call(-1, [0; 6]) == Err(libc::ENOSYS) { Err(libc::EPERM) } else { Ok(0) }),
        refused,
    );

    test(
        "whoever is bounded has no capability left, whoever it was",
        || {
            let _bounded = bound(&bounds()).expect("bounds");
            let left = rustix::thread::capabilities(None).expect("an answer");
            assert!((left.effective | left.permitted | left.inheritable).is_empty(), "{left:?}");
            ExitCode::SUCCESS
        },
        fine,
    );

    // Each wall holds without the list, too.
    test(
        "within the walls no file is opened",
        || walled(|| call(libc::SYS_openat, [at(), path(), 0, 0, 0, 0])),
        refused,
    );
    test(
        "within the walls no file is made",
        || {
            walled(|| {
                call(
                    libc::SYS_openat,
                    [at(), new_path(), (libc::O_CREAT | libc::O_WRONLY).into(), 0o600, 0, 0],
                )
            })
        },
        refused,
    );
    test(
        "within the walls no program is started",
        || walled(|| call(libc::SYS_execve, [path_of_shell(), 0, 0, 0, 0, 0])),
        refused,
    );
    test("within the walls nobody is connected to", || walled(connect), refused);
    test(
        "within the walls nobody is signalled",
        || walled(|| call(libc::SYS_kill, [parent(), 0, 0, 0, 0, 0])),
        refused,
    );
    test(
        "within the walls no memory becomes executable",
        || {
            walled(|| {
                call(libc::SYS_mprotect, [page(), 4096, (libc::PROT_READ | libc::PROT_EXEC).into(), 0, 0, 0])
            })
        },
        refused,
    );
    test("within the walls no executable memory is mapped", || walled(map_executable), refused);

    // What a worker needs it can do.
    test("a captive gets memory and gives it back", || at_home(allocate), fine);
    test("a captive's threads wait for each other", || at_home(talk), fine);
    test(
        "a captive survives a panic that it catches",
        || {
            at_home(|| {
                let _ = std::panic::catch_unwind(|| panic!("on purpose"));
            })
        },
        fine,
    );
    test(
        "a captive looks at the clock and at a map",
        || {
            at_home(|| {
                let _ = (Instant::now(), HashMap::from([(1, 2)]).len());
            })
        },
        fine,
    );
    test("a captive writes and reads what it was handed", || at_home(write), fine);
    test("a captive whose thread ends goes on", end_of_a_thread, fine);
    test(
        "a captive that gives up dies of that",
        || at_home(|| std::process::abort()),
        End::Signal(libc::SIGABRT),
    );
    test(
        "a captive that is out of memory dies of that",
        || {
            at_home(|| {
                let much: Vec<u8> = std::hint::black_box(vec![1; 1 << 40]);
                drop(much);
            })
        },
        End::Signal(libc::SIGABRT),
    );
    test(
        "a captive without a stack dies of that",
        || {
            at_home(|| {
                recurse(0);
            })
        },
        End::Signal(libc::SIGABRT),
    );
    test(
        "a captive that reads what is not there dies of that",
        || {
            at_home(|| {
                // SAFETY: there is none: nothing lies there, which is what is tried.
                unsafe { std::ptr::read_volatile(8 as *const u8) };
            })
        },
        End::Signal(libc::SIGSEGV),
    );

    // S-07: a kernel that lacks something.
    test(
        "a kernel without Landlock gives L2 and says so",
        || without(libc::SYS_landlock_create_ruleset, None, Isolation::L2, "Landlock: "),
        fine,
    );
    test(
        "a kernel that cannot refuse executable memory gives L2 and says so",
        || without(libc::SYS_prctl, Some(libc::PR_SET_MDWE as u64), Isolation::L2, "executable memory: "),
        fine,
    );
    test(
        "a kernel without seccomp gives L1 and says so",
        || without(libc::SYS_seccomp, None, Isolation::L1, "seccomp: "),
        fine,
    );
    test("a kernel without anything gives L1 and says all of it", nothing_but_limits, fine);
    test(
        "this machine gives all of it",
        || {
            assert_eq!(lock(), Confinement { level: Isolation::L3, missing: vec![] });
            ExitCode::SUCCESS
        },
        fine,
    );
    test(
        "what a parent left open is closed",
        || {
            assert!(file_left_open_is_closed());
            ExitCode::SUCCESS
        },
        fine,
    );
    all
}

// --- Locking in -------------------------------------------------------------------------------------------------------------

/// A thread that was there before the last wall.
struct Helper {
    calls: Sender<Box<dyn FnOnce() + Send>>,
}

fn helper() -> Helper {
    let (calls, theirs): (_, Receiver<Box<dyn FnOnce() + Send>>) = channel();
    let (stands, standing) = channel();
    thread::spawn(move || {
        stands.send(()).expect("somebody waits");
        theirs.into_iter().for_each(|call| call());
    });
    standing.recv().expect("a thread");
    Helper { calls }
}

impl Helper {
    fn run<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, result) = channel();
        self.calls.send(Box::new(move || drop(tell.send(call())))).expect("a thread");
        result.recv().expect("a result")
    }
}

fn bounds() -> Bounds {
    Bounds { data_bytes: 512 << 20, address_bytes: None, file_bytes: 1 << 30, files: 64 }
}

fn lock() -> Confinement {
    bound(&bounds()).expect("bounds").wall_in().lock()
}

/// Makes a call behind all walls, on a thread that was there before the last of them.
fn locked(feat: fn() -> Result<c_long, i32>) -> ExitCode {
    let walled = bound(&bounds()).expect("bounds").wall_in();
    let helper = helper();
    assert_eq!(walled.lock().level, Isolation::L3);
    answer(helper.run(feat))
}

/// Makes a call behind all walls but the last.
fn walled(feat: fn() -> Result<c_long, i32>) -> ExitCode {
    let _walled = bound(&bounds()).expect("bounds").wall_in();
    answer(helper().run(feat))
}

fn answer(result: Result<c_long, i32>) -> ExitCode {
    match result {
        Err(libc::EPERM | libc::EACCES) => ExitCode::from(REFUSED),
        _ => ExitCode::from(WENT_THROUGH),
    }
}

/// Does something behind all walls that a worker does.
fn at_home(work: fn()) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| drop(writeln!(std::io::sink(), "{panic}"))));
    let walled = bound(&bounds()).expect("bounds").wall_in();
    let helper = helper();
    assert_eq!(walled.lock().level, Isolation::L3);
    helper.run(work);
    work();
    ExitCode::SUCCESS
}

// --- What captives do -------------------------------------------------------------------------------------------------------

fn call(number: c_long, a: [c_long; 6]) -> Result<c_long, i32> {
    // SAFETY: what the kernel writes, it writes to memory of ours that is large enough; what goes wrong is the point.
    let result = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) };
    if result < 0 { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { Ok(result) }
}

fn at() -> c_long {
    libc::AT_FDCWD.into()
}

fn path() -> c_long {
    c"/etc/passwd".as_ptr() as c_long
}

fn path_of_shell() -> c_long {
    c"/bin/true".as_ptr() as c_long
}

fn new_path() -> c_long {
    c"/tmp/made-by-a-captive".as_ptr() as c_long
}

fn scratch() -> c_long {
    Box::leak(Box::new([0_u64; 64])).as_ptr() as c_long
}

fn page() -> c_long {
    let layout = Layout::from_size_align(4096, 4096).expect("a layout");
    // SAFETY: the layout has a size.
    unsafe { alloc(layout) as c_long }
}

fn parent() -> c_long {
    // SAFETY: it takes nothing and changes nothing.
    unsafe { libc::getppid() }.into()
}

fn socket(family: i32, kind: i32) -> Result<c_long, i32> {
    call(libc::SYS_socket, [family.into(), kind.into(), 0, 0, 0, 0])
}

/// A fork bomb begins with one.
fn s_04_one_fork() -> Result<c_long, i32> {
    call(libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0, 0, 0, 0])
}

fn map_executable() -> Result<c_long, i32> {
    let (how, what) =
        (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    call(libc::SYS_mmap, [0, 4096, how.into(), what.into(), -1, 0])
}

fn map(what: i32) -> Result<c_long, i32> {
    call(libc::SYS_mmap, [0, 4096, (libc::PROT_READ | libc::PROT_WRITE).into(), what.into(), -1, 0])
}

/// Connects to a port of this machine where nobody listens: without the wall that would be refused in another way.
fn connect() -> Result<c_long, i32> {
    let fd = socket(libc::AF_INET, libc::SOCK_STREAM)?;
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 1_u16.to_be(),
        sin_addr: libc::in_addr { s_addr: 0x7f00_0001_u32.to_be() },
        sin_zero: [0; 8],
    };
    call(libc::SYS_connect, [fd, (&raw const address) as c_long, 16, 0, 0, 0])
}

fn allocate() {
    for bytes in [100, 100_000, 100_000_000] {
        let layout = Layout::from_size_align(bytes, 16).expect("a layout");
        // SAFETY: the layout has a size, and the memory is given back as it was taken.
        unsafe {
            let memory = alloc(layout);
            assert!(!memory.is_null());
            memory.write_bytes(1, bytes);
            dealloc(memory, layout);
        }
    }
}

fn talk() {
    let (there, heard) = channel();
    (0..1000).for_each(|n| there.send(n).expect("an ear"));
    drop(there);
    assert_eq!(heard.into_iter().sum::<i32>(), 499_500);
    thread::yield_now();
}

fn write() {
    // Standard error is all that a captive of this test has.
    let mut handed = std::io::stderr();
    handed.write_all(b"").and_then(|()| handed.flush()).expect("written");
}

fn end_of_a_thread() -> ExitCode {
    let walled = bound(&bounds()).expect("bounds").wall_in();
    let ((go, going), (stands, standing)) = (channel::<()>(), channel::<()>());
    let ending = thread::spawn(move || {
        stands.send(()).expect("somebody waits");
        going.recv()
    });
    standing.recv().expect("a thread");
    let helper = helper();
    assert_eq!(walled.lock().level, Isolation::L3);
    drop(go);
    let _ = ending.join().expect("no panic");
    helper.run(|| ());
    ExitCode::SUCCESS
}

fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    let room = std::hint::black_box([depth; 100]);
    recurse(depth + 1) + room[3]
}

// --- Other kernels ----------------------------------------------------------------------------------------------------------

/// Makes this process believe that the kernel has no such call, or none with this first argument.
fn forget(call: c_long, first: Option<u64>) {
    let is_first = |value| {
        let first =
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).expect("a condition");
        SeccompRule::new(vec![first]).expect("a rule")
    };
    let rules = BTreeMap::from([(call, first.map(is_first).into_iter().collect())]);
    let errno = if first.is_some() { libc::EINVAL } else { libc::ENOSYS };
    let processor = std::env::consts::ARCH.try_into().expect("a processor");
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno as u32), processor);
    let program = BpfProgram::try_from(filter.expect("a filter")).expect("a program");
    seccompiler::apply_filter(&program).expect("a filter that holds");
}

fn without(call: c_long, first: Option<u64>, level: Isolation, says: &str) -> ExitCode {
    forget(call, first);
    let confinement = lock();
    assert_eq!((confinement.level, confinement.missing.len()), (level, 1), "{confinement:?}");
    assert!(confinement.missing[0].starts_with(says), "{confinement:?}");
    assert!(confinement.check(Isolation::L3).is_err());
    ExitCode::SUCCESS
}

fn nothing_but_limits() -> ExitCode {
    forget(libc::SYS_landlock_create_ruleset, None);
    forget(libc::SYS_prctl, Some(libc::PR_SET_MDWE as u64));
    forget(libc::SYS_seccomp, None);
    let confinement = lock();
    assert_eq!((confinement.level, confinement.missing.len()), (Isolation::L1, 3), "{confinement:?}");
    ExitCode::SUCCESS
}

fn file_left_open_is_closed() -> bool {
    let left_open = std::fs::File::open("/dev/null").expect("a file");
    let fd = std::os::fd::IntoRawFd::into_raw_fd(left_open);
    // SAFETY: the only descriptor there is has just been given up.
    if unsafe { close_inherited() }.is_err() {
        exit(1);
    }
    // SAFETY: it takes numbers.
    unsafe { libc::fcntl(fd, libc::F_GETFD) < 0 }
}
