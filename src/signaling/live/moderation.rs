//! What moderators see beside the chat: what was done in it, what viewers have reported, who may not write, and which words may
//! not be said; and what everybody sees of the reactions.

use super::Live;
use super::details::line;
use crate::accounts::{Claims, Grant};
use crate::ids::{ActionId, BroadcastId, UserId};
use crate::limits::{ACTIONS_PAGE_MAX, CHAT_NOTE_MAX, REACTION_BUCKET_MS, REPORTS_LISTED_MAX, REPORTS_OPEN_MAX, RESTRAINED_LISTED_MAX};
use crate::signaling::now::Now;
use crate::signaling::protocol::{DeskEvent, MessageId};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::people::{
    AuditEntry, AuditPage, ForbiddenWords, HeatLine, Named, Report, ReportOutcome, ReportResolution, ReportedMessage, RestrainedPage,
};
use crate::store::{ActionRecord, ModeratorAction, NamedUser, ReportRecord};

impl Live {
    pub(crate) async fn audit(&self, who: Option<&Claims>, name: &str, before: Option<ActionId>) -> Result<AuditPage, Refusal> {
        let broadcast = self.moderated(who, name)?;
        let mut actions = self.shared.store.actions_on(broadcast, before, ACTIONS_PAGE_MAX + 1).await?;
        let more = actions.len() > ACTIONS_PAGE_MAX as usize;
        actions.truncate(ACTIONS_PAGE_MAX as usize);
        Ok(AuditPage { actions: actions.into_iter().map(to_entry).collect(), more })
    }

    pub(crate) async fn reports(&self, who: Option<&Claims>, name: &str) -> Result<Vec<ReportedMessage>, Refusal> {
        let broadcast = self.moderated(who, name)?;
        let mut messages: Vec<ReportedMessage> = Vec::new();
        for record in self.shared.store.open_reports(broadcast, REPORTS_OPEN_MAX).await? {
            let (epoch, seq) = record.place;
            let message = MessageId { epoch, seq };
            let ReportRecord { author, text, sent_at_ms, by, reason, note, at_ms, .. } = record;
            let report = Report { by: named(by), reason, note, at_ms };
            let is_full = messages.len() >= REPORTS_LISTED_MAX as usize;
            match messages.last_mut().filter(|last| last.message == message) {
                Some(known) => known.reports.push(report),
                None if is_full => break,
                None => messages.push(ReportedMessage { message, author: named(author), text, sent_at_ms, reports: vec![report] }),
            }
        }
        Ok(messages)
    }

    pub(crate) async fn resolve(
        &self,
        who: Option<&Claims>,
        name: &str,
        message: MessageId,
        resolution: ReportResolution,
    ) -> Result<(), Refusal> {
        let broadcast = self.moderated(who, name)?;
        let by = who.ok_or(Refusal::TokenNeeded)?;
        let ReportResolution { outcome, note } = resolution;
        let rule = "at most 200 characters, one line";
        let note = note.map(|note| line("note", rule, &note, 0, CHAT_NOTE_MAX)).transpose()?.filter(|note| !note.is_empty());
        let now_ms = Now::read().unix_ms as u64;
        let resolved = self.shared.store.resolve_reports(broadcast, (message.epoch, message.seq), now_ms).await?;
        let report = resolved.ok_or(Refusal::NotFound("report"))?;
        let word = match outcome {
            ReportOutcome::Dismissed => "dismissed",
            ReportOutcome::Upheld => "upheld",
        };
        let action = ActionRecord {
            id: ActionId::random(&mut rand::rng()),
            broadcast,
            at_ms: now_ms,
            by: NamedUser { id: by.sub, name: by.name.clone() },
            action: ModeratorAction::Resolve,
            on: Some(report.author),
            message: Some(report.text),
            seconds: None,
            note: Some(note.map_or_else(|| word.to_owned(), |note| format!("{word}: {note}"))),
        };
        self.shared.store.add_action(&action).await?;
        self.social().tell_desk(broadcast, DeskEvent::Resolved { message }).await;
        Ok(())
    }

    /// Who may not write, after `before` in the list.
    pub(crate) async fn restrained(&self, who: Option<&Claims>, name: &str, before: Option<UserId>) -> Result<RestrainedPage, Refusal> {
        let broadcast = self.moderated(who, name)?;
        let mut restrained = self.social().rules(broadcast).await?.restrained;
        if let Some(before) = before {
            let known = restrained.iter().position(|restrained| restrained.person.id == before);
            restrained.drain(..known.map_or(restrained.len(), |at| at + 1));
        }
        let more = restrained.len() > RESTRAINED_LISTED_MAX;
        restrained.truncate(RESTRAINED_LISTED_MAX);
        Ok(RestrainedPage { restrained, more })
    }

    pub(crate) async fn forbidden_words(&self, who: Option<&Claims>, name: &str) -> Result<ForbiddenWords, Refusal> {
        let broadcast = self.moderated(who, name)?;
        Ok(ForbiddenWords { words: self.social().rules(broadcast).await?.words })
    }

    /// For whoever knows of the broadcast.
    pub(crate) async fn heat(&self, name: &str) -> Result<HeatLine, Refusal> {
        let broadcast = self.with_state(|state| state.directory.find(name).map(|broadcast| broadcast.id))?;
        Ok(HeatLine { step_ms: REACTION_BUCKET_MS, points: self.social().heat(broadcast).await?.to_vec() })
    }

    /// The broadcast, for those who moderate it.
    fn moderated(&self, who: Option<&Claims>, name: &str) -> Result<BroadcastId, Refusal> {
        self.with_state(|state| state.directory.find_for(name, who, Grant::Moderate))
    }
}

fn named(user: NamedUser) -> Named {
    Named { id: user.id, name: user.name }
}

fn to_entry(record: ActionRecord) -> AuditEntry {
    let ActionRecord { id, broadcast: _, at_ms, by, action, on, message, seconds, note } = record;
    AuditEntry { id, at_ms, by: named(by), action, on: on.map(named), message, seconds, note }
}
