//! Names the rule that a plugin breaks by touching memory of the arena, in the moment before it dies of it.

use std::{
    ffi::{c_int, c_void},
    io, mem, ptr,
};

use super::arena;
use crate::check::{code::Code, report};

/// Catches memory faults of the process. After [`arena::set_up`] and [`report::open`].
pub(crate) fn install() -> io::Result<()> {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: all zero is a valid value of this C struct.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = on_fault as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: the handler only makes async-signal-safe calls, and has the type that SA_SIGINFO asks for.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Writes down the rule, and lets the fault happen again, this time deadly.
extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the system passes a valid one.
    let info = unsafe { info.as_ref() };
    // SAFETY: for these two signals it has an address.
    let address = info.map(|info| unsafe { info.si_addr() }.addr());
    if let Some(rule) = address.and_then(arena::rule_at) {
        let line: &[u8] = match rule {
            Code::LateRead => b"{\"fault\":\"late-read\"}\n",
            Code::WritesRequest => b"{\"fault\":\"writes-request\"}\n",
            Code::WritesState => b"{\"fault\":\"writes-state\"}\n",
            Code::StateAfterEnd => b"{\"fault\":\"state-after-end\"}\n",
            Code::TouchesHostCtx => b"{\"fault\":\"touches-host-ctx\"}\n",
            _ => b"{\"fault\":\"reads-past-end\"}\n",
        };
        // SAFETY: `write` is async-signal-safe, and the bytes are static. A report that is lost leaves a plain crash.
        let _lost = unsafe { libc::write(report::descriptor(), line.as_ptr().cast(), line.len()) };
    }
    // SAFETY: async-signal-safe; the default action ends the process when the instruction is tried again.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
