//! The system calls that a locked worker may make. Each is here because something that we know makes it; any other kills the
//! process.
//!
//! What cannot be said by number alone is said by argument: no memory becomes executable or goes uncounted, no signal goes to anybody else, a
//! descriptor is copied and nothing else is done to it. Paths cannot be looked at by such a list, so no call that takes one is
//! on it, not even those that only ask what a file is like.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Calls that are harmless whatever they are asked.
const FREE: &[libc::c_long] = &[
    // Descriptors that the worker was handed: the input, staged files, scratch files, memory for compiled code.
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    // The socket to the supervisor. No other can be made.
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    // Memory, for malloc and for guests; `mmap`, `mprotect` and `madvise` stand below.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    // Threads that exist: locks, channels, parking, and their end. `restart_syscall` is how the kernel goes on with a wait
    // that a stop and a continue have cut in two.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Traps of a guest are signals until wasmtime has looked at them; a stack that overflows is looked at on one of its own.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Progress is told ten times a second, by a clock that is not always in reach without a call.
    libc::SYS_clock_gettime,
    // Seeds of hash maps.
    libc::SYS_getrandom,
    // Who am I: asked by `abort`, which is how a worker out of memory ends.
    libc::SYS_getpid,
    libc::SYS_gettid,
    NO_CALL,
];

/// The number that a tracer puts in the place of a call that it makes fail: the kernel does nothing for it. Without it here,
/// faults injected into a worker that is locked in would all look like a violation.
const NO_CALL: libc::c_long = 0xffff_ffff;

/// What `mmap` is looked at for: only private memory that neither grows by itself nor is kept in place counts against the bound
/// on data. Shared memory and stacks do not.
const KIND_OF_MAPPING: libc::c_int =
    libc::MAP_TYPE | libc::MAP_GROWSDOWN | libc::MAP_LOCKED | libc::MAP_HUGETLB;

/// Advice that malloc and wasmtime give about memory. Other advice merges pages with those of other processes, or takes them
/// from the machine.
const ADVICE: &[libc::c_int] =
    &[libc::MADV_NORMAL, libc::MADV_DONTNEED, libc::MADV_FREE, libc::MADV_HUGEPAGE, libc::MADV_NOHUGEPAGE];

/// Locks all threads of this process to the list.
pub(crate) fn allow_only_listed() -> Result<(), String> {
    let program = program().map_err(|error| error.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

fn program() -> Result<BpfProgram, seccompiler::Error> {
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules()?, SeccompAction::KillProcess, SeccompAction::Allow, processor)?;
    Ok(BpfProgram::try_from(filter)?)
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FREE.iter().map(|&call| (call, Vec::new())).collect();
    let not_executable = || compare(2, Is::MaskedEq(libc::PROT_EXEC as u64), 0);
    let counted = compare(3, Is::MaskedEq(KIND_OF_MAPPING as u64), libc::MAP_PRIVATE as u64)?;
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![not_executable()?, counted])?]);
    rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![not_executable()?])?]);
    let advice = ADVICE.iter().map(|&advice| only(2, Is::Eq, advice as u64));
    rules.insert(libc::SYS_madvise, advice.collect::<Result<_, _>>()?);
    // `abort` signals its own thread.
    rules.insert(libc::SYS_tgkill, vec![only(0, Is::Eq, u64::from(std::process::id()))?]);
    // A second handle of the socket or the input. Others of its commands name a process to be signalled.
    rules.insert(libc::SYS_fcntl, vec![only(1, Is::Eq, libc::F_DUPFD_CLOEXEC as u64)?]);
    Ok(rules)
}

fn only(argument: u8, is: Is, value: u64) -> Result<SeccompRule, seccompiler::Error> {
    Ok(SeccompRule::new(vec![compare(argument, is, value)?])?)
}

/// Compares the lower half of an argument: none of those above has more.
fn compare(argument: u8, is: Is, value: u64) -> Result<Condition, seccompiler::Error> {
    Ok(Condition::new(argument, Width::Dword, is, value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_short_and_no_call_that_takes_a_path_or_makes_a_process_is_on_it() {
        let rules = rules().expect("rules");
        assert!(rules.len() <= 40, "{}", rules.len());
        let never = [
            libc::SYS_openat,
            libc::SYS_newfstatat,
            libc::SYS_statx,
            libc::SYS_readlinkat,
            libc::SYS_unlinkat,
            libc::SYS_renameat2,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_ptrace,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_memfd_create,
            libc::SYS_ioctl,
            libc::SYS_prctl,
            libc::SYS_seccomp,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_process_vm_readv,
            libc::SYS_pidfd_open,
            libc::SYS_prlimit64,
            libc::SYS_pkey_mprotect,
            libc::SYS_shmat,
            libc::SYS_personality,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
        ];
        assert_eq!(never.iter().find(|call| rules.contains_key(call)), None);
    }

    #[test]
    fn the_list_is_one_that_the_kernel_takes() {
        assert!(program().is_ok_and(|program| program.len() < 4096));
    }
}
