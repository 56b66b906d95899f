//! Letters to account holders: what they say, and the one task that sends them.
//!
//! Requests never wait for a mail server: a letter goes into a bounded queue (full: it is dropped and counted; people can ask again) and
//! is tried a few times. Without a mail server letters are written to the log, links and all: whoever reads the log runs the server.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::{MAIL_PAUSE, MAIL_QUEUE, MAIL_TIMEOUT, MAIL_TRIES};
use crate::telemetry::ACCOUNTS_LETTERS;

/// How letters are sent.
#[derive(Clone)]
pub struct MailSettings {
    /// As lettre reads it; may hold a password.
    pub smtp_url: String,
    pub from: String,
}

impl std::fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailSettings").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Why no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("smtp_url is not right: {0}")]
    Server(#[from] lettre::transport::smtp::Error),
    #[error("mail_from is not an address: {0}")]
    From(#[from] lettre::address::AddressError),
}

/// One letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) subject: &'static str,
    pub(crate) text: String,
}

impl Letter {
    /// Codes are in the fragment of the link: browsers send it to no server, so it is in no log on the way.
    pub(crate) fn verify(to: &str, name: &str, base: &str, code: &str) -> Self {
        let text = format!(
            "Hello {name},\n\nto confirm this e-mail address, open\n\n{base}/account/verify#{code}\n\n\
             The link works for a day. If you have not asked for this, do nothing.\n"
        );
        Self { to: to.to_owned(), subject: "Confirm your e-mail address", text }
    }

    pub(crate) fn reset(to: &str, name: &str, base: &str, code: &str) -> Self {
        let text = format!(
            "Hello {name},\n\nto choose a new password, open\n\n{base}/account/reset#{code}\n\n\
             The link works once, for an hour. If you have not asked for this, do nothing: your password stays as it is.\n"
        );
        Self { to: to.to_owned(), subject: "Choose a new password", text }
    }

    pub(crate) fn notice(to: &str, name: &str, what: &str, base: &str) -> Self {
        let text = format!(
            "Hello {name},\n\n{what}\n\nIf that was not you, choose a new password at {base} at once: it signs out every device.\n"
        );
        Self { to: to.to_owned(), subject: "Your account was changed", text }
    }
}

/// The way into the queue. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Mailer {
    queue: mpsc::Sender<Letter>,
}

enum Post {
    Log,
    Smtp { transport: Box<AsyncSmtpTransport<Tokio1Executor>>, from: Mailbox },
}

impl Mailer {
    /// Starts the task on `tasks`; it ends when `stopping` is cancelled, unsent letters and all.
    ///
    /// # Errors
    /// [`MailError`].
    pub(crate) fn start(settings: Option<&MailSettings>, tasks: &TaskTracker, stopping: CancellationToken) -> Result<Self, MailError> {
        let post = match settings {
            None => Post::Log,
            Some(settings) => {
                let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&settings.smtp_url)?.timeout(Some(MAIL_TIMEOUT)).build();
                Post::Smtp { transport: Box::new(transport), from: settings.from.parse()? }
            }
        };
        let (queue, letters) = mpsc::channel(MAIL_QUEUE);
        tasks.spawn(stopping.run_until_cancelled_owned(deliver(post, letters)));
        Ok(Self { queue })
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> (Self, mpsc::Receiver<Letter>) {
        let (queue, letters) = mpsc::channel(MAIL_QUEUE);
        (Self { queue }, letters)
    }

    pub(crate) fn send(&self, letter: Letter) {
        if self.queue.try_send(letter).is_err() {
            tracing::warn!("a letter was dropped: too many are waiting");
            count("dropped");
        }
    }
}

async fn deliver(post: Post, mut letters: mpsc::Receiver<Letter>) {
    while let Some(letter) = letters.recv().await {
        match &post {
            Post::Log => {
                tracing::info!(to = letter.to, subject = letter.subject, "no mail server is configured; the letter:\n{}", letter.text);
                count("logged");
            }
            Post::Smtp { transport, from } => count(if post_letter(transport, from, &letter).await { "sent" } else { "failed" }),
        }
    }
}

async fn post_letter(transport: &AsyncSmtpTransport<Tokio1Executor>, from: &Mailbox, letter: &Letter) -> bool {
    let message = match letter.to.parse().map(|to| Message::builder().from(from.clone()).to(to).subject(letter.subject)) {
        Ok(builder) => builder.body(letter.text.clone()),
        Err(error) => {
            tracing::warn!(%error, "a letter has no address");
            return false;
        }
    };
    let Ok(message) = message else { return false };
    let mut pause = MAIL_PAUSE;
    for attempt in 1..=MAIL_TRIES {
        match timeout(MAIL_TIMEOUT, transport.send(message.clone())).await {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) if error.is_permanent() => {
                tracing::warn!(%error, "the mail server refuses a letter");
                return false;
            }
            Ok(Err(error)) => tracing::warn!(%error, attempt, "a letter was not sent"),
            Err(_) => tracing::warn!(attempt, "the mail server does not answer"),
        }
        if attempt < MAIL_TRIES {
            rest(pause).await;
            pause *= 2;
        }
    }
    false
}

#[expect(clippy::disallowed_methods, reason = "a shell: between two attempts there is nothing to wait for but time")]
async fn rest(pause: Duration) {
    tokio::time::sleep(pause).await;
}

fn count(result: &'static str) {
    metrics::counter!(ACCOUNTS_LETTERS, "result" => result).increment(1);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// A mail server of a few lines: what it was sent.
    async fn take_one(listener: TcpListener) -> String {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 here\r\n").await.unwrap();
        let (mut letter, mut is_text) = (String::new(), false);
        while let Some(line) = lines.next_line().await.unwrap() {
            let answer: &[u8] = match line.as_str() {
                "." => b"250 kept\r\n",
                _ if is_text => b"",
                "DATA" => b"354 go on\r\n",
                _ => b"250 fine\r\n",
            };
            is_text = (is_text && line != ".") || line == "DATA";
            letter += &(line.clone() + "\n");
            writer.write_all(answer).await.unwrap();
            if line == "." {
                break;
            }
        }
        letter
    }

    #[tokio::test]
    async fn a_letter_reaches_the_mail_server_with_its_link() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let smtp_url = format!("smtp://{}", listener.local_addr().unwrap());
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let settings = MailSettings { smtp_url, from: "Courtside <no-reply@example.org>".to_owned() };
        let mailer = Mailer::start(Some(&settings), &tasks, stopping.clone()).unwrap();
        mailer.send(Letter::verify("ann@example.org", "Ann", "https://sport.example.org", "c0de"));
        let letter = take_one(listener).await;
        for expected in ["MAIL FROM:<no-reply@example.org>", "RCPT TO:<ann@example.org>", "https://sport.example.org/account/verify#c0de"] {
            assert!(letter.contains(expected), "{expected} is not in\n{letter}");
        }
        stopping.cancel();
        tasks.close();
        tasks.wait().await;
        // Nobody takes them any more: dropped, not waited for.
        (0..MAIL_QUEUE + 2).for_each(|_| mailer.send(Letter::reset("ann@example.org", "Ann", "x", "y")));
    }

    #[tokio::test]
    async fn wrong_settings_are_told_at_start() {
        let start = |smtp_url: &str, from: &str| {
            let settings = MailSettings { smtp_url: smtp_url.to_owned(), from: from.to_owned() };
            Mailer::start(Some(&settings), &TaskTracker::new(), CancellationToken::new()).map(drop)
        };
        assert!(matches!(start("mail", "a@b.org"), Err(MailError::Server(_))));
        assert!(matches!(start("smtp://mail", "nobody"), Err(MailError::From(_))));
    }
}
