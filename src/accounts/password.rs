//! Passwords: argon2id (RFC 9106), computed on threads of their own.
//!
//! The threads are few, because each takes 19 MiB and a core for 30 ms, and they run at a lower priority than everything else: a storm of
//! sign-ins waits here and not in the media plane or the chat. Their queue is bounded; when it is full the person is told to come back.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use rand::RngCore;
use tokio::sync::oneshot;

use crate::limits::{PASSWORD_MEMORY_KIB, PASSWORD_NICENESS, PASSWORD_PASSES, PASSWORD_QUEUE, PASSWORD_THREADS_MAX};
use crate::telemetry::ACCOUNTS_PASSWORDS_REFUSED;

/// RFC 9106 section 3.1 recommends 16 bytes.
const SALT_LEN: usize = 16;

/// What one computation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Cost {
    /// What the OWASP password storage cheat sheet asks of argon2id.
    pub const STANDARD: Self = Self { memory_kib: PASSWORD_MEMORY_KIB, passes: PASSWORD_PASSES };

    fn params(self) -> Params {
        Params::new(self.memory_kib, self.passes, 1, None).expect("both constants are within argon2's bounds")
    }

    /// The PHC string of a password with a salt of its own.
    pub fn hash(self, password: &str) -> String {
        let mut salt = [0; SALT_LEN];
        rand::rng().fill_bytes(&mut salt);
        let hash = Argon2::from(self.params()).hash_password_with_salt(password.as_bytes(), &salt);
        hash.expect("the salt has the recommended length, and any password is hashed").to_string()
    }

    /// Compares at the cost that the stored text names.
    fn check(self, password: &str, stored: &str) -> Check {
        let Ok(hash) = PasswordHash::new(stored) else { return Check::Wrong };
        if Argon2::default().verify_password(password.as_bytes(), &hash).is_err() {
            return Check::Wrong;
        }
        match Params::try_from(&hash) {
            Ok(params) if (params.m_cost(), params.t_cost()) == (self.memory_kib, self.passes) => Check::Right,
            _ => Check::RightButCheap,
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Right,
    /// Right, and stored at another cost than today's: hash it again.
    RightButCheap,
    Wrong,
}

/// Every thread is busy and the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

enum Job {
    Hash { password: String, reply: oneshot::Sender<String> },
    Check { password: String, stored: String, reply: oneshot::Sender<Check> },
}

/// The threads and their queue. Cheap to clone.
#[derive(Clone)]
pub(super) struct Passwords {
    threads: Arc<Threads>,
    /// Of a text that nobody has chosen: compared with where there is no account, so that both take as long.
    decoy: Arc<str>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Passwords {
    /// Starts the threads: at most half of the cores.
    pub(super) fn start(cost: Cost) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let decoy = cost.hash(&rand::rng().next_u64().to_string()).into();
        Self { threads: Arc::new(Threads::start(cost, (cores / 2).clamp(1, PASSWORD_THREADS_MAX))), decoy }
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`Busy`].
    pub(super) async fn hash(&self, password: String) -> Result<String, Busy> {
        let (reply, hashed) = oneshot::channel();
        self.threads.offer(Job::Hash { password, reply })?;
        hashed.await.map_err(|_| Busy)
    }

    /// Compares a password with what is stored; with `None` it takes as long and is wrong.
    ///
    /// # Errors
    /// [`Busy`].
    pub(super) async fn check(&self, password: String, stored: Option<&str>) -> Result<Check, Busy> {
        let (reply, checked) = oneshot::channel();
        self.threads.offer(Job::Check { password, stored: stored.unwrap_or(&self.decoy).to_owned(), reply })?;
        let check = checked.await.map_err(|_| Busy)?;
        Ok(if stored.is_some() { check } else { Check::Wrong })
    }
}

struct Threads {
    /// `None` only while dropping.
    jobs: Option<SyncSender<Job>>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    fn start(cost: Cost, count: usize) -> Self {
        let (jobs, waiting) = sync_channel(PASSWORD_QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let start = |number: usize| {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name(format!("password-{number}"));
            thread.spawn(move || work(cost, &waiting)).expect("the system has a thread left at start")
        };
        Self { jobs: Some(jobs), handles: (0..count).map(start).collect() }
    }

    fn offer(&self, job: Job) -> Result<(), Busy> {
        self.jobs.as_ref().and_then(|jobs| jobs.try_send(job).ok()).ok_or_else(|| {
            metrics::counter!(ACCOUNTS_PASSWORDS_REFUSED).increment(1);
            Busy
        })
    }
}

impl Drop for Threads {
    /// Nobody waits for an answer any more, so what is queued is skipped and this takes one computation at most.
    fn drop(&mut self) {
        self.jobs = None;
        for handle in self.handles.drain(..) {
            if handle.join().is_err() {
                tracing::error!("a password thread had panicked");
            }
        }
    }
}

fn work(cost: Cost, waiting: &Mutex<Receiver<Job>>) {
    lower_priority();
    loop {
        let job = waiting.lock().expect("no panic happens while the lock is held: it is held to wait").recv();
        match job {
            Ok(Job::Hash { password, reply }) if !reply.is_closed() => drop(reply.send(cost.hash(&password))),
            Ok(Job::Check { password, stored, reply }) if !reply.is_closed() => drop(reply.send(cost.check(&password, &stored))),
            // Whoever asked has gone.
            Ok(Job::Hash { .. } | Job::Check { .. }) => {}
            Err(_) => return,
        }
    }
}

/// On Linux a thread has a priority of its own.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), PASSWORD_NICENESS) {
        tracing::warn!(%error, "password checks run at normal priority");
    }
}

#[cfg(test)]
pub(crate) const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_or_wrong_and_never_stored() {
        let passwords = Passwords::start(CHEAP);
        let stored = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$") && !stored.contains("horse"), "{stored}");
        assert_ne!(stored, passwords.hash("correct horse".to_owned()).await.unwrap(), "each has a salt of its own");
        assert_eq!(passwords.check("correct horse".to_owned(), Some(&stored)).await, Ok(Check::Right));
        assert_eq!(passwords.check("Correct horse".to_owned(), Some(&stored)).await, Ok(Check::Wrong));
        assert_eq!(passwords.check("correct horse".to_owned(), None).await, Ok(Check::Wrong));
        assert_eq!(passwords.check("correct horse".to_owned(), Some("garbage")).await, Ok(Check::Wrong));
    }

    #[tokio::test]
    async fn a_password_stored_at_another_cost_is_right_but_cheap() {
        let stored = CHEAP.hash("correct horse");
        let passwords = Passwords::start(Cost { memory_kib: 16, passes: 1 });
        assert_eq!(passwords.check("correct horse".to_owned(), Some(&stored)).await, Ok(Check::RightButCheap));
    }

    #[test]
    fn the_standard_cost_is_what_is_recommended() {
        assert!(Cost::STANDARD.hash("x").starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[tokio::test]
    async fn a_full_queue_is_told_at_once_and_threads_are_low_in_priority() {
        // No threads: what is queued stays queued.
        let (jobs, _waiting) = sync_channel(2);
        let passwords = Passwords { threads: Arc::new(Threads { jobs: Some(jobs), handles: Vec::new() }), decoy: CHEAP.hash("x").into() };
        let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(passwords.hash("x".to_owned()))).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert_eq!(passwords.hash("x".to_owned()).await, Err(Busy));
        assert_eq!(passwords.check("x".to_owned(), None).await, Err(Busy));

        let niceness = std::thread::spawn(|| {
            lower_priority();
            rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap()
        });
        assert_eq!(niceness.join().unwrap(), PASSWORD_NICENESS);
    }
}
