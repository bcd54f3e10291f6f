//! How much memory this process has, from `/proc`; elsewhere nothing is known.

/// Resident memory in bytes: the pages that are there, of heap, maps and code alike.
#[must_use]
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().split(' ').next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Gives what is free in the heap back to the system, so that a measurement does not find the pages of the one before.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> i32;
        }
        // SAFETY: takes any number, from any thread; touches free memory alone.
        unsafe { malloc_trim(0) };
    }
}
