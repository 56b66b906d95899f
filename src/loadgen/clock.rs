//! The load generator's clocks, in one place. Not virtual: it measures real time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Monotonic time.
#[expect(clippy::disallowed_methods, reason = "the load generator measures real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds of the machine's clock, the same for every process on it.
#[expect(clippy::disallowed_methods, reason = "two processes on one machine share only this clock")]
pub(super) fn machine_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos() as u64
}

/// CPU time this thread has used.
pub(super) fn thread_cpu() -> Duration {
    cpu_clock(ClockId::ThreadCPUTime)
}

/// CPU time this process has used.
pub(super) fn own_cpu() -> Duration {
    cpu_clock(ClockId::ProcessCPUTime)
}

fn cpu_clock(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// CPU time of a process, in the kernel's ticks of 10 ms; zero when there is no such process.
pub(super) fn process_cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold spaces; the fields are counted from behind it. User and system time are the 14th and 15th of proc_pid_stat(5).
    let Some((_, fields)) = stat.rsplit_once(") ") else { return Duration::ZERO };
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process, bytes; zero when there is no such process.
pub(super) fn process_rss(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
