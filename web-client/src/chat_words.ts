// The English words of the chat and the reactions; a section of `words.ts`.
import type { FailureCode } from './lib/errors';
import type { Audience, ChatModes, ChatRole, FilterRule, ReactionKind, ReportReason } from './protocol';

const audiences: Record<Audience, string> = {
  everyone: 'Everyone',
  accounts: 'People with an account',
  followers: 'Followers',
  friends: 'Friends of the broadcaster',
};

export const chatWords = {
  title: 'Chat',
  people: (formatted: string) => `${formatted} in the chat`,
  moments: 'Moments',
  log: 'Messages',
  hide: 'Hide chat',
  show: 'Show chat',
  unread: (count: number) => (count === 1 ? '1 new message' : `${count} new messages`),
  toNewest: 'To the newest message',
  options: 'Chat options',
  popOut: 'Open in a window of its own',
  poppedOut: 'The chat is in a window of its own',
  poppedOutLine: 'It keeps to the moment on this screen.',
  bringBack: 'Bring it back here',
  popUpBlocked: 'The window didn’t open',
  popUpBlockedLine: 'Allow pop-ups for this page, then try again.',
  windowTitle: (match: string) => `Chat: ${match}`,

  connecting: 'Getting you into the chat',
  empty: 'Nobody has said anything yet',
  emptyLine: 'Say the first thing.',
  emptyLineReader: 'It shows up here when somebody does.',
  reconnecting: 'Finding the chat again. What you write is sent when it’s back.',
  ended: 'The match is over, and so is its chat.',
  failed: 'The chat didn’t load',
  failedLine: 'The match is fine. We keep trying.',
  closed: 'The chat is closed to you',
  closedLine: 'The match is fine. Ask whoever runs it to let you in.',
  readOnly: 'You’re reading along. Writing here is by invitation.',
  banned: 'A moderator has silenced you in this chat.',
  bannedLine: 'You can go on watching and reading. If it was a mistake, ask the broadcaster.',
  timedOut: (time: string) => `A moderator has silenced you for a while. You can write again in ${time}.`,
  newer: (count: number) => `${count} newer at the live edge`,
  newerLine: 'They show up when your picture gets there.',
  showNow: 'Show now',
  lane: 'Lively chat',
  lanes: { top: 'Top', all: 'All' },
  laneLine: { top: 'A pick of the messages', all: 'As many as fit' },

  says: (name: string, text: string) => `${name}: ${text}`,
  many: (count: number) => `${count} new messages`,
  edited: 'edited',
  removed: 'Message removed',
  removedOf: (name: string) => `Message of ${name} removed`,
  repliesTo: (name: string, excerpt: string) => `${name}: ${excerpt}`,
  toYou: 'To you',
  states: { sending: 'Sending', waiting: 'Waiting for the connection', held: 'A moderator looks at it first', failed: '' },
  resend: 'Send again',
  discard: 'Discard',
  gap: 'Some messages in between are no longer kept.',
  pinned: 'Pinned message',
  unpin: 'Unpin',
  modes: modesChanged,

  roles: { viewer: '', moderator: 'Moderator', broadcaster: 'Broadcaster' } satisfies Record<ChatRole, string>,
  guest: 'Guest',
  you: 'You',

  placeholder: 'Say it as it happens',
  placeholderEmoji: 'Emoji only just now',
  placeholderSlow: (seconds: number) => `One message every ${seconds} s`,
  composer: 'Your message',
  send: 'Send',
  sendIn: (seconds: number) => `You can send in ${seconds} s`,
  counter: (length: number, most: number) => `${length} of ${most} characters`,
  tooLong: (over: number) => `${over} too many`,
  replying: (name: string) => `Reply to ${name}`,
  replyTo: (name: string) => `Reply: ${name}`,
  editing: 'Change your message',
  offers: 'People to address',
  asGuest: (name: string) => `You write as ${name}`,
  tooManyWaiting: 'Your last messages are still on their way',
  tooManyWaitingLine: 'Wait for them, or discard those that failed.',

  emoji: 'Emoji',
  findEmoji: 'Find an emoji',
  noEmoji: 'No emoji by that name.',
  emojiGroups: { match: 'Match', faces: 'Faces', hands: 'Hands', signs: 'Signs' } as Record<string, string>,

  more: (name: string) => `Message of ${name}: what to do`,
  reply: 'Reply',
  mention: 'Mention',
  edit: 'Edit',
  remove: 'Delete',
  pin: 'Pin for everyone',
  said: (count: number) => (count === 1 ? '1 message here' : `${count} messages here`),
  report: 'Report',
  reportTitle: (name: string) => `Report what ${name} said?`,
  reportReason: 'What is it?',
  reportNote: 'Anything to add (optional)',
  reported: 'The moderators are told',
  reportedLine: 'They decide what becomes of it.',
  timeOut: (time: string) => `Time out for ${time}`,
  ban: 'Ban from this chat',
  banTitle: (name: string) => `Ban ${name} from this chat?`,
  banLine: 'They can’t write here any more, and what they said is taken away for everyone.',
  lift: 'Let them write again',
  restrained: (name: string, time: string | null) => (time ? `${name} is silenced for ${time}` : `${name} is banned from this chat`),
  lifted: (name: string) => `${name} may write again`,
  undo: 'Undo',
  notDone: 'That didn’t work',

  follows: 'Chat keeps to your picture',
  followsLine: 'Nobody gives a goal away',
  manage: 'Who may write, and how fast',
  audience: 'Who may write',
  audiences,
  slow: 'Slow mode',
  slowOff: 'Off',
  slowEvery: (seconds: number) => (seconds < 60 ? `A message every ${seconds} s` : seconds === 60 ? 'A message a minute' : `A message every ${seconds / 60} min`),
  emoteOnly: 'Emoji only',
  review: 'Let moderators look at what the filter finds',
  save: 'Save',

  desk: {
    title: 'Moderation',
    waiting: (count: number) => (count === 1 ? '1 thing waits for you' : `${count} things wait for you`),
    nothing: 'Nothing waits for you',
    nothingLine: 'What the filter holds and what people report comes up here by itself.',
    held: 'Waiting to be said',
    found: { language: 'Foul words', links: 'A link', words: 'A word of your list', repeats: 'Repeats', capitals: 'Shouting' } satisfies Record<FilterRule, string>,
    approve: 'Approve',
    refuse: 'Refuse',
    reports: 'Reported',
    reasons: { abuse: 'Abuse', spam: 'Spam', spoiler: 'Gives something away', other: 'Something else' } satisfies Record<ReportReason, string>,
    reported: (reason: string, count: number) => (count === 1 ? reason : `${reason} and ${count - 1} more`),
    dismiss: 'Leave it',
    remove: 'Delete it',
    silence: 'Silence for 10 min',
    of: (act: string, name: string) => `${act}: ${name}`,
    people: 'Silenced people',
    nobody: 'Nobody is silenced.',
    unknown: 'Somebody without a name',
    banned: 'For good',
    until: (time: string) => `Until ${time}`,
    by: (name: string) => `by ${name}`,
    earlier: 'Show earlier ones',
    words: 'Words that may not be said',
    wordsHelp: 'One a line. A star at the end stands for every word that begins so. Spaces, digits and look-alike letters don’t get around it.',
    tooManyWords: (most: number) => `At most ${most} words`,
    wordTooLong: (word: string, most: number) => `“${word}…” is longer than ${most} characters`,
    saved: 'The list is saved',
    failed: 'Some of the lists didn’t load',
  },

  reactions: 'Reactions',
  heat: 'How much people reacted over the match',
  react: { goal: 'Goal', clap: 'Applause', fire: 'Fire', wow: 'Wow', sad: 'Sad', heart: 'Heart', laugh: 'Laugh', angry: 'Angry' } satisfies Record<ReactionKind, string>,

  refusal,
};

/** Why something was not said or done, and what then. `said`: what the server said, for what only it knows. */
function refusal(code: FailureCode, modes: ChatModes, said: string): string {
  switch (code) {
    case 'slow_down': return modes.slow_s > 0 ? `Slow mode: one message every ${modes.slow_s} s.` : 'That was fast. Wait a moment.';
    case 'timed_out': return 'A moderator has silenced you for a while.';
    case 'banned': return 'A moderator has silenced you in this chat.';
    case 'chat_restricted': return restricted(modes);
    case 'filtered': return 'The chat’s filter stopped it: no links, shouting, repeats or foul words.';
    case 'turned_down': return 'A moderator decided against it.';
    case 'not_looked_at': return 'No moderator looked at it in time.';
    case 'rate_limited': return 'Too much at once. Wait a moment.';
    case 'not_found': return 'That message is gone.';
    case 'forbidden': return 'That’s for moderators.';
    case 'ended': return 'The match is over.';
    case 'disconnected': return 'The connection dropped.';
    case 'timeout':
    case 'unavailable':
    case 'shutting_down':
    case 'internal': return 'The chat doesn’t answer just now.';
    case 'full': return 'There is no room for more.';
    default: return said.charAt(0).toUpperCase() + said.slice(1);
  }
}

function restricted(modes: ChatModes): string {
  if (modes.audience === 'accounts') return 'Only people with an account write here just now.';
  if (modes.audience === 'followers') return 'Only followers write here just now.';
  if (modes.audience === 'friends') return 'Only friends of the broadcaster write here just now.';
  return 'Only emoji are written here just now.';
}

/** What has become different, a sentence each. */
function modesChanged(before: ChatModes, after: ChatModes): string {
  const changes = [
    before.slow_s === after.slow_s ? null : after.slow_s > 0 ? `Slow mode is on, one message every ${after.slow_s} s.` : 'Slow mode is off.',
    before.audience === after.audience ? null : after.audience === 'everyone' ? 'Everyone may write again.' : `${audiences[after.audience]} may write now.`,
    before.review === after.review ? null : after.review ? 'Moderators look at what the filter finds.' : 'The filter decides by itself again.',
    before.emote_only === after.emote_only ? null : after.emote_only ? 'Emoji only from now on.' : 'Words are welcome again.',
  ];
  return changes.filter((change) => change !== null).join(' ');
}
